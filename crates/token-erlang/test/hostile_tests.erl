%% Requests from anyone: the node lives, answers, and gives nothing away.
-module(hostile_tests).

-include_lib("eunit/include/eunit.hrl").

-define(SECRET, <<"hunter2-hunter2-hunter2-hunter2-">>).
-define(VERBS, [inspect, confine, caveat, needs, preflight, mint, verify, bind, seal, open]).

token(Caveats) ->
    {ok, #{<<"token">> := Token}} = onetoken:mint(#{<<"secret">> => ?SECRET, <<"location">> => <<"onezone">>,
        <<"identifier">> => <<"id1">>, <<"caveats">> => Caveats}),
    Token.

verify(Token) ->
    #{<<"token">> => Token, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1000}}.

what_is_too_long_is_refused_unread_test_() ->
    {timeout, 60, fun() ->
        TooLong = {error, {token_too_large, #{<<"limit">> => 1048576}}},
        Exact = binary:copy(<<"M">>, 1048576),
        ?assertMatch({error, {bad_token, _}}, onetoken:verify(verify(Exact))),
        [begin
            Request = verify(binary:copy(<<"M">>, Length)),
            ?assertEqual(TooLong, onetoken:verify(Request)),
            ?assertEqual(TooLong, onetoken:needs(Request))
        end || Length <- [1048577, 2000000, 100000000]],
        % The limits that this application applies are those of the library.
        ?assertEqual(TooLong, onetoken_nif:call_dirty(<<"needs">>, #{<<"token">> => <<Exact/binary, "M">>}))
    end}.

a_request_that_is_too_long_is_refused_unread_test_() ->
    {timeout, 60, fun() ->
        TooLong = {error, {token_too_large, #{<<"limit">> => 4194304, <<"reason">> => <<"the request">>}}},
        Long = binary:copy(<<"x">>, 100000000),
        Requests = [
            (verify(<<"M">>))#{<<"secret">> := Long},
            (verify(<<"M">>))#{Long => 1},
            (verify(<<"M">>))#{<<"discharges">> => lists:duplicate(200000, <<"M">>)},
            (verify(<<"M">>))#{<<"discharges">> => lists:duplicate(200000, null) ++ tail},
            (verify(<<"M">>))#{<<"context">> := maps:from_list([{N, N} || N <- lists:seq(1, 200000)])},
            [Long]
        ],
        [?assertEqual(TooLong, onetoken:Verb(Request)) || Request <- Requests, Verb <- ?VERBS],
        ?assertMatch({error, {invalid_argument, _}}, onetoken:verify(#{<<"token">> => [binary:copy(<<"M">>, 2000000)]}))
    end}.

what_is_deep_is_refused_test_() ->
    {timeout, 60, fun() ->
        Lists = lists:foldl(fun(_, Inner) -> [Inner] end, [], lists:seq(1, 100000)),
        Maps = lists:foldl(fun(_, Inner) -> #{<<"type">> => Inner} end, #{}, lists:seq(1, 60000)),
        Members = [<<"token">>, <<"caveats">>, <<"caveat">>, <<"context">>, <<"identifier">>, <<"secret">>, <<"owner">>, <<"text">>],
        [?assertMatch({error, {invalid_argument, _}}, onetoken:Verb(#{Member => Deep}))
         || Deep <- [Lists, Maps], Member <- Members, Verb <- ?VERBS],
        [?assertMatch({error, {invalid_argument, _}}, onetoken:Verb(Deep)) || Deep <- [Lists, Maps], Verb <- ?VERBS],
        % What the preemptible part would let pass, read at once.
        [?assertMatch({error, {invalid_argument, _}}, onetoken_nif:call_dirty(<<"caveat">>, #{<<"caveat">> => Deep}))
         || Deep <- [Lists, Maps]]
    end}.

%% A token may itself be JSON.
a_deep_token_is_refused_test_() ->
    {timeout, 60, fun() ->
        [?assertMatch({error, {bad_token, _}}, onetoken:Verb(#{<<"token">> => binary:copy(Part, Count)}))
         || Part <- [<<"{\"c\":[">>, <<"[">>, <<"{\"i\":">>], Count <- [1000, 5000, 150000], Verb <- [inspect, needs]]
    end}.

%% Terms that no document has, in the place of each member and of the request.
what_is_no_document_is_refused_test_() ->
    {timeout, 60, fun() ->
        Terms = [an_atom, 'null ', {}, {1, 2}, self(), make_ref(), fun() -> ok end, hd(erlang:ports()), <<1:3>>, [1 | 2],
            [<<"a">> | <<"b">>], 1 bsl 200, -(1 bsl 70), 1.5, [$t, $i, $m, $e], <<255>>, #{1 => 2}, #{a => b}, #{<<255>> => 1},
            #{[] => []}, [[]], -1, true],
        Request = #{<<"token">> => token([]), <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1}, <<"caveats">> => [],
            <<"location">> => <<>>, <<"identifier">> => <<"i">>},
        [case onetoken:Verb(Wrong) of
            {ok, _} -> ok;
            {error, Code} when is_atom(Code) -> ?assertNotEqual(panic, Code);
            {error, {Code, #{}}} -> ?assertNotEqual(panic, Code)
         end || Term <- Terms, Verb <- ?VERBS,
            Wrong <- [Term, #{Term => 1}, Request#{Term => 1} | [Request#{Member => Term} || Member <- maps:keys(Request)]]],
        NoText = fun(Term) -> onetoken:needs(#{<<"token">> => Term}) end,
        [?assertMatch({Term, {error, {invalid_argument, #{<<"reason">> := _}}}}, {Term, NoText(Term)}) || Term <- Terms],
        [?assertMatch({error, {invalid_argument, _}}, onetoken:confine(#{<<"token">> => token([]), <<"caveats">> => Caveats}))
         || Caveats <- [[<<"time < 1">> | <<"time < 2">>], [<<"time < 1">> | tail], #{}, <<>>, [1], [[]], [self()]]]
    end}.

bytes_are_taken_as_they_are_test() ->
    Secret = <<0, 255, 128, (crypto_free_bytes())/binary>>,
    Mint = #{<<"secret">> => Secret, <<"location">> => <<>>, <<"identifier">> => <<255, 254>>, <<"format">> => <<"v2">>,
        <<"caveats">> => [<<"a = ", 200>>]},
    {ok, #{<<"token">> := Token}} = onetoken:mint(Mint),
    Verify = #{<<"token">> => Token, <<"secret">> => Secret, <<"context">> => #{<<"now">> => 0}, <<"exact">> => [<<"a = ", 200>>]},
    ?assertMatch({ok, #{<<"identifier">> := #{<<"base64url">> := <<"__4">>}}}, onetoken:verify(Verify)),
    % A part of a greater binary.
    <<_:3/binary, Part/binary>> = <<"xxx", Token/binary>>,
    ?assertMatch({ok, _}, onetoken:verify(Verify#{<<"token">> := Part})).

crypto_free_bytes() ->
    << <<(erlang:phash2({N, self()}, 256))>> || N <- lists:seq(1, 29) >>.

no_error_shows_a_secret_test() ->
    Misplaced = [
        #{<<"token">> => #{<<"hex">> => ?SECRET}},
        #{<<"token">> => ?SECRET, <<"context">> => ?SECRET},
        #{<<"secret">> => [?SECRET]},
        #{<<"secret">> => #{?SECRET => 1}},
        #{<<"secret">> => #{<<"hex">> => ?SECRET}},
        #{?SECRET => ?SECRET},
        #{<<"token">> => <<"M">>, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => ?SECRET}},
        #{<<"token">> => <<"M">>, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1, <<"ip">> => ?SECRET}},
        #{<<"token">> => <<"M">>, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1, <<"consumer">> => ?SECRET}},
        #{<<"token">> => <<"M">>, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1}, <<"as">> => ?SECRET},
        #{<<"token">> => <<"M">>, <<"secret">> => ?SECRET, <<"context">> => #{<<"now">> => 1}, <<"supported">> => [?SECRET]},
        #{<<"secret">> => ?SECRET, <<"location">> => <<>>, <<"identifier">> => #{<<"subject">> => ?SECRET}},
        #{<<"secret">> => <<"s">>, <<"location">> => <<>>, <<"identifier">> => <<"i">>, <<"caveats">> => [#{<<"type">> => ?SECRET}]},
        ?SECRET,
        [?SECRET],
        binary_to_list(?SECRET)
    ],
    [case onetoken:Verb(Request) of
        {ok, _} -> ok;
        Error -> ?assertEqual(nomatch, string:find(io_lib:format("~p", [Error]), "hunter2"))
     end || Request <- Misplaced, Verb <- ?VERBS].

%% Reading, refusing and answering make no atoms, not of keys, values, caveats or errors.
no_request_makes_an_atom_test() ->
    Calls = fun(From, To) ->
        [begin
            Text = <<"word", (integer_to_binary(N))/binary>>,
            Token = token([Text]),
            {error, {token_caveat_unknown, _}} = onetoken:verify(verify(Token)),
            {ok, _} = onetoken:inspect(#{<<"token">> => Token}),
            {error, _} = onetoken:needs(#{Text => Text}),
            {error, _} = onetoken:verify((verify(Token))#{<<"as">> => Text}),
            {error, _} = onetoken:verify((verify(Token))#{<<"supported">> => [Text]}),
            {error, _} = onetoken_nif:call(Text, #{}),
            {ok, _} = onetoken:caveat(#{<<"text">> => <<"consumer = usr-", Text/binary>>})
        end || N <- lists:seq(From, To)]
    end,
    Calls(1, 10),
    Before = erlang:system_info(atom_count),
    Calls(11, 3000),
    ?assertEqual(Before, erlang:system_info(atom_count)).

many_processes_call_at_once_test_() ->
    {timeout, 300, fun() ->
        Token = token([<<"time < 2000">>]),
        Great = token([<<"time < 2000">> || _ <- lists:seq(1, 900)]),
        Parent = self(),
        Pids = [spawn_link(fun() ->
            receive go -> ok end,
            Answers = [onetoken:verify(verify(Token)), onetoken:verify((verify(Token))#{<<"secret">> := <<"another">>}),
                onetoken:confine(#{<<"token">> => Token, <<"caveats">> => [<<"ip = 10.0.0.0/8">>]})
                | [onetoken:verify(verify(Great)) || N rem 50 =:= 0]],
            Parent ! {self(), [element(1, Answer) || Answer <- Answers]}
        end) || N <- lists:seq(1, 10000)],
        [Pid ! go || Pid <- Pids],
        [receive {Pid, Answers} -> ?assertMatch([ok, error, ok | _], Answers) end || Pid <- Pids]
    end}.

%% A call that took longer than a millisecond would be reported each time. On a busy machine some are, since the operating
%% system lets others run meanwhile.
no_normal_scheduler_is_blocked_test_() ->
    {timeout, 300, fun() ->
        Facts = #{<<"now">> => 0, <<"groups">> => [integer_to_binary(N) || N <- lists:seq(1, 900)], <<"consumer">> => <<"usr-u">>},
        Longest = fun(Caveat) -> longest(Caveat, 32000, 1000) end,
        Requests = [
            {verify, verify(Longest(<<"time < 8374891234">>))},
            {verify, (verify(Longest(<<"consumer = grp-x|grp-y|usr-u">>)))#{<<"context">> := Facts}},
            {inspect, #{<<"token">> => longest(<<"ip = 10.0.0.0/8|1.2.3.4">>, 8000, 1000), <<"now">> => 0}},
            {inspect, #{<<"token">> => longest(<<"a">>, 8000, 1000)}},
            {confine, #{<<"token">> => token([]), <<"caveats">> => lists:duplicate(800, <<"a">>)}},
            {mint, #{<<"secret">> => ?SECRET, <<"location">> => <<>>, <<"identifier">> => <<"i">>,
                <<"caveats">> => lists:duplicate(700, #{<<"type">> => <<"data.readonly">>})}},
            {needs, #{<<"token">> => binary:copy(<<"MDAw">>, 8000)}},
            {preflight, #{<<"token">> => Longest(<<"time < 8374891234">>), <<"context">> => #{<<"now">> => 0}}}
        ],
        erlang:system_monitor(self(), [{long_schedule, 1}]),
        Long = [{Verb, long_calls(Verb, Request, 20)} || {Verb, Request} <- Requests],
        % Many short calls of one process: the process is preempted between them.
        Short = verify(token([<<"time < 2000">>])),
        Row = long_processes(fun() -> [onetoken:verify(Short) || _ <- lists:seq(1, 20000)] end),
        erlang:system_monitor(undefined),
        ?debugFmt("long schedules of 20: ~p; of 20,000 calls in a row: ~p", [Long, Row]),
        [?assert({Verb, Count} < {Verb, 10}) || {Verb, Count} <- Long],
        ?assert(Row < 200)
    end}.

%% The longest token of such caveats that a normal scheduler reads.
longest(Caveat, Limit, Count) ->
    case token(lists:duplicate(Count, Caveat)) of
        Token when byte_size(Token) < Limit -> Token;
        _ -> longest(Caveat, Limit, Count * 9 div 10)
    end.

long_calls(Verb, Request, Times) ->
    length([long || _ <- lists:seq(1, Times), long_processes(fun() -> onetoken:Verb(Request) end) > 0]).

%% How often the process that runs this was on a scheduler for longer than a millisecond.
long_processes(Run) ->
    {Pid, Monitor} = spawn_monitor(Run),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end,
    timer:sleep(1),
    reports(Pid, 0).

reports(Pid, Count) ->
    receive
        {monitor, Pid, long_schedule, _} -> reports(Pid, Count + 1);
        {monitor, _, long_schedule, _} -> reports(Pid, Count)
    after 0 -> Count
    end.

%% A million calls, answered and refused, leave no memory behind.
no_call_leaks_test_() ->
    {timeout, 300, fun() ->
        Token = token([<<"time < 2000">>]),
        Great = token([<<"time < 2000">> || _ <- lists:seq(1, 900)]),
        Good = verify(Token),
        Calls = [
            fun() -> {ok, _} = onetoken:verify(Good) end,
            fun() -> {error, _} = onetoken:verify(Good#{<<"secret">> := <<"another">>}) end,
            fun() -> {error, _} = onetoken:verify(Good#{<<"token">> := <<"MDAw">>}) end,
            fun() -> {ok, _} = onetoken:inspect(#{<<"token">> => Token}) end,
            fun() -> {error, _} = onetoken:needs(#{<<"token">> => [a | b]}) end
        ],
        Run = fun(Rounds) ->
            {Pid, Monitor} = spawn_monitor(fun() ->
                repeat(Rounds, fun() -> lists:foreach(fun(Call) -> Call() end, Calls) end),
                repeat(Rounds div 200, fun() -> {ok, _} = onetoken:verify(verify(Great)) end)
            end),
            receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
            erlang:garbage_collect(),
            resident()
        end,
        Warm = Run(20000),
        After = Run(200000),
        ?debugFmt("resident after 100,000 calls: ~p KiB, after 1,000,000 more: ~p KiB", [Warm, After]),
        ?assert(After - Warm < 16384)
    end}.

repeat(0, _) -> ok;
repeat(Times, Call) -> Call(), repeat(Times - 1, Call).

%% The memory of this node that is in use, in KiB.
resident() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Size]} = re:run(Status, "VmRSS:\\s+([0-9]+)", [{capture, [1], binary}]),
    binary_to_integer(Size).

%% In a node of its own, with a library that has a verb that panics.
a_panic_is_an_error_and_the_node_lives_test_() ->
    {timeout, 120, fun() ->
        Code = "Call = fun(Verb) -> io:format(\"~p ~p~n\", [Verb, (catch onetoken_nif:Verb(<<\"test_panic\">>, "
            "#{<<\"secret\">> => <<\"hunter2\">>}))]) end, "
            "[Call(Verb) || Verb <- [call, call_dirty, call, call_dirty]], "
            "Many = [spawn_monitor(fun() -> onetoken_nif:call(<<\"test_panic\">>, #{}) end) || _ <- lists:seq(1, 50)], "
            "[receive {'DOWN', Monitor, process, _, normal} -> ok end || {_, Monitor} <- Many], "
            "io:format(\"~p~n\", [element(1, onetoken:version())]), halt().",
        Erl = filename:join([code:root_dir(), "bin", "erl"]),
        Output = run(Erl, ["-noinput", "-pa", "build/panic/ebin", "-eval", Code], [{env, [{"ERL_LIBS", false}]}]),
        Lines = string:split(string:trim(Output), "\n", all),
        Panics = [Line || "onetoken: panic at crates/token-erlang/src/lib.rs:" ++ _ = Line <- Lines],
        ?assertEqual(54, length(Panics)),
        ?assertEqual(["call {error,panic}", "call_dirty {error,panic}", "call {error,panic}", "call_dirty {error,panic}", "ok"],
            Lines -- Panics)
    end}.

%% In a node that lacks the library: no stack trace shows the request.
without_the_library_no_secret_is_shown_test_() ->
    {timeout, 120, fun() ->
        Code = "Request = #{<<\"secret\">> => <<\"hunter2\">>, <<\"store\">> => <<\"memory:\">>}, "
            "[io:format(\"~p~n\", [catch Module:Verb(Request)]) "
            "|| {Module, Verb} <- [{onetoken, verify}, {onetoken_authority, open}]], halt().",
        Ebin = filename:join(["build", "without", "ebin"]),
        ok = filelib:ensure_dir(filename:join(Ebin, "x")),
        [{ok, _} = file:copy(Beam, filename:join(Ebin, filename:basename(Beam))) || Beam <- filelib:wildcard("ebin/*.beam")],
        Erl = filename:join([code:root_dir(), "bin", "erl"]),
        Output = run(Erl, ["-noinput", "-pa", Ebin, "-eval", Code], [{env, [{"ERL_LIBS", false}]}]),
        ?assertEqual(3, length(string:split(Output, "{nif_not_loaded,", all))),
        ?assertEqual(nomatch, string:find(Output, "hunter2"))
    end}.

%% Another version that is installed lends its library to no module of this one.
an_installed_library_is_not_taken_test_() ->
    {timeout, 120, fun() ->
        Installed = filename:join(["build", "installed", "onetoken-0.0.1"]),
        [begin
            File = filename:join([Installed, Directory, Name]),
            ok = filelib:ensure_dir(File),
            ok = file:write_file(File, <<"no library">>)
        end || {Directory, Name} <- [{"ebin", "onetoken.app"}, {"priv", "onetoken_nif.so"}]],
        Code = "io:format(\"~p\", [element(1, onetoken:version())]), halt().",
        Erl = filename:join([code:root_dir(), "bin", "erl"]),
        ?assertEqual("ok", run(Erl, ["-noinput", "-pa", "ebin", "-eval", Code], [{env, [{"ERL_LIBS", "build/installed"}]}]))
    end}.

run(Command, Arguments, Options) ->
    Port = open_port({spawn_executable, Command}, [{args, Arguments}, exit_status, stderr_to_stdout | Options]),
    output(Port, []).

output(Port, Parts) ->
    receive
        {Port, {data, Part}} -> output(Port, [Parts, Part]);
        {Port, {exit_status, 0}} -> lists:flatten(Parts);
        {Port, {exit_status, Status}} -> error({Status, lists:flatten(Parts)})
    end.
