%% @doc Mints, verifies, confines and inspects tokens. Keeps nothing and reads no clock.
%%
%% A request and an answer are maps with binaries as keys: the documents that `docs/EMBEDDING.md' describes. A text is a
%% binary, a secret a binary of any bytes, null the atom `null' (in a request also `undefined'). Of an error without
%% details the code stands alone.
%%
%% ```
%% 1> Secret = <<"an example secret of 32 bytes or more">>.
%% 2> {ok, #{<<"token">> := Token}} = onetoken:mint(#{<<"secret">> => Secret, <<"location">> => <<"onezone">>,
%%        <<"identifier">> => <<"id1">>, <<"caveats">> => [<<"time < 2000">>]}).
%% 3> onetoken:verify(#{<<"token">> => Token, <<"secret">> => Secret, <<"context">> => #{<<"now">> => 2000}}).
%% {error,{token_caveat_unverified,#{<<"caveat">> => #{<<"type">> => <<"time">>,<<"validUntil">> => 2000},
%%                                   <<"index">> => 0,<<"reason">> => <<"expired">>}}}
%% '''
%%
%% Every function may be called from any process. A request of more than 32 KiB, or 8 KiB for `inspect/1', is answered on a
%% dirty CPU scheduler. One whose token is longer than 1 MiB, or that weighs more than 4 MiB, is refused unread; each item
%% of a list or a map weighs 32 bytes beside its own.
-module(onetoken).

-export([inspect/1, confine/1, caveat/1, needs/1, preflight/1, mint/1, verify/1, bind/1, seal/1, open/1, version/0]).

-export_type([document/0, request/0, answer/0, code/0]).

-type document() :: null | boolean() | number() | binary() | [document()] | #{binary() => document()}.
-type request() :: #{binary() => document() | undefined}.
-type answer() :: {ok, #{binary() => document()}} | {error, code() | {code(), #{binary() => document()}}}.
%% A code of `crates/token-embed/errors.json'.
-type code() :: atom().

%% @doc Reads a token without its key, which proves nothing. Members: `token'; `now', `signature' and `compat' may be left
%% out. The answer is the token's parts.
-spec inspect(request()) -> answer().
inspect(Request) ->
    call(<<"inspect">>, Request).

%% @doc Appends caveats to a token. Members: `token', `caveats'. The answer has `token'.
-spec confine(request()) -> answer().
confine(Request) ->
    call(<<"confine">>, Request).

%% @doc Reads the text of a caveat, or writes one from its document. Members: `text' or `caveat'. The answer has both.
-spec caveat(request()) -> answer().
caveat(Request) ->
    call(<<"caveat">>, Request).

%% @doc Returns which facts to look up before a token is verified. Members: `token'. The answer has `asn', `country',
%% `region' and `groups'.
-spec needs(request()) -> answer().
needs(Request) ->
    call(<<"needs">>, Request).

%% @doc Says whether the issuer would refuse a token, without its key. Members: `token', `context'; `as' may be left out.
%% The answer has `refuted' or `undecided'.
-spec preflight(request()) -> answer().
preflight(Request) ->
    call(<<"preflight">>, Request).

%% @doc Makes a token. Members: `secret' or `rootKey', `location', `identifier'; `caveats', `format' and `encoding' may be
%% left out. The answer has `token'.
-spec mint(request()) -> answer().
mint(Request) ->
    call(<<"mint">>, Request).

%% @doc Verifies a token. Members: `token', `secret' or `rootKey', `context'; `as', `supported', `ignored', `exact' and
%% `discharges' may be left out. The answer has `valid', `identifier', `subject', `type', `caveats' and `expiresAt'.
-spec verify(request()) -> answer().
verify(Request) ->
    call(<<"verify">>, Request).

%% @doc Binds a discharge to the macaroon that it is presented with. Members: `root', `discharge'. The answer has `token'.
-spec bind(request()) -> answer().
bind(Request) ->
    call(<<"bind">>, Request).

%% @doc Seals a root key for a record that the host keeps. Members: `keys', `owner', `secret' or `rootKey'. The answer has
%% `sealed'.
-spec seal(request()) -> answer().
seal(Request) ->
    call(<<"seal">>, Request).

%% @doc Opens a sealed root key. Members: `keys', `owner', `sealed'. The answer has `rootKey', a secret.
-spec open(request()) -> answer().
open(Request) ->
    call(<<"open">>, Request).

%% @doc Returns the version of the library, the number of its documents' version, and the formats of tokens.
-spec version() -> answer().
version() ->
    call(<<"version">>, #{}).

call(Verb, Request) ->
    try
        case onetoken_request:scheduler(Verb, Request) of
            normal -> onetoken_nif:call(Verb, Request);
            dirty -> onetoken_nif:call_dirty(Verb, Request);
            Error -> Error
        end
    catch
        % The stack trace of a function that is missing shows its arguments, and so the secret.
        error:undef -> error(nif_not_loaded)
    end.
