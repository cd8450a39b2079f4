%% The vectors of other implementations, by the functions of the application alone.
-module(vectors_tests).

-include_lib("eunit/include/eunit.hrl").

-define(VECTORS, "../token-test/vectors/").

tokens_of_onedata_are_minted_and_read_test() ->
    Golden = documents:read(?VECTORS "onedata.json") ++ documents:read(?VECTORS "onedata-legacy.json"),
    Checked = [golden(Token, Encoding) || Token <- Golden, Encoding <- [<<"base62">>, <<"base64url">>]],
    ?assertEqual(38, length(Checked)).

golden(Golden, Encoding) ->
    #{<<"identifier">> := Identifier, <<"caveats">> := Caveats, <<"signature_hex">> := Signature} = Golden,
    Text = maps:get(<<"serialized_", Encoding/binary>>, Golden),
    Secret = case Golden of
        #{<<"secret_hex">> := Hex} -> binary:decode_hex(Hex);
        #{<<"secret">> := Bytes} -> Bytes
    end,
    Location = maps:get(<<"location">>, Golden, maps:get(<<"onezone_domain">>, Golden, null)),
    Mint = #{<<"secret">> => Secret, <<"location">> => Location, <<"identifier">> => Identifier,
        <<"caveats">> => Caveats, <<"encoding">> => Encoding},
    ?assertEqual({ok, #{<<"token">> => Text}}, onetoken:mint(Mint)),

    {ok, Inspected} = onetoken:inspect(#{<<"token">> => Text, <<"signature">> => true, <<"now">> => 0}),
    ?assertMatch(#{<<"encoding">> := Encoding, <<"identifier">> := Identifier, <<"signature">> := Signature,
        <<"location">> := Location, <<"expired">> := false, <<"verified">> := false}, Inspected),
    #{<<"caveats">> := Shown, <<"token">> := Stated} = Inspected,
    ?assertEqual(Caveats, [Caveat || #{<<"text">> := Caveat} <- Shown]),

    % What an inspection shows can be minted again.
    Documents = [Caveat || #{<<"caveat">> := Caveat} <- Shown],
    Document = case Stated of
        null -> Identifier;
        #{} -> maps:remove(<<"service">>, Stated)
    end,
    case lists:member(null, Documents) of
        true -> ok;
        false -> ?assertEqual({ok, #{<<"token">> => Text}},
                onetoken:mint(Mint#{<<"identifier">> := Document, <<"caveats">> := Documents}))
    end.

damaged_samples_have_a_place_test() ->
    Samples = documents:read(?VECTORS "api-documents.json"),
    Damage = [{Id, damage(Text)} || #{<<"id">> := Id, <<"text">> := Text} <- Samples],
    ?assertEqual([
        {<<"seed000.curl">>, {<<"base62">>, 11}},
        {<<"seed002.curl">>, {<<"packet">>, 64}},
        {<<"seed.response200">>, {<<"packet">>, 0}},
        {<<"extra.swagger_client_tokens">>, none},
        {<<"extra.swagger_damaged_sed">>, {<<"packet">>, 0}}
    ], Damage).

damage(Text) ->
    case {onetoken:inspect(#{<<"token">> => Text}), onetoken:needs(#{<<"token">> => Text})} of
        {{ok, _}, {ok, _}} ->
            none;
        {{error, {bad_token, Inspected}}, {error, {bad_token, Needed}}} ->
            ?assert(is_map(maps:get(<<"partial">>, Inspected))),
            ?assertEqual(Needed, maps:remove(<<"partial">>, Inspected)),
            {maps:get(<<"stage">>, Needed), maps:get(<<"offset">>, Needed)}
    end.

macaroons_of_every_format_are_judged_test() ->
    Vectors = [Vector || #{<<"serialized">> := Text} = Vector <- documents:read(?VECTORS "macaroons.json"), Text =/= <<>>],
    Outcomes = [macaroon(Vector) || Vector <- Vectors],
    ?assert(length([refused || refused <- Outcomes]) > 60),
    ?assert(length([judged || judged <- Outcomes]) > 70).

macaroon(#{<<"name">> := Name, <<"serialized">> := Text, <<"valid_parse">> := IsValid} = Vector) ->
    Inspected = onetoken:inspect(#{<<"token">> => Text}),
    ?assertEqual({Name, IsValid}, {Name, element(1, Inspected) =:= ok}),
    case {Inspected, Vector} of
        {{error, _}, _} ->
            refused;
        % Accepted by no verb.
        {_, #{<<"key">> := <<>>}} ->
            skipped;
        {{ok, #{<<"identifier">> := Identifier}}, #{<<"key">> := Key, <<"verify">> := #{<<"expect">> := Expected} = Verify}}
                when is_binary(Key) ->
            Member = case maps:get(<<"key_is_raw_32_bytes">>, Vector, false) of
                true -> <<"rootKey">>;
                false -> <<"secret">>
            end,
            Answer = onetoken:verify(#{Member => Key, <<"token">> => Text, <<"context">> => #{<<"now">> => 1400000000},
                <<"exact">> => maps:get(<<"exact">>, Verify), <<"discharges">> => maps:get(<<"discharges">>, Vector, [])}),
            case Expected of
                <<"ok">> -> ?assertMatch({Name, {ok, #{<<"identifier">> := Identifier}}}, {Name, Answer});
                <<"fail">> -> ?assertMatch({Name, {error, _}}, {Name, Answer})
            end,
            judged;
        {{ok, _}, _} ->
            read
    end.

discharges_are_bound_test() ->
    Minted = fun(Identifier) ->
        {ok, #{<<"token">> := Token}} = onetoken:mint(#{<<"secret">> => binary:copy(<<"x">>, 32),
            <<"location">> => <<>>, <<"identifier">> => Identifier}),
        Token
    end,
    {Root, Discharge} = {Minted(<<"root">>), Minted(<<"discharge">>)},
    {ok, #{<<"token">> := Bound}} = onetoken:bind(#{<<"root">> => Root, <<"discharge">> => Discharge}),
    [Signature, BoundSignature] = [begin
        {ok, #{<<"signature">> := Signature}} = onetoken:inspect(#{<<"token">> => Token, <<"signature">> => true}),
        Signature
    end || Token <- [Discharge, Bound]],
    ?assertNotEqual(Signature, BoundSignature).

caveats_are_read_as_onedata_does_test() ->
    Cases = documents:read_lines(?VECTORS "ctool-caveats.jsonl"),
    ?assertEqual(142, length(Cases)),
    % docs/spec/deviations.md lists the seven exceptions.
    ?assertEqual(7, length([Case || Case <- Cases, not caveat_agrees(Case)])).

caveat_agrees(#{<<"text">> := Encoded, <<"reads">> := Reads} = Case) ->
    Text = base64:decode(Encoded),
    {ok, #{<<"caveat">> := Document, <<"text">> := Written} = Answer} = onetoken:caveat(#{<<"text">> => Text}),
    Agrees = case Reads of
        true -> is_map_key(<<"writes">>, Case)
            andalso Written =:= shown(base64:decode(maps:get(<<"writes">>, Case))) andalso Document =:= maps:get(<<"json">>, Case);
        false -> Document =:= null andalso Written =:= shown(Text)
    end,
    % A document is written as it was read, unless it holds a number that no new caveat may hold.
    case Agrees andalso Reads andalso onetoken:caveat(#{<<"caveat">> => Document}) of
        {ok, Again} -> ?assertEqual(Answer, Again);
        _ -> ok
    end,
    Agrees.

%% Bytes as a document shows them.
shown(Bytes) ->
    case unicode:characters_to_binary(Bytes) of
        Bytes -> Bytes;
        _ ->
            Standard = base64:encode(Bytes),
            Unpadded = binary:replace(Standard, <<"=">>, <<>>, [global]),
            #{<<"base64url">> => << <<(url(Character))>> || <<Character>> <= Unpadded >>}
    end.

url($+) -> $-;
url($/) -> $_;
url(Character) -> Character.

verdicts_are_those_of_onedata_test_() ->
    {timeout, 60, fun() ->
        Lines = documents:read_lines(?VECTORS "ctool-verdicts.jsonl"),
        ?assertEqual(640, length(Lines)),
        ?assertEqual(64, length([forged || forged <- [verdict(Line) || Line <- Lines]]))
    end}.

verdict(#{<<"secret">> := Secret, <<"minted_with">> := Right, <<"verdict">> := Expected} = Line) ->
    Verdict = case onetoken:verify((request(Line))#{<<"secret">> => Secret}) of
        {ok, #{<<"type">> := #{<<"accessToken">> := #{<<"sessionId">> := Session}}}} ->
            #{<<"ok">> => true, <<"session">> => Session};
        {ok, _} ->
            #{<<"ok">> => true, <<"session">> => null};
        {error, {token_caveat_unverified, #{<<"caveat">> := Caveat}}} ->
            #{<<"unverified">> => Caveat};
        {error, {Code, _}} ->
            #{<<"error">> => atom_to_binary(Code)};
        {error, Code} ->
            #{<<"error">> => atom_to_binary(Code)}
    end,
    % Onedata judges caveats before the signature. Nothing is said of a forged token here.
    case is_map_key(<<"unverified">>, Expected) andalso Secret =/= Right of
        true ->
            ?assertEqual(#{<<"error">> => <<"token_invalid">>}, Verdict),
            forged;
        false ->
            ?assertEqual(Expected, Verdict),
            agrees
    end.

%% A preflight refutes only what the issuer refuses.
preflights_agree_with_verdicts_test_() ->
    {timeout, 60, fun() ->
        Refuted = [Line || #{<<"minted_with">> := Secret} = Line <- documents:read_lines(?VECTORS "ctool-verdicts.jsonl"),
            preflight(request(Line), Secret) =:= refuted],
        ?assert(length(Refuted) > 300)
    end}.

preflight(Request, Secret) ->
    case onetoken:preflight(Request) of
        {ok, #{<<"undecided">> := true}} ->
            undecided;
        {ok, #{<<"refuted">> := #{<<"index">> := _, <<"reason">> := _}}} ->
            ?assertMatch({error, _}, onetoken:verify(Request#{<<"secret">> => Secret})),
            refuted
    end.

%% The request of Onedata's own verification.
request(#{<<"token">> := Token, <<"ctx">> := Context}) ->
    {Allowed, Facts} = maps:take(<<"data_caveats_allowed">>, Context),
    {ok, #{<<"token">> := #{<<"type">> := Type}}} = onetoken:inspect(#{<<"token">> => Token}),
    As = case maps:keys(Type) of
        [<<"accessToken">>] -> <<"access">>;
        [<<"identityToken">>] -> <<"identity">>;
        [<<"inviteToken">>] -> <<"invite">>
    end,
    #{<<"token">> => Token, <<"as">> => As, <<"context">> => Facts#{<<"allowDataCaveats">> => Allowed}}.
