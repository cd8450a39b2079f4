"""Invitations that can be used once: an authority over a store on disk."""

import tempfile
from pathlib import Path

import onetoken
from onetoken.documents import Context, Decision, Document


def decide(questions: list[Document]) -> Decision:
    """Stands for the host's own records: do the subject and the space exist, and may the issuer invite?"""
    for question in questions:
        if question["question"] == "grant" and question["resource"]["id"] == "deleted-space":
            return "resource_gone"
    return "allowed"


def redeem(authority: onetoken.Authority, token: str, provider: str, claim: str) -> str:
    """Spends an invitation for a provider. A retry under the same claim gets the same answer."""
    context: Context = {"consumer": f"prv-{provider}"}
    try:
        checked = authority.check(token=token, expect="space-support", context=context)
        spent = authority.consume(
            token=token, expect="space-support", context=context, decision=decide(checked["questions"]), claim=claim
        )
    except onetoken.OnetokenError as error:
        return error.code
    # Only access and identity tokens have none.
    assert spent["resource"] is not None
    return f"supports {spent['resource']['id']}"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with onetoken.Authority(
            store=f"redb:{place / 'tokens.redb'}", keys={"file": str(place / "keys")}, create=True
        ) as authority:
            minted = authority.mint(type="space-support", target="space1", issuer="usr-ada", decision="allowed")
            assert redeem(authority, minted["token"], "p1", "request 1") == "supports space1"
            assert redeem(authority, minted["token"], "p2", "request 2") == "invite_token_usage_limit_exceeded"

            other = authority.mint(type="space-support", target="space2", issuer="usr-ada", decision="allowed")
            assert authority.revoke(id=other["id"], reason="sent to the wrong person")["outcome"] == "revoked"
            assert redeem(authority, other["token"], "p1", "request 3") == "token_revoked"
            assert [token["uses"] for token in authority.list(issuer="usr-ada")["tokens"]] == [1, 0]


if __name__ == "__main__":
    main()
