%% Onedata's functions and terms over this application: its own golden tokens and verdicts, as its own code would ask.
-module(compat_tests).

-include_lib("eunit/include/eunit.hrl").

-define(VECTORS, "../token-test/vectors/").
-define(SECRET, <<"an example secret of 32 bytes or more">>).

user(Id) -> {subject, user, undefined, Id}.

prototype(Type) ->
    {token, 2, <<"onezone.example.com">>, <<"t1">>, named, user(<<"u1">>), Type, undefined}.

access() -> {access_token_typespec, undefined}.

context() ->
    {auth_ctx, 1000, unlimited, {10, 1, 2, 3}, rest, {service_spec, op_worker, <<"p1">>}, user(<<"u2">>), undefined,
        allow_data_access_caveats, fun({subject, user, undefined, <<"u2">>}, Group) -> Group =:= <<"g1">> end}.

all_caveats() -> [
    {cv_time, 2000},
    {cv_ip, [{{10, 0, 0, 0}, 8}, {{1, 2, 3, 4}, 32}]},
    {cv_asn, [5]},
    {cv_country, whitelist, [<<"PL">>]},
    {cv_region, blacklist, [<<"Asia">>]},
    {cv_service, [{service_spec, op_worker, <<"*">>}, {service_spec, oz_worker, <<"onezone">>}]},
    {cv_consumer, [{subject, group, undefined, <<"g1">>}, {subject, oneprovider, undefined, <<"*">>}]},
    {cv_interface, rest},
    {cv_api, [<<"all/get/user.*.*:*">>]},
    {cv_data_readonly},
    {cv_data_path, [<<"/space1/file.txt">>]},
    {cv_data_objectid, [<<"00AB">>]}
].

%% The facts that are looked up.
with_lookups(Context) ->
    [auth_ctx | Values] = tuple_to_list(Context),
    Names = [current_timestamp, scope, ip, interface, service, consumer, session_id, data_access_caveats_policy,
        group_membership_checker],
    maps:merge(maps:from_list(lists:zip(Names, Values)), #{asn => 5, country => <<"PL">>, regions => [<<"Europe">>]}).

a_token_goes_out_and_comes_back_test() ->
    Types = [access(), {access_token_typespec, <<"s1">>}, {identity_token_typespec},
        {invite_token_typespec, support_space, <<"sp1">>, undefined},
        {invite_token_typespec, user_join_atm_inventory, <<"i1">>, undefined}],
    [begin
        Token = onetoken_compat:construct(setelement(5, prototype(Type), Persistence), ?SECRET, [{cv_time, 2000}]),
        {ok, Text} = onetoken_compat:serialize(Token),
        ?assertEqual({ok, Token}, onetoken_compat:deserialize(Text)),
        ?assertEqual([{cv_time, 2000}], onetoken_compat:get_caveats(Token))
    end || Type <- Types, Persistence <- [named, {temporary, 7}]].

every_caveat_is_written_read_and_judged_test() ->
    Token = onetoken_compat:construct(prototype(access()), ?SECRET, all_caveats()),
    ?assertEqual(all_caveats(), onetoken_compat:get_caveats(Token)),
    Context = with_lookups(context()),
    ?assertEqual({ok, {auth, user(<<"u1">>), all_caveats(), {10, 1, 2, 3}, undefined}},
        onetoken_compat:verify(Token, ?SECRET, Context)),
    Wrong = [#{current_timestamp => 2000}, #{ip => {11, 0, 0, 1}}, #{asn => 6}, #{country => <<"FR">>},
        #{regions => [<<"Asia">>]}, #{service => {service_spec, op_panel, <<"p1">>}}, #{consumer => user(<<"u3">>),
        group_membership_checker => fun(_, _) -> false end}, #{interface => graphsync}, none,
        #{data_access_caveats_policy => disallow_data_access_caveats}],
    [?assertEqual({error, {token_caveat_unverified, Caveat}},
        onetoken_compat:verify(Token, ?SECRET, maps:merge(Context, Fields)))
     || {Fields, Caveat} <- lists:zip(Wrong, lists:sublist(all_caveats(), 10)), Fields =/= none].

lookups_that_no_module_answers_are_missing_test() ->
    Token = onetoken_compat:construct(prototype(access()), ?SECRET, [{cv_asn, [5]}]),
    ?assertEqual({error, {token_caveat_unverified, {cv_asn, [5]}}}, onetoken_compat:verify(Token, ?SECRET, context())).

%% A context without a time must not be one of the year 1970, in which no token has expired.
a_time_that_is_missing_is_an_error_test() ->
    Token = onetoken_compat:construct(prototype(access()), ?SECRET, [{cv_time, 2000}]),
    Context = maps:remove(current_timestamp, with_lookups(context())),
    ?assertError({error, {invalid_argument, #{<<"member">> := <<"context.now">>}}},
        onetoken_compat:verify(Token, ?SECRET, Context)).

%% Onedata has no third-party caveats; anyone can send a token that has one.
a_third_party_caveat_is_unknown_test() ->
    [#{<<"serialized">> := Text}] = [Case || #{<<"name">> := <<"discharge_chain_depth_16">>} = Case <-
        documents:read("../token-test/vectors/macaroons.json")],
    {ok, Token} = onetoken_compat:deserialize(Text),
    ?assertThrow({error, {token_caveat_unknown, <<"d0">>}}, onetoken_compat:get_caveats(Token)).

a_token_is_confined_test() ->
    Token = onetoken_compat:construct(prototype(access()), ?SECRET, []),
    {ok, Text} = onetoken_compat:serialize(Token),
    Confined = onetoken_compat:confine(Token, {cv_time, 1000}),
    ?assertEqual([{cv_time, 1000}], onetoken_compat:get_caveats(Confined)),
    ?assertEqual({ok, onetoken_compat:confine(Text, [{cv_time, 1000}])}, onetoken_compat:serialize(Confined)),
    ?assertMatch({ok, _}, onetoken_compat:verify(Token, ?SECRET, context())),
    ?assertEqual({error, {token_caveat_unverified, {cv_time, 1000}}}, onetoken_compat:verify(Confined, ?SECRET, context())).

types_of_caveats_are_supported_or_not_test() ->
    Token = onetoken_compat:construct(prototype({identity_token_typespec}), ?SECRET, [{cv_data_readonly}]),
    Unverified = {error, {token_caveat_unverified, {cv_data_readonly}}},
    ?assertEqual(Unverified, onetoken_compat:verify(Token, ?SECRET, context())),
    ?assertEqual(Unverified, onetoken_compat:verify(Token, ?SECRET, context(), [cv_time])),
    ?assertMatch({ok, _}, onetoken_compat:verify(Token, ?SECRET, context(), [cv_time, cv_data_readonly])),
    % A context of a later release.
    Ignoring = erlang:append_element(context(), [cv_time]),
    Expired = onetoken_compat:construct(prototype(access()), ?SECRET, [{cv_time, 1}]),
    ?assertEqual({error, {token_caveat_unverified, {cv_time, 1}}}, onetoken_compat:verify(Expired, ?SECRET, context())),
    ?assertMatch({ok, _}, onetoken_compat:verify(Expired, ?SECRET, Ignoring)).

scopes_and_sessions_are_compared_test() ->
    Scoped = onetoken_compat:construct(prototype(access()), ?SECRET, [{cv_scope, identity_token}]),
    ?assertMatch({error, {token_caveat_unverified, {cv_scope, identity_token}}}, onetoken_compat:verify(Scoped, ?SECRET, context())),
    ?assertMatch({ok, _}, onetoken_compat:verify(Scoped, ?SECRET, setelement(3, context(), identity_token))),
    InSession = onetoken_compat:construct(prototype({access_token_typespec, <<"s1">>}), ?SECRET, []),
    [?assertEqual({ok, {auth, user(<<"u1">>), [], {10, 1, 2, 3}, <<"s1">>}},
        onetoken_compat:verify(InSession, ?SECRET, setelement(8, context(), Session))) || Session <- [any, <<"s1">>]],
    [?assertEqual({error, token_session_invalid},
        onetoken_compat:verify(InSession, ?SECRET, setelement(8, context(), Session))) || Session <- [undefined, <<"s2">>]].

errors_are_those_of_onedata_test() ->
    Token = onetoken_compat:construct(prototype(access()), ?SECRET, []),
    ?assertEqual({error, token_invalid}, onetoken_compat:verify(Token, <<"another">>, context())),
    ?assertEqual({error, bad_token}, onetoken_compat:deserialize(<<>>)),
    ?assertEqual({error, bad_token}, onetoken_compat:deserialize(<<"MDAw">>)),
    ?assertEqual({error, bad_token}, onetoken_compat:deserialize(not_a_binary)),
    ?assertEqual({error, bad_token}, onetoken_compat:serialize(prototype(access()))),
    ?assertEqual({error, {token_too_large, {max, 1048576}}}, onetoken_compat:deserialize(binary:copy(<<"M">>, 1048577))),
    ?assertThrow({error, token_subject_invalid},
        onetoken_compat:construct(setelement(6, prototype(access()), {subject, nobody, undefined, undefined}), ?SECRET, [])),
    {ok, #{<<"token">> := Text}} = onetoken:confine(#{<<"token">> => element(8, Token), <<"caveats">> => [<<"colour = blue">>]}),
    {ok, Unknown} = onetoken_compat:deserialize(Text),
    ?assertEqual({error, {token_caveat_unknown, <<"colour = blue">>}}, onetoken_compat:verify(Unknown, ?SECRET, context())),
    ?assertThrow({error, {token_caveat_unknown, <<"colour = blue">>}}, onetoken_compat:get_caveats(Unknown)).

services_are_hints_test() ->
    Provider = {subject, oneprovider, undefined, <<"p1">>},
    Token = onetoken_compat:construct(setelement(6, prototype({identity_token_typespec}), Provider), ?SECRET, []),
    {ok, Text} = onetoken_compat:serialize(Token),
    {ok, OfWorker} = onetoken_compat:deserialize(<<"opw-", Text/binary>>),
    ?assertEqual({subject, oneprovider, op_worker, <<"p1">>}, element(6, OfWorker)),
    ?assertMatch({ok, {auth, {subject, oneprovider, op_worker, <<"p1">>}, [], _, undefined}},
        onetoken_compat:verify(OfWorker, ?SECRET, context())).

golden_tokens_are_constructed_test() ->
    [begin
        {ok, Token} = onetoken_compat:deserialize(Text),
        Caveats = onetoken_compat:get_caveats(Token),
        ?assertEqual(Token, onetoken_compat:construct(setelement(8, Token, undefined), Secret, Caveats))
    end || #{<<"secret">> := Secret, <<"serialized_base62">> := Text} <- documents:read(?VECTORS "onedata.json")].

verdicts_are_those_of_onedata_test_() ->
    {timeout, 300, fun() ->
        Lines = documents:read_lines(?VECTORS "ctool-verdicts.jsonl"),
        [?assertEqual(expected(Line), verdict(Line)) || Line <- Lines]
    end}.

verdict(#{<<"token">> := Text, <<"secret">> := Secret, <<"ctx">> := Context}) ->
    {ok, Token} = onetoken_compat:deserialize(Text),
    case onetoken_compat:verify(Token, Secret, verdict_context(Context)) of
        {ok, {auth, _, _, _, Session}} -> {ok, Session};
        {error, {token_caveat_unverified, Caveat}} when is_tuple(Caveat) -> unverified;
        {error, Code} -> Code
    end.

expected(#{<<"secret">> := Secret, <<"minted_with">> := Right, <<"verdict">> := Verdict}) ->
    case Verdict of
        #{<<"unverified">> := _} when Secret =/= Right -> token_invalid;
        #{<<"unverified">> := _} -> unverified;
        #{<<"ok">> := true, <<"session">> := null} -> {ok, undefined};
        #{<<"ok">> := true, <<"session">> := Session} -> {ok, Session};
        #{<<"error">> := Code} -> binary_to_existing_atom(Code)
    end.

verdict_context(Context) ->
    Groups = maps:get(<<"groups">>, Context),
    maps:map(fun(_, null) -> undefined; (_, Value) -> Value end, #{
        current_timestamp => maps:get(<<"now">>, Context),
        scope => binary_to_atom(maps:get(<<"scope">>, Context)),
        ip => maps:get(<<"ip">>, Context),
        asn => maps:get(<<"asn">>, Context),
        country => maps:get(<<"country">>, Context),
        regions => maps:get(<<"regions">>, Context),
        interface => maps:get(<<"interface">>, Context),
        service => spec(maps:get(<<"service">>, Context), service_spec),
        consumer => spec(maps:get(<<"consumer">>, Context), subject),
        session_id => case maps:get(<<"session">>, Context) of <<"any">> -> any; Session -> Session end,
        data_access_caveats_policy => case maps:get(<<"data_caveats_allowed">>, Context) of
            true -> allow_data_access_caveats;
            false -> disallow_data_access_caveats
        end,
        group_membership_checker => case Groups of
            null -> undefined;
            _ -> fun(_, <<"*">>) -> Groups =/= []; (_, Group) -> lists:member(Group, Groups) end
        end
    }).

spec(null, _) -> null;
spec(<<"nobody">>, subject) -> {subject, nobody, undefined, undefined};
spec(<<Code:3/binary, "-", Id/binary>>, Kind) ->
    Types = #{<<"usr">> => user, <<"grp">> => group, <<"prv">> => oneprovider, <<"ozw">> => oz_worker,
        <<"ozp">> => oz_panel, <<"opw">> => op_worker, <<"opp">> => op_panel},
    case Kind of
        subject -> {subject, maps:get(Code, Types), undefined, Id};
        service_spec -> {service_spec, maps:get(Code, Types), Id}
    end.
