%% @doc The functions that Onedata's servers call about tokens, with the terms that they use, over `onetoken'.
%%
%% A host copies this module, names it as the one that it replaces, and changes what its own release writes otherwise. The
%% terms are those of Onedata since 20.02: tagged tuples in the order of the fields of its records (below). The last field
%% of a token, its macaroon, is here the token's text.
%%
%% Three things differ:
%% <ul>
%% <li>A forged token is `token_invalid'. Onedata judges the caveats first, and says of a forgery which one is unmet.</li>
%% <li>A whitelist of `cv_api' holds texts, as `<<"all/get/user.*.*:*">>'. A host that has patterns of resources converts
%%     them by its own module.</li>
%% <li>A context may also be a map with the names of the fields as keys; `asn', `country' and `regions' are further ones.
%%     What is missing of these three is looked up by the module `ip_utils', if the host has it and a caveat asks.</li>
%% </ul>
-module(onetoken_compat).

-export([construct/3, verify/3, verify/4, get_caveats/1, confine/2, serialize/1, deserialize/1]).

-export_type([token/0, caveat/0, auth/0, auth_ctx/0]).

-record(subject, {type = nobody, subtype, id}).
-record(service_spec, {type, id}).
-record(token, {version = 2, onezone_domain, id, persistence, subject = #subject{}, type, macaroon}).
-record(access_token_typespec, {session}).
-record(identity_token_typespec, {}).
-record(invite_token_typespec, {invite_type, target_entity, parameters}).
-record(auth, {subject = #subject{}, caveats = [], peer_ip, session_id}).
-record(auth_ctx, {current_timestamp = 0, scope = unlimited, ip, interface, service, consumer, session_id,
    data_access_caveats_policy = disallow_data_access_caveats, group_membership_checker}).

-type token() :: #token{}.
-type caveat() :: tuple().
-type auth() :: #auth{}.
-type auth_ctx() :: #auth_ctx{} | #{atom() => term()}.
-type error() :: {error, term()}.

%% @doc Makes a token from a prototype, which has all fields but the macaroon. Throws an error.
-spec construct(token(), binary(), [caveat()]) -> token().
construct(#token{onezone_domain = Domain} = Prototype, Secret, Caveats) ->
    Mint = #{<<"secret">> => Secret, <<"location">> => Domain, <<"identifier">> => identifier(Prototype),
        <<"caveats">> => [caveat_document(Caveat) || Caveat <- Caveats]},
    case onetoken:mint(Mint) of
        {ok, #{<<"token">> := Text}} -> Prototype#token{macaroon = Text};
        Error -> throw(error_term(Error))
    end.

%% @doc Verifies a token with the types of caveats that a token of its type may carry.
-spec verify(token(), binary(), auth_ctx()) -> {ok, auth()} | error().
verify(#token{type = Type} = Token, Secret, Context) ->
    verify_request(Token, Secret, Context, #{<<"as">> => used_as(Type)}).

%% @doc Verifies a token with these types of caveats: `cv_time' and its kin.
-spec verify(token(), binary(), auth_ctx(), [atom()]) -> {ok, auth()} | error().
verify(Token, Secret, Context, Supported) ->
    verify_request(Token, Secret, Context, #{<<"supported">> => [caveat_name(Type) || Type <- Supported]}).

verify_request(#token{subject = Subject, macaroon = Text} = Token, Secret, Context, Request) ->
    Fields = fields(Context),
    Ignored = [caveat_name(Type) || Type <- maps:get(ignored_caveats, Fields, [])],
    Answer = case facts(Text, Fields) of
        {ok, Facts} ->
            onetoken:verify(Request#{<<"token">> => Text, <<"secret">> => Secret, <<"context">> => Facts,
                <<"ignored">> => Ignored});
        Error ->
            Error
    end,
    case Answer of
        {ok, _} ->
            Session = case Token#token.type of
                #access_token_typespec{session = OfToken} -> OfToken;
                _ -> undefined
            end,
            {ok, #auth{subject = Subject, caveats = get_caveats(Token), peer_ip = maps:get(ip, Fields), session_id = Session}};
        _ ->
            error_term(Answer)
    end.

%% @doc Returns the caveats of a token. Throws an error if one is not understood.
-spec get_caveats(token()) -> [caveat()].
get_caveats(#token{macaroon = Text}) ->
    case onetoken:inspect(#{<<"token">> => Text}) of
        {ok, #{<<"caveats">> := Caveats}} -> [stated_caveat(Caveat) || Caveat <- Caveats];
        Error -> throw(error_term(Error))
    end.

%% @doc Adds a caveat or several to a token or to the text of one.
-spec confine(token() | binary(), caveat() | [caveat()]) -> token() | binary().
confine(#token{macaroon = Text} = Token, Caveats) ->
    Token#token{macaroon = confine(Text, Caveats)};
confine(Text, Caveat) when is_tuple(Caveat) ->
    confine(Text, [Caveat]);
confine(Text, Caveats) when is_binary(Text) ->
    case onetoken:confine(#{<<"token">> => Text, <<"caveats">> => [caveat_document(Caveat) || Caveat <- Caveats]}) of
        {ok, #{<<"token">> := Confined}} -> Confined;
        Error -> throw(error_term(Error))
    end.

%% @doc Returns the text of a token.
-spec serialize(token()) -> {ok, binary()} | error().
serialize(#token{macaroon = Text}) when is_binary(Text) ->
    {ok, Text};
serialize(_) ->
    {error, bad_token}.

%% @doc Reads the text of a token.
-spec deserialize(binary()) -> {ok, token()} | error().
deserialize(Text) when is_binary(Text) ->
    case onetoken:inspect(#{<<"token">> => Text}) of
        {ok, #{<<"token">> := null, <<"identifier">> := Id, <<"location">> := Domain}} when is_binary(Id) ->
            {ok, #token{version = 1, onezone_domain = Domain, id = Id, persistence = named,
                type = #access_token_typespec{}, macaroon = without_service(Text)}};
        {ok, #{<<"token">> := #{<<"id">> := Id, <<"persistence">> := Persistence, <<"subject">> := Subject,
                <<"type">> := Type} = Stated, <<"location">> := Domain}} ->
            {ok, #token{onezone_domain = Domain, id = Id, persistence = persistence(Persistence),
                subject = subject(Subject, Stated), type = type(Type), macaroon = without_service(Text)}};
        {ok, _} ->
            {error, bad_token};
        Error ->
            error_term(Error)
    end;
deserialize(_) ->
    {error, bad_token}.

%% The service before a text is a hint, which is kept in the subject.
without_service(<<"opw-", Text/binary>>) -> Text;
without_service(<<"opp-", Text/binary>>) -> Text;
without_service(Text) -> Text.

%% Identifiers

identifier(#token{version = 1, id = Id}) ->
    Id;
identifier(#token{version = Version, id = Id, persistence = Persistence, subject = Subject, type = Type}) ->
    #{<<"version">> => Version, <<"id">> => Id, <<"persistence">> => persistence_document(Persistence),
        <<"subject">> => subject_document(Subject), <<"type">> => type_document(Type)}.

persistence_document(named) -> <<"named">>;
persistence_document({temporary, Generation}) -> #{<<"temporary">> => Generation}.

persistence(<<"named">>) -> named;
persistence(#{<<"temporary">> := Generation}) -> {temporary, Generation}.

subject_document(#subject{type = nobody}) -> #{<<"type">> => <<"nobody">>, <<"id">> => null};
subject_document(#subject{type = Type, id = Id}) -> #{<<"type">> => atom_to_binary(Type), <<"id">> => Id}.

subject(#{<<"type">> := <<"oneprovider">>, <<"id">> := Id}, Stated) ->
    #subject{type = oneprovider, subtype = subtype(Stated), id = Id};
subject(#{<<"type">> := <<"nobody">>}, _) ->
    #subject{};
subject(#{<<"type">> := Type, <<"id">> := Id}, _) ->
    #subject{type = subject_type(Type), id = Id}.

subject_type(<<"user">>) -> user;
subject_type(<<"group">>) -> group.

subtype(#{<<"service">> := <<"opw">>}) -> op_worker;
subtype(#{<<"service">> := <<"opp">>}) -> op_panel;
subtype(_) -> undefined.

type_document(#access_token_typespec{session = undefined}) ->
    #{<<"accessToken">> => #{}};
type_document(#access_token_typespec{session = Session}) ->
    #{<<"accessToken">> => #{<<"sessionId">> => Session}};
type_document(#identity_token_typespec{}) ->
    #{<<"identityToken">> => #{}};
type_document(#invite_token_typespec{invite_type = Type, target_entity = Target}) ->
    {Type, Name, Key} = lists:keyfind(Type, 1, invite_types()),
    #{<<"inviteToken">> => #{<<"inviteType">> => Name, Key => Target, <<"parameters">> => #{}}}.

type(#{<<"accessToken">> := Access}) ->
    #access_token_typespec{session = maps:get(<<"sessionId">>, Access, undefined)};
type(#{<<"identityToken">> := _}) ->
    #identity_token_typespec{};
type(#{<<"inviteToken">> := #{<<"inviteType">> := Name} = Invite}) ->
    {Type, Name, Key} = lists:keyfind(Name, 2, invite_types()),
    #invite_token_typespec{invite_type = Type, target_entity = maps:get(Key, Invite)}.

invite_types() -> [
    {user_join_group, <<"userJoinGroup">>, <<"groupId">>},
    {group_join_group, <<"groupJoinGroup">>, <<"groupId">>},
    {user_join_space, <<"userJoinSpace">>, <<"spaceId">>},
    {group_join_space, <<"groupJoinSpace">>, <<"spaceId">>},
    {support_space, <<"supportSpace">>, <<"spaceId">>},
    {harvester_join_space, <<"harvesterJoinSpace">>, <<"spaceId">>},
    {register_oneprovider, <<"registerOneprovider">>, <<"adminUserId">>},
    {user_join_cluster, <<"userJoinCluster">>, <<"clusterId">>},
    {group_join_cluster, <<"groupJoinCluster">>, <<"clusterId">>},
    {user_join_harvester, <<"userJoinHarvester">>, <<"harvesterId">>},
    {group_join_harvester, <<"groupJoinHarvester">>, <<"harvesterId">>},
    {space_join_harvester, <<"spaceJoinHarvester">>, <<"harvesterId">>},
    {user_join_atm_inventory, <<"userJoinAtmInventory">>, <<"atmInventoryId">>},
    {group_join_atm_inventory, <<"groupJoinAtmInventory">>, <<"atmInventoryId">>}
].

used_as(#access_token_typespec{}) -> <<"access">>;
used_as(#identity_token_typespec{}) -> <<"identity">>;
used_as(#invite_token_typespec{}) -> <<"invite">>.

%% Contexts

fields(#{} = Fields) ->
    maps:merge(#{ip => undefined}, Fields);
fields(Context) when element(1, Context) =:= auth_ctx ->
    [auth_ctx | Values] = tuple_to_list(Context),
    % Later releases add fields at the end.
    Names = record_info(fields, auth_ctx) ++ [ignored_caveats],
    maps:from_list(lists:zip(lists:sublist(Names, length(Values)), lists:sublist(Values, length(Names)))).

%% The facts of a request, with what the token asks for.
facts(Text, Fields) ->
    case onetoken:needs(#{<<"token">> => Text}) of
        {ok, Needs} ->
            Consumer = maps:get(consumer, Fields, undefined),
            Facts = #{
                <<"now">> => maps:get(current_timestamp, Fields, null),
                <<"ip">> => ip(maps:get(ip, Fields)),
                <<"interface">> => word(maps:get(interface, Fields, undefined)),
                <<"service">> => service_text(maps:get(service, Fields, undefined)),
                <<"consumer">> => consumer_text(Consumer),
                <<"session">> => word(maps:get(session_id, Fields, undefined)),
                <<"scope">> => word(maps:get(scope, Fields, unlimited)),
                <<"allowDataCaveats">> =>
                    maps:get(data_access_caveats_policy, Fields, disallow_data_access_caveats) =:= allow_data_access_caveats,
                <<"asn">> => looked_up(asn, <<"asn">>, lookup_asn, Needs, Fields),
                <<"country">> => looked_up(country, <<"country">>, lookup_country, Needs, Fields),
                <<"regions">> => looked_up(regions, <<"region">>, lookup_region, Needs, Fields)
            },
            {ok, Facts#{<<"groups">> => groups(Needs, Consumer, maps:get(group_membership_checker, Fields, undefined))}};
        Error ->
            Error
    end.

groups(_, _, undefined) -> null;
groups(#{<<"groups">> := Groups}, Consumer, IsMember) -> [Group || Group <- Groups, IsMember(Consumer, Group)].

looked_up(Field, Need, Function, Needs, Fields) ->
    case {Fields, Needs} of
        {#{Field := Value}, _} -> Value;
        {#{ip := Ip}, #{Need := true}} when Ip =/= undefined -> look_up(Function, Ip);
        _ -> null
    end.

look_up(Function, Ip) ->
    case code:ensure_loaded(ip_utils) =:= {module, ip_utils} andalso erlang:function_exported(ip_utils, Function, 1) of
        true ->
            case ip_utils:Function(Ip) of
                {ok, Value} -> Value;
                _ -> null
            end;
        false ->
            null
    end.

word(undefined) -> null;
word(Atom) when is_atom(Atom) -> atom_to_binary(Atom);
word(Text) -> Text.

ip(undefined) -> null;
ip(Ip) when is_tuple(Ip) -> list_to_binary(inet:ntoa(Ip));
ip(Text) -> Text.

service_text(undefined) -> null;
service_text(#service_spec{type = Type, id = Id}) ->
    {Type, Code} = lists:keyfind(Type, 1, services()),
    <<Code/binary, "-", Id/binary>>.

service(<<Code:3/binary, "-", Id/binary>>) ->
    {Type, Code} = lists:keyfind(Code, 2, services()),
    #service_spec{type = Type, id = Id}.

services() -> [{oz_worker, <<"ozw">>}, {oz_panel, <<"ozp">>}, {op_worker, <<"opw">>}, {op_panel, <<"opp">>}].

consumer_text(undefined) -> null;
consumer_text(#subject{type = nobody}) -> <<"nobody">>;
consumer_text(#subject{type = Type, id = Id}) ->
    {Type, Code} = lists:keyfind(Type, 1, consumers()),
    <<Code/binary, "-", Id/binary>>.

consumer(<<"nobody">>) ->
    #subject{};
consumer(<<Code:3/binary, "-", Id/binary>>) ->
    {Type, Code} = lists:keyfind(Code, 2, consumers()),
    #subject{type = Type, id = Id}.

consumers() -> [{user, <<"usr">>}, {group, <<"grp">>}, {oneprovider, <<"prv">>}].

%% Caveats

caveat_document({cv_time, ValidUntil}) -> listed(cv_time, <<"validUntil">>, ValidUntil);
caveat_document({cv_ip, Masks}) -> listed(cv_ip, <<"whitelist">>, [mask_text(Mask) || Mask <- Masks]);
caveat_document({cv_asn, Asns}) -> listed(cv_asn, <<"whitelist">>, Asns);
caveat_document({Type, Filter, Names}) when Type =:= cv_country; Type =:= cv_region ->
    (listed(Type, <<"list">>, Names))#{<<"filter">> => atom_to_binary(Filter)};
caveat_document({cv_scope, identity_token}) -> #{<<"scope">> => <<"identityToken">>};
caveat_document({cv_service, Services}) -> listed(cv_service, <<"whitelist">>, [service_text(It) || It <- Services]);
caveat_document({cv_consumer, Consumers}) -> listed(cv_consumer, <<"whitelist">>, [consumer_text(It) || It <- Consumers]);
caveat_document({cv_interface, Interface}) -> listed(cv_interface, <<"interface">>, atom_to_binary(Interface));
caveat_document({cv_api, Texts}) -> listed(cv_api, <<"whitelist">>, Texts);
caveat_document({cv_data_readonly}) -> #{<<"type">> => caveat_name(cv_data_readonly)};
caveat_document({cv_data_path, Paths}) -> listed(cv_data_path, <<"whitelist">>, [base64:encode(Path) || Path <- Paths]);
caveat_document({cv_data_objectid, Ids}) -> listed(cv_data_objectid, <<"whitelist">>, Ids).

listed(Type, Member, Value) ->
    #{<<"type">> => caveat_name(Type), Member => Value}.

stated_caveat(#{<<"thirdParty">> := true, <<"identifier">> := Id}) ->
    throw({error, {token_caveat_unknown, Id}});
stated_caveat(#{<<"caveat">> := Document, <<"text">> := Text}) ->
    case Document of
        #{<<"type">> := <<"tokenType">>} -> throw({error, {token_caveat_unknown, Text}});
        #{} -> caveat(Document);
        null -> throw({error, {token_caveat_unknown, Text}})
    end.

caveat(#{<<"scope">> := <<"identityToken">>}) ->
    {cv_scope, identity_token};
caveat(#{<<"type">> := Name} = Document) ->
    {Type, Name} = lists:keyfind(Name, 2, caveat_types()),
    case {Type, Document} of
        {cv_time, #{<<"validUntil">> := ValidUntil}} -> {Type, ValidUntil};
        {cv_interface, #{<<"interface">> := Interface}} -> {Type, interface(Interface)};
        {cv_data_readonly, _} -> {Type};
        {_, #{<<"filter">> := <<"whitelist">>, <<"list">> := Names}} -> {Type, whitelist, Names};
        {_, #{<<"filter">> := <<"blacklist">>, <<"list">> := Names}} -> {Type, blacklist, Names};
        {cv_ip, #{<<"whitelist">> := Masks}} -> {Type, [mask(Mask) || Mask <- Masks]};
        {cv_service, #{<<"whitelist">> := Services}} -> {Type, [service(It) || It <- Services]};
        {cv_consumer, #{<<"whitelist">> := Consumers}} -> {Type, [consumer(It) || It <- Consumers]};
        {cv_data_path, #{<<"whitelist">> := Paths}} -> {Type, [base64:decode(Path) || Path <- Paths]};
        {_, #{<<"whitelist">> := Values}} -> {Type, Values}
    end.

interface(<<"rest">>) -> rest;
interface(<<"oneclient">>) -> oneclient;
interface(<<"graphsync">>) -> graphsync.

mask_text({Address, Bits}) -> list_to_binary([inet:ntoa(Address), $/, integer_to_list(Bits)]).

mask(Text) ->
    [Address, Bits] = binary:split(Text, <<"/">>),
    {ok, Parsed} = inet:parse_ipv4_address(binary_to_list(Address)),
    {Parsed, binary_to_integer(Bits)}.

caveat_name(Type) ->
    {Type, Name} = lists:keyfind(Type, 1, caveat_types()),
    Name.

caveat_types() -> [
    {cv_time, <<"time">>},
    {cv_ip, <<"ip">>},
    {cv_asn, <<"asn">>},
    {cv_country, <<"geo.country">>},
    {cv_region, <<"geo.region">>},
    {cv_scope, <<"authorization">>},
    {cv_service, <<"service">>},
    {cv_consumer, <<"consumer">>},
    {cv_interface, <<"interface">>},
    {cv_api, <<"api">>},
    {cv_data_readonly, <<"data.readonly">>},
    {cv_data_path, <<"data.path">>},
    {cv_data_objectid, <<"data.objectid">>}
].

%% Errors

error_term({error, {token_caveat_unverified, #{<<"caveat">> := #{} = Caveat}}}) -> {error, {token_caveat_unverified, caveat(Caveat)}};
error_term({error, {token_caveat_unknown, #{<<"caveat">> := Text}}}) -> {error, {token_caveat_unknown, Text}};
error_term({error, {token_too_large, #{<<"limit">> := Limit}}}) -> {error, {token_too_large, {max, Limit}}};
error_term({error, {invalid_argument, _}} = Error) -> error(Error);
error_term({error, {Code, _}}) -> {error, Code};
error_term({error, Code}) -> {error, Code}.
