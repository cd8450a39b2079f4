"""What a call takes, in microseconds: the least of many rounds. With pymacaroons installed, also what it takes there.

`cargo build --release -p onetoken-embed --example overhead` builds a program that measures the calls of the Rust
libraries that the requests stand for. Its path as the argument adds their figures, and what Python takes over them.
"""

import os
import subprocess
import sys
import timeit

import onetoken

try:
    from pymacaroons import Macaroon, Verifier
except ImportError:
    Macaroon = None

SECRET = b"an example secret of 32 bytes or more"
LOCATION = "onezone.example.com"
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


def in_rust(program):
    """What the calls of the Rust libraries take, in microseconds, by their names."""
    least = {}
    for _ in range(5):
        shown = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        for line in shown.splitlines():
            if "caveats" in line:
                name, rust, _, _ = line.rsplit(maxsplit=3)
                least[name] = min(least.get(name, float("inf")), float(rust) / 1000)
    return least


def refused(**request):
    try:
        onetoken.verify(**request)
    except onetoken.OnetokenError:
        return
    raise AssertionError


def calls():
    for count in (1, 8):
        caveats, context = CAVEATS[:count], FACTS if count > 1 else {"now": FACTS["now"]}
        mint = {"secret": SECRET, "location": LOCATION, "identifier": IDENTIFIER, "caveats": caveats}
        token = onetoken.mint(**mint)["token"]
        verify = {"token": token, "secret": SECRET, "context": context}
        yield f"verify, {count} caveats", lambda: onetoken.verify(**verify)
        yield f"mint, {count} caveats", lambda: onetoken.mint(**mint)
        yield f"confine, {count} caveats", lambda: onetoken.confine(token=token, caveats=["interface = rest"])
        yield f"inspect, {count} caveats", lambda: onetoken.inspect(token=token)
        yield f"needs, {count} caveats", lambda: onetoken.needs(token=token)
        yield f"preflight, {count} caveats", lambda: onetoken.preflight(token=token, context=context)
        yield f"verify another's, {count} caveats", lambda: refused(**{**verify, "secret": b"other"})
        if Macaroon:
            text, key = onetoken.mint(encoding="base64url", **mint)["token"], SECRET.decode()

            def verify_there():
                verifier = Verifier()
                for caveat in caveats:
                    verifier.satisfy_exact(caveat)
                return verifier.verify(Macaroon.deserialize(text), key)

            assert verify_there()
            yield f"verify in pymacaroons, {count} caveats", verify_there
    yield "bind", lambda: onetoken.bind(root=token, discharge=token)
    yield "caveat", lambda: onetoken.caveat(text="time < 8374891234")
    yield "version", onetoken.version
    authority = onetoken.Authority(store="memory:")
    access = authority.mint(type="access", issuer="usr-u1", decision="allowed")["token"]
    yield "check of an authority", lambda: authority.check(token=access)


def main():
    rust = in_rust(sys.argv[1]) if len(sys.argv) > 1 else {}
    print(f"onetoken {onetoken.__version__}, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<34}{'Python':>8}{'Rust':>8}{'over':>8}")
    for name, call in calls():
        took, there = microseconds(call), rust.get(name)
        print(f"{name:<34}{took:>8.2f}" + (f"{there:>8.2f}{took - there:>8.2f}" if there else ""))


if __name__ == "__main__":
    main()
