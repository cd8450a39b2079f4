%% A reader of JSON for the files that all shells are tested by: OTP has one only since 27.
-module(documents).

-export([read/1, read_lines/1]).

%% The document in a file: objects as maps with binaries as keys, null as the atom.
read(Path) ->
    {ok, Text} = file:read_file(Path),
    document(Text).

%% The documents in a file that has one on each line.
read_lines(Path) ->
    {ok, Text} = file:read_file(Path),
    [document(Line) || Line <- binary:split(Text, <<"\n">>, [global, trim_all])].

document(Text) ->
    {Value, Rest} = value(space(Text)),
    <<>> = space(Rest),
    Value.

value(<<"null", Rest/binary>>) -> {null, Rest};
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<$", Rest/binary>>) -> string(Rest, []);
value(<<${, Rest/binary>>) -> object(space(Rest), #{});
value(<<$[, Rest/binary>>) -> array(space(Rest), []);
value(Text) ->
    {match, [{0, Length}]} = re:run(Text, "^-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?", [{capture, first}]),
    <<Number:Length/binary, Rest/binary>> = Text,
    {number(Number), Rest}.

number(Text) ->
    try
        binary_to_integer(Text)
    catch
        error:badarg -> binary_to_float(Text)
    end.

object(<<$}, Rest/binary>>, Members) ->
    {Members, Rest};
object(<<$,, Rest/binary>>, Members) when map_size(Members) > 0 ->
    object(space(Rest), Members);
object(<<$", Rest/binary>>, Members) ->
    {Name, AfterName} = string(Rest, []),
    <<$:, AfterColon/binary>> = space(AfterName),
    {Value, AfterValue} = value(space(AfterColon)),
    false = is_map_key(Name, Members),
    object(space(AfterValue), Members#{Name => Value}).

array(<<$], Rest/binary>>, Items) ->
    {lists:reverse(Items), Rest};
array(<<$,, Rest/binary>>, [_ | _] = Items) ->
    array(space(Rest), Items);
array(Text, Items) ->
    {Item, Rest} = value(Text),
    array(space(Rest), [Item | Items]).

string(<<$", Rest/binary>>, Parts) ->
    {unicode:characters_to_binary(lists:reverse(Parts)), Rest};
string(<<"\\u", High:4/binary, "\\u", Low:4/binary, Rest/binary>>, Parts) ->
    case {binary_to_integer(High, 16), binary_to_integer(Low, 16)} of
        {H, L} when H >= 16#D800, H < 16#DC00 ->
            string(Rest, [16#10000 + ((H - 16#D800) bsl 10) + (L - 16#DC00) | Parts]);
        {H, _} ->
            string(<<"\\u", Low/binary, Rest/binary>>, [H | Parts])
    end;
string(<<"\\u", Code:4/binary, Rest/binary>>, Parts) ->
    string(Rest, [binary_to_integer(Code, 16) | Parts]);
string(<<$\\, Escaped, Rest/binary>>, Parts) ->
    string(Rest, [escaped(Escaped) | Parts]);
string(<<Character/utf8, Rest/binary>>, Parts) ->
    string(Rest, [Character | Parts]).

escaped($n) -> $\n;
escaped($r) -> $\r;
escaped($t) -> $\t;
escaped($b) -> $\b;
escaped($f) -> $\f;
escaped(Character) -> Character.

space(<<Space, Rest/binary>>) when Space =:= $\s; Space =:= $\n; Space =:= $\r; Space =:= $\t -> space(Rest);
space(Text) -> Text.

