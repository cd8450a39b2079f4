%% The cases that every shell runs: each request has its answer or its error.
-module(cases_tests).

-include_lib("eunit/include/eunit.hrl").

cases_test_() ->
    Cases = documents:read("../token-embed/tests/cases.json"),
    Documents = [Case || #{<<"request">> := _} = Case <- Cases],
    % The others are about JSON.
    ?assert(length(Documents) > 60),
    ?assert(length(Cases) - length(Documents) < 8),
    [{binary_to_list(Name), fun() -> ?assertEqual(expected(Case), answer(Verb, Request)) end}
     || #{<<"name">> := Name, <<"verb">> := Verb, <<"request">> := Request} = Case <- Documents].

answer(<<"version">>, Request) when Request =:= #{} ->
    onetoken:version();
answer(<<"mend">>, Request) ->
    onetoken_nif:call(<<"mend">>, Request);
answer(Verb, Request) ->
    onetoken:(binary_to_existing_atom(Verb))(Request).

expected(#{<<"answer">> := Answer}) ->
    {ok, Answer};
expected(#{<<"error">> := #{<<"code">> := Code, <<"detail">> := Detail}}) when Detail =:= #{} ->
    {error, binary_to_atom(Code)};
expected(#{<<"error">> := #{<<"code">> := Code, <<"detail">> := Detail}}) ->
    {error, {binary_to_atom(Code), Detail}}.

%% Every code of the list is the atom of its name, and no error has a member that the list does not name.
errors_are_listed_test() ->
    Listed = maps:from_list([{Code, Members} || #{<<"code">> := Code, <<"detail">> := Members} <-
        documents:read("../token-embed/errors.json")]),
    Errors = [Error || #{<<"error">> := Error} <- documents:read("../token-embed/tests/cases.json")],
    ?assert(length(Errors) > 30),
    [?assertEqual([], maps:keys(Detail) -- maps:get(Code, Listed))
     || #{<<"code">> := Code, <<"detail">> := Detail} <- Errors].

the_application_has_the_version_of_the_library_test() ->
    {ok, [{application, onetoken, Keys}]} = file:consult("src/onetoken.app.src"),
    {ok, #{<<"package">> := Version}} = onetoken:version(),
    ?assertEqual(list_to_binary(proplists:get_value(vsn, Keys)), Version).
