%% What a call takes, in microseconds: the least mean of many rounds, by one process. `make speed` runs it.
-module(speed).

-export([run/0]).

-define(SECRET, <<"an example secret of 32 bytes or more">>).
-define(CALLS, 200).
-define(ROUNDS, 2000).

run() ->
    {ok, Load} = file:read_file("/proc/loadavg"),
    io:format("load ~s~-12s~10s~10s~n", [Load, "caveats", "1", "8"]),
    [io:format("~-12s~10.2f~10.2f~n", [Name | [least(call(Name, Count)) || Count <- [1, 8]]])
     || Name <- ["mint", "verify", "inspect", "needs", "confine", "refuse", "nothing"]],
    parallel().

caveats() -> [<<"time < 8374891234">>, <<"ip = 172.98.11.23/32">>, <<"asn = 322">>, <<"geo.country = PL|FR">>,
    <<"interface = rest">>, <<"consumer = usr-user-id|grp-group-id">>, <<"geo.region = Asia|EU">>,
    <<"service = ozw-onezone">>].

facts(1) -> #{<<"now">> => 1700000000};
facts(8) -> (facts(1))#{<<"ip">> => <<"172.98.11.23">>, <<"asn">> => 322, <<"country">> => <<"PL">>,
    <<"interface">> => <<"rest">>, <<"consumer">> => <<"usr-user-id">>, <<"regions">> => [<<"EU">>],
    <<"service">> => <<"ozw-onezone">>, <<"groups">> => [<<"g1">>]}.

mint(Count) ->
    #{<<"secret">> => ?SECRET, <<"location">> => <<"onezone.example.com">>,
        <<"identifier">> => <<"2/nmd/usr-user-id/act/1234567890example-id">>, <<"caveats">> => lists:sublist(caveats(), Count)}.

call("nothing", _) ->
    fun() -> onetoken:version() end;
call("mint", Count) ->
    Request = mint(Count),
    fun() -> {ok, _} = onetoken:mint(Request) end;
call(Name, Count) ->
    {ok, #{<<"token">> := Token}} = onetoken:mint(mint(Count)),
    Verify = #{<<"token">> => Token, <<"secret">> => ?SECRET, <<"context">> => facts(Count)},
    case Name of
        "verify" -> fun() -> {ok, _} = onetoken:verify(Verify) end;
        "refuse" -> fun() -> {error, _} = onetoken:verify(Verify#{<<"secret">> := <<"another">>}) end;
        "inspect" -> fun() -> {ok, _} = onetoken:inspect(#{<<"token">> => Token}) end;
        "needs" -> fun() -> {ok, _} = onetoken:needs(#{<<"token">> => Token}) end;
        "confine" -> fun() -> {ok, _} = onetoken:confine(#{<<"token">> => Token, <<"caveats">> => [<<"interface = rest">>]}) end
    end.

least(Call) ->
    lists:min([element(1, timer:tc(fun() -> repeat(Call, ?CALLS) end)) || _ <- lists:seq(1, ?ROUNDS)]) / ?CALLS.

repeat(_, 0) -> ok;
repeat(Call, Times) -> Call(), repeat(Call, Times - 1).

%% Sixteen processes verify at once.
parallel() ->
    Call = call("verify", 1),
    {Time, _} = timer:tc(fun() ->
        Workers = [spawn_monitor(fun() -> repeat(Call, 20000) end) || _ <- lists:seq(1, 16)],
        [receive {'DOWN', Monitor, process, Pid, normal} -> ok end || {Pid, Monitor} <- Workers]
    end),
    io:format("16 processes, ~p schedulers: ~p verifications a second~n",
        [erlang:system_info(schedulers_online), round(16 * 20000 / Time * 1000000)]).
