"""What a call takes, in microseconds: the least of many rounds. With pymacaroons installed, also what it takes there.

Compare with `cargo run --release -p onetoken-embed --example overhead`, which has the same requests in Rust.
"""

import os
import timeit

import onetoken

try:
    from pymacaroons import Macaroon, Verifier
except ImportError:
    Macaroon = None

SECRET = b"an example secret of 32 bytes or more"
IDENTIFIER = "2/nmd/usr-user-id/act/1234567890example-id"
CAVEATS = [
    "time < 8374891234",
    "ip = 172.98.11.23/32",
    "asn = 322",
    "geo.country = PL|FR",
    "interface = rest",
    "consumer = usr-user-id|grp-group-id",
    "geo.region = Asia|EU",
    "service = ozw-onezone",
]
FACTS = {
    "now": 1_700_000_000,
    "ip": "172.98.11.23",
    "asn": 322,
    "country": "PL",
    "interface": "rest",
    "consumer": "usr-user-id",
    "regions": ["EU"],
    "service": "ozw-onezone",
    "groups": ["g1"],
}


def microseconds(call, number=500, rounds=200):
    return min(timeit.repeat(call, number=number, repeat=rounds)) / number * 1e6


def row(name, call):
    print(f"{name:<32}{microseconds(call):>8.2f}")


def main():
    print(f"load {os.getloadavg()[0]:.1f}, onetoken {onetoken.__version__}")
    for count in (1, 8):
        caveats, context = CAVEATS[:count], FACTS if count > 1 else {"now": FACTS["now"]}

        def mint():
            return onetoken.mint(secret=SECRET, location="onezone.example.com", identifier=IDENTIFIER, caveats=caveats)

        token = mint()["token"]
        row(f"verify, {count} caveats", lambda: onetoken.verify(token=token, secret=SECRET, context=context))
        row(f"mint, {count} caveats", mint)
        row(f"confine, {count} caveats", lambda: onetoken.confine(token=token, caveats=["interface = rest"]))
        row(f"inspect, {count} caveats", lambda: onetoken.inspect(token=token))
        row(f"needs, {count} caveats", lambda: onetoken.needs(token=token))
        if Macaroon:
            text = onetoken.mint(
                secret=SECRET,
                location="onezone.example.com",
                identifier=IDENTIFIER,
                caveats=caveats,
                encoding="base64url",
            )["token"]
            key = SECRET.decode()

            def verify():
                verifier = Verifier()
                for caveat in caveats:
                    verifier.satisfy_exact(caveat)
                return verifier.verify(Macaroon.deserialize(text), key)

            assert verify()
            row(f"pymacaroons verify, {count} caveats", verify)
    row("version", onetoken.version)

    def refused():
        try:
            onetoken.verify(token=token, secret=b"other", context=FACTS)
        except onetoken.OnetokenError:
            pass

    row("verify, refused", refused)
    authority = onetoken.Authority(store="memory:")
    access = authority.mint(type="access", issuer="usr-u1", decision="allowed")["token"]
    row("Authority.check", lambda: authority.check(token=access))


if __name__ == "__main__":
    main()
