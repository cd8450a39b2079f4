%% An authority by terms: the steps that every shell runs.
-module(authority_tests).

-include_lib("eunit/include/eunit.hrl").

-define(MINT, #{<<"type">> => <<"space-support">>, <<"target">> => <<"s1">>, <<"issuer">> => <<"usr-u1">>,
    <<"decision">> => <<"allowed">>}).

%% In memory by dirty schedulers and by messages, and on disk.
every_step_has_its_answer_test_() ->
    [{timeout, 120, fun() -> steps(memory()) end},
        {timeout, 120, fun() -> steps(memory_by_message()) end},
        {timeout, 120, fun() -> with_directory(fun on_disk/1) end}].

memory() ->
    {ok, Authority} = onetoken_authority:open(#{<<"store">> => <<"memory:">>}),
    Authority.

%% As one over a server, which needs none.
memory_by_message() ->
    {ok, Handle} = onetoken_nif:authority_open(#{<<"store">> => <<"memory:">>}, true),
    {onetoken_authority, server, Handle}.

steps(Authority) ->
    Steps = documents:read("../token-embed/tests/authority.json"),
    lists:foldl(fun(Step, Saved) -> step(Authority, Step, Saved) end, #{}, Steps),
    Verbs = lists:usort([Verb || #{<<"verb">> := Verb} <- Steps]) -- [<<"spend">>],
    Exported = [atom_to_binary(Name) || {Name, 2} <- onetoken_authority:module_info(exports)],
    ?assertEqual(lists:sort(Exported), Verbs).

step(Authority, #{<<"name">> := Name, <<"verb">> := Verb, <<"request">> := Request} = Step, Saved) ->
    case {answer(Authority, Verb, filled(Request, Saved)), Step} of
        {{ok, Answer}, #{<<"has">> := Has}} ->
            Now = maps:merge(Saved, maps:map(fun(_, Member) -> maps:get(Member, Answer) end, maps:get(<<"save">>, Step, #{}))),
            ?assertEqual({Name, Answer, true}, {Name, Answer, has(Answer, filled(Has, Now))}),
            Now;
        {Error, #{<<"error">> := #{<<"code">> := Code, <<"detail">> := Detail}}} ->
            Expected = case map_size(Detail) of
                0 -> {error, binary_to_atom(Code)};
                _ -> {error, {binary_to_atom(Code), Detail}}
            end,
            ?assertEqual({Name, Expected}, {Name, Error}),
            Saved
    end.

answer({_, _, Handle}, <<"spend">>, Request) -> onetoken_nif:authority_call(Handle, <<"spend">>, Request);
answer(Authority, Verb, Request) -> onetoken_authority:(binary_to_existing_atom(Verb))(Authority, Request).

%% Puts in what was saved, for strings `$name'.
filled(<<"$", Name/binary>>, Saved) -> maps:get(Name, Saved);
filled(Items, Saved) when is_list(Items) -> [filled(Item, Saved) || Item <- Items];
filled(Members, Saved) when is_map(Members) -> maps:map(fun(_, Value) -> filled(Value, Saved) end, Members);
filled(Value, _) -> Value.

%% Whether the answer has what is expected; maps may have further members.
has(Answer, Expected) when is_map(Answer), is_map(Expected) ->
    lists:all(fun({Name, Value}) -> is_map_key(Name, Answer) andalso has(maps:get(Name, Answer), Value) end,
        maps:to_list(Expected));
has(Answer, Expected) when is_list(Answer), is_list(Expected) ->
    length(Answer) =:= length(Expected) andalso lists:all(fun({A, B}) -> has(A, B) end, lists:zip(Answer, Expected));
has(Answer, Expected) ->
    Answer =:= Expected.

with_directory(Run) ->
    Directory = filename:join("build", "store-" ++ integer_to_list(erlang:unique_integer([positive])) ++ os:getpid()),
    ok = filelib:ensure_dir(filename:join(Directory, "x")),
    try
        Run(list_to_binary(Directory))
    after
        file:del_dir_r(Directory)
    end.

on_disk(Directory) ->
    Open = #{<<"store">> => <<"redb:", Directory/binary, "/store">>, <<"keys">> => #{<<"file">> => <<Directory/binary, "/keys">>}},
    ?assertMatch({error, {store_unavailable, _}}, onetoken_authority:open(Open)),
    {ok, Authority} = onetoken_authority:open(Open#{<<"create">> => true}),
    steps(Authority),
    {ok, #{<<"token">> := Token}} = onetoken_authority:mint(Authority, ?MINT),
    ?assertMatch({error, {store_unavailable, _}}, onetoken_authority:open(Open)),
    ok = onetoken_authority:close(Authority),
    ok = onetoken_authority:close(Authority),
    ?assertMatch({error, {invalid_argument, _}}, onetoken_authority:mint(Authority, ?MINT)),
    {ok, Again} = onetoken_authority:open(Open),
    ?assertMatch({ok, #{<<"type">> := <<"space-support">>}}, onetoken_authority:check(Again, #{<<"token">> => Token})),
    ok = onetoken_authority:close(Again),

    % What a dead process leaves open is closed.
    {Pid, Monitor} = spawn_monitor(fun() -> {ok, _} = onetoken_authority:open(Open), ok end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end,
    {ok, Last} = until_open(Open, 100),
    ok = onetoken_authority:close(Last).

until_open(Open, Times) ->
    case onetoken_authority:open(Open) of
        {error, {store_unavailable, _}} when Times > 0 ->
            timer:sleep(50),
            until_open(Open, Times - 1);
        Opened ->
            Opened
    end.

%% One use, many processes: one of them gets it, and its retry the same.
one_of_many_processes_gets_the_use_test_() ->
    [{timeout, 120, fun() ->
        {ok, #{<<"token">> := Token}} = onetoken_authority:mint(Authority, ?MINT),
        Consume = fun(Claim) -> onetoken_authority:consume(Authority, #{<<"token">> => Token, <<"expect">> => <<"space-support">>,
            <<"context">> => #{<<"consumer">> => <<"prv-p1">>}, <<"decision">> => <<"allowed">>,
            <<"claim">> => integer_to_binary(Claim)}) end,
        Parent = self(),
        Claims = lists:seq(1, 500),
        [spawn_link(fun() -> Parent ! {Claim, Consume(Claim)} end) || Claim <- Claims],
        Answers = [receive {Claim, Answer} -> {Claim, Answer} end || Claim <- Claims],
        [Granted] = [Claim || {Claim, {ok, #{<<"consumed">> := true}}} <- Answers],
        ?assertEqual(499, length([lost || {_, {error, invite_token_usage_limit_exceeded}} <- Answers])),
        ?assertMatch({ok, #{<<"repeated">> := true}}, Consume(Granted))
    end} || Authority <- [memory(), memory_by_message()]].

what_cannot_be_opened_shows_no_secret_test() ->
    [begin
        {error, _} = Error = onetoken_authority:open(Request),
        ?assertEqual(nomatch, string:find(io_lib:format("~p", [Error]), "hunter2"))
    end || Request <- [
        #{<<"store">> => <<"postgres://root:hunter2@[">>, <<"keys">> => #{<<"text">> => <<"hunter2">>}},
        #{<<"store">> => <<"mysql://root:hunter2@host/db">>},
        #{<<"store">> => <<"memory:">>, <<"keys">> => #{<<"text">> => <<"hunter2">>}},
        #{<<"store">> => <<"memory:">>, <<"keys">> => <<"hunter2">>},
        <<"hunter2">>
    ]].

great_and_wrong_requests_are_refused_test() ->
    [begin
        ?assertMatch({error, {token_too_large, _}}, onetoken_authority:check(Authority, #{<<"token">> => binary:copy(<<"M">>, 2000000)})),
        ?assertMatch({error, {token_too_large, _}}, onetoken_authority:check(Authority, #{<<"x">> => binary:copy(<<"M">>, 5000000)})),
        ?assertMatch({error, {bad_token, _}}, onetoken_authority:check(Authority, #{<<"token">> => binary:copy(<<"M">>, 100000)})),
        [?assertMatch({error, {invalid_argument, _}}, onetoken_authority:check(Authority, Wrong))
         || Wrong <- [[], x, #{x => y}, #{<<"token">> => [a | b]}, #{}]]
    end || Authority <- [memory(), memory_by_message()]].

%% A wrong handle is an error, since the stack trace of an exception would show the token.
what_is_no_authority_is_refused_test() ->
    [?assertMatch({error, {invalid_argument, #{<<"member">> := <<"authority">>}}},
        onetoken_authority:check(Wrong, #{<<"token">> => <<"hunter2">>}))
     || Wrong <- [wrong, {ok, memory()}, {onetoken_authority, disk, make_ref()}, {onetoken_authority, server, make_ref()},
            {onetoken_authority, server, self()}]].

%% A killed caller is no harm.
a_caller_may_die_test() ->
    Authority = memory_by_message(),
    [begin
        Pid = spawn(fun() -> onetoken_authority:mint(Authority, ?MINT) end),
        exit(Pid, kill)
    end || _ <- lists:seq(1, 500)],
    ?assertMatch({ok, _}, onetoken_authority:mint(Authority, ?MINT)).

%% Over a server the calling process waits, and no scheduler.
postgres_answers_by_message_test_() ->
    {timeout, 300, fun() ->
        Port = open_port({spawn_executable, "test/postgres.sh"}, [exit_status, {line, 1000}]),
        receive
            {Port, {data, {eol, Url}}} ->
                over_postgres(list_to_binary(Url)),
                port_close(Port);
            {Port, {exit_status, 3}} ->
                ?assertEqual(false, os:getenv("ONETOKEN_REQUIRE_POSTGRES")),
                io:format(user, "NOT RUN: this machine has no PostgreSQL~n", [])
        end
    end}.

over_postgres(Url) ->
    with_directory(fun(Directory) ->
        {ok, Authority} = onetoken_authority:open(#{<<"store">> => Url, <<"create">> => true,
            <<"keys">> => #{<<"file">> => <<Directory/binary, "/keys">>}}),
        steps(Authority),
        {ok, #{<<"token">> := Token}} = onetoken_authority:mint(Authority, ?MINT),
        Parent = self(),
        Pids = [spawn_link(fun() ->
            [{ok, _} = onetoken_authority:check(Authority, #{<<"token">> => Token}) || _ <- lists:seq(1, 20)],
            Parent ! {self(), done}
        end) || _ <- lists:seq(1, 200)],
        [receive {Pid, done} -> ok end || Pid <- Pids],
        ok = onetoken_authority:close(Authority),
        ?assertMatch({error, {invalid_argument, _}}, onetoken_authority:check(Authority, #{<<"token">> => Token}))
    end).
