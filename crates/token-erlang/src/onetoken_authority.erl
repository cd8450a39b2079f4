%% @doc An authority over a store: it mints, checks, spends and revokes tokens, and keeps their records.
%%
%% Requests and answers are maps as those of {@link onetoken}; `docs/EMBEDDING.md' describes them. The host is never called
%% back: `check/2' says what it has to decide about a token, and `mint/2' and `consume/2' take its decision.
%%
%% ```
%% {ok, Authority} = onetoken_authority:open(#{<<"store">> => <<"redb:/var/lib/zone/tokens">>,
%%     <<"keys">> => #{<<"file">> => <<"/etc/zone/keys">>}, <<"create">> => true}),
%% {ok, #{<<"token">> := Token}} = onetoken_authority:mint(Authority, #{<<"type">> => <<"space-support">>,
%%     <<"target">> => <<"s1">>, <<"issuer">> => <<"usr-u1">>, <<"decision">> => <<"allowed">>}),
%% {ok, #{<<"consumed">> := true}} = onetoken_authority:consume(Authority, #{<<"token">> => Token,
%%     <<"expect">> => <<"space-support">>, <<"context">> => #{<<"consumer">> => <<"prv-p1">>},
%%     <<"decision">> => <<"allowed">>, <<"claim">> => <<"request 7">>}).
%% '''
%%
%% An authority may be used by all processes of its node at once. Calls wait for the disk on a dirty I/O scheduler; calls
%% over PostgreSQL wait in the calling process alone, for a message. A process that is killed meanwhile does not stop its
%% call: make it again under the same claim.
-module(onetoken_authority).

-export([open/1, close/1, mint/2, check/2, consume/2, refund/2, revoke/2, unrevoke/2, delete/2, list/2, void_temporary/2,
    events/2, purge/2]).

-export_type([authority/0]).

-opaque authority() :: {onetoken_authority, disk | server, reference()}.

%% @doc Opens the store of a node. Members: `store', `keys', and those of the configuration. A store on disk has one
%% authority: keep it in a process that lives as long as the application, or in a persistent term.
-spec open(onetoken:request()) -> {ok, authority()} | {error, term()}.
open(Request) ->
    Kind = case Request of
        #{<<"store">> := <<"postgres", _/binary>>} -> server;
        _ -> disk
    end,
    case onetoken_request:scheduler(<<"open">>, Request) of
        {error, _} = Error ->
            Error;
        _ ->
            try onetoken_nif:authority_open(Request, Kind =:= server) of
                {ok, Handle} -> {ok, {?MODULE, Kind, Handle}};
                Error -> Error
            catch
                % The stack trace of a function that is missing shows its arguments, and so the keys.
                error:undef -> error(nif_not_loaded)
            end
    end.

%% @doc Closes the store. Later calls are refused with `invalid_argument'. The node closes an authority that no process refers
%% to any more.
-spec close(authority()) -> ok.
close({?MODULE, _, Handle}) ->
    {ok, null} = onetoken_nif:authority_close(Handle),
    ok.

%% @doc Makes a token, and its record unless it is temporary.
-spec mint(authority(), onetoken:request()) -> onetoken:answer().
mint(Authority, Request) ->
    call(Authority, <<"mint">>, Request).

%% @doc Verifies a token up to the decision of the host, or with it, and spends nothing.
-spec check(authority(), onetoken:request()) -> onetoken:answer().
check(Authority, Request) ->
    call(Authority, <<"check">>, Request).

%% @doc Spends one use of a token under a claim. A retry under the same claim gets the same use.
-spec consume(authority(), onetoken:request()) -> onetoken:answer().
consume(Authority, Request) ->
    call(Authority, <<"consume">>, Request).

%% @doc Gives a use back.
-spec refund(authority(), onetoken:request()) -> onetoken:answer().
refund(Authority, Request) ->
    call(Authority, <<"refund">>, Request).

%% @doc Makes a token worthless, for good unless it is `reversible'.
-spec revoke(authority(), onetoken:request()) -> onetoken:answer().
revoke(Authority, Request) ->
    call(Authority, <<"revoke">>, Request).

%% @doc Undoes a reversible revocation.
-spec unrevoke(authority(), onetoken:request()) -> onetoken:answer().
unrevoke(Authority, Request) ->
    call(Authority, <<"unrevoke">>, Request).

%% @doc Removes the record of a token.
-spec delete(authority(), onetoken:request()) -> onetoken:answer().
delete(Authority, Request) ->
    call(Authority, <<"delete">>, Request).

%% @doc Returns records, page by page.
-spec list(authority(), onetoken:request()) -> onetoken:answer().
list(Authority, Request) ->
    call(Authority, <<"list">>, Request).

%% @doc Revokes all temporary tokens of a subject.
-spec void_temporary(authority(), onetoken:request()) -> onetoken:answer().
void_temporary(Authority, Request) ->
    call(Authority, <<"void_temporary">>, Request).

%% @doc Returns the changes that make verdicts obsolete, page by page.
-spec events(authority(), onetoken:request()) -> onetoken:answer().
events(Authority, Request) ->
    call(Authority, <<"events">>, Request).

%% @doc Removes records that have expired.
-spec purge(authority(), onetoken:request()) -> onetoken:answer().
purge(Authority, Request) ->
    call(Authority, <<"purge">>, Request).

call({?MODULE, Kind, Handle}, Verb, Request) ->
    case onetoken_request:scheduler(Verb, Request) of
        {error, _} = Error -> Error;
        normal when Kind =:= server -> by_message(Handle, Verb, Request);
        _ ->
            try
                onetoken_nif:authority_call(Handle, Verb, Request)
            catch
                error:badarg -> no_authority()
            end
    end;
call(_, _, _) ->
    no_authority().

%% The message always comes: no call panics, and a store that is lost is an error.
by_message(Handle, Verb, Request) ->
    Reference = make_ref(),
    try onetoken_nif:authority_send(Handle, Reference, Verb, Request) of
        true ->
            receive
                {onetoken, Reference, Answer} -> Answer
            end
    catch
        error:badarg -> no_authority()
    end.

%% An exception would show the request in its stack trace.
no_authority() ->
    {error, {invalid_argument, #{<<"member">> => <<"authority">>, <<"reason">> => <<"no authority of this node">>}}}.
