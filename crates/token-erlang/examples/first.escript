#!/usr/bin/env escript
%% Mints a token, confines it and verifies it. In the directory above, after `make`: escript examples/first.escript
%%! -pa ebin
main(_) ->
    Secret = <<"an example secret of 32 bytes or more">>,
    {ok, #{<<"token">> := Token}} = onetoken:mint(#{<<"secret">> => Secret, <<"location">> => <<"onezone">>,
        <<"identifier">> => <<"id1">>, <<"caveats">> => [<<"time < 2000">>]}),
    {ok, #{<<"token">> := Confined}} = onetoken:confine(#{<<"token">> => Token, <<"caveats">> => [<<"ip = 10.0.0.0/8">>]}),
    Context = #{<<"now">> => 1999, <<"ip">> => <<"10.1.2.3">>},
    Request = #{<<"token">> => Confined, <<"secret">> => Secret, <<"context">> => Context},
    {ok, #{<<"valid">> := true}} = onetoken:verify(Request),
    {error, {token_caveat_unverified, #{<<"index">> := 0, <<"reason">> := <<"expired">>}}} =
        onetoken:verify(Request#{<<"context">> := Context#{<<"now">> := 2000}}),
    io:format("~s~n", [Confined]).
