%% @private
%% The native functions. Call them by `onetoken' and `onetoken_authority', which decide what may run on a normal scheduler.
-module(onetoken_nif).

-export([call/2, call_dirty/2, authority_open/2, authority_call/3, authority_send/4, authority_close/1]).

-nifs([call/2, call_dirty/2, authority_open/2, authority_call/3, authority_send/4, authority_close/1]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(priv_dir(), ?MODULE_STRING), 0).

%% The library beside this module is the one that was built with it. Another version may be installed elsewhere.
priv_dir() ->
    Beside = case code:which(?MODULE) of
        Beam when is_list(Beam) -> filename:join(filename:dirname(filename:dirname(Beam)), "priv");
        _ -> ""
    end,
    case {filelib:is_regular(filename:join(Beside, ?MODULE_STRING ".so")), code:priv_dir(onetoken)} of
        {false, Dir} when is_list(Dir) -> Dir;
        _ -> Beside
    end.

call(_Verb, _Request) ->
    erlang:nif_error(not_loaded).

call_dirty(_Verb, _Request) ->
    erlang:nif_error(not_loaded).

authority_open(_Request, _ByMessage) ->
    erlang:nif_error(not_loaded).

authority_call(_Handle, _Verb, _Request) ->
    erlang:nif_error(not_loaded).

authority_send(_Handle, _Reference, _Verb, _Request) ->
    erlang:nif_error(not_loaded).

authority_close(_Handle) ->
    erlang:nif_error(not_loaded).
