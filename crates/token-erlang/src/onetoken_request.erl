%% @private
%% How much there is to read in a request, and so which scheduler may read it.
-module(onetoken_request).

-export([scheduler/2]).

%% The greatest length of a token, and of a request: those of the library.
-define(MAX_TOKEN, 1048576).
-define(MAX_REQUEST, 4194304).

%% The greatest request that a normal scheduler answers, in half a millisecond. The answer of an inspection is several times
%% as great as its token.
-define(MAX_NORMAL, 32768).
-define(MAX_INSPECTED, 8192).

%% What an item of a list or a map costs beside its bytes.
-define(ITEM, 32).

%% @doc Returns which scheduler may answer a request, or the error of one that is too great to be read. The process pays for
%% what a normal scheduler will do: a native function counts as one reduction, so many in a row would keep others waiting.
-spec scheduler(binary(), term()) -> normal | dirty | {error, {token_too_large, map()}}.
scheduler(_, #{<<"token">> := Token}) when is_binary(Token), byte_size(Token) > ?MAX_TOKEN ->
    {error, {token_too_large, #{<<"limit">> => ?MAX_TOKEN}}};
scheduler(Verb, Request) ->
    case weight(Request, 0) of
        Weight when Verb =:= <<"inspect">>, Weight > ?MAX_INSPECTED, Weight =< ?MAX_NORMAL ->
            dirty;
        Weight when Weight =< ?MAX_NORMAL ->
            erlang:bump_reductions(Weight bsr 4 + 1),
            normal;
        Weight when Weight =< ?MAX_REQUEST ->
            dirty;
        _ ->
            {error, {token_too_large, #{<<"limit">> => ?MAX_REQUEST, <<"reason">> => <<"the request">>}}}
    end.

%% The weight, or one above the greatest. In Erlang it can be preempted.
weight(_, Weight) when Weight > ?MAX_REQUEST -> Weight;
weight(Binary, Weight) when is_bitstring(Binary) -> Weight + byte_size(Binary);
weight([Item | Items], Weight) -> weight(Items, weight(Item, Weight + ?ITEM));
weight(Map, Weight) when map_size(Map) > ?MAX_REQUEST div ?ITEM -> Weight + ?ITEM * map_size(Map);
weight(Map, Weight) when is_map(Map) -> pairs(maps:to_list(Map), Weight);
weight(_, Weight) -> Weight.

pairs([{Key, Value} | Pairs], Weight) -> pairs(Pairs, weight(Value, weight(Key, Weight + ?ITEM)));
pairs([], Weight) -> Weight.
