"""A million calls leave the resident memory as it is."""

from pathlib import Path

import pytest
from conftest import SECRET

import onetoken


def resident():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is read from /proc")
def test_a_million_calls_leak_nothing():
    token = onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=["time < 2000"])["token"]
    authority = onetoken.Authority(store="memory:")
    access = authority.mint(type="access", issuer="usr-u1", decision="allowed")["token"]
    calls = [
        (onetoken.verify, {"token": token, "secret": SECRET, "context": {"now": 1}}),
        (onetoken.verify, {"token": token, "secret": b"other", "context": {"now": 1}}),
        (onetoken.inspect, {"token": token}),
        (onetoken.inspect, {"token": token[:50]}),
        (onetoken.confine, {"token": token, "caveats": ["time < 5", {"type": "asn", "whitelist": [1, 2]}]}),
        (onetoken.caveat, {"caveat": {"type": "ip", "whitelist": ["10.0.0.0/8", "\ud800"]}}),
        (onetoken.mint, {"secret": bytearray(SECRET), "location": "é", "identifier": "i", "nonsense": {}}),
        (onetoken.needs, {"token": "é" * 100}),
        (onetoken.verify, {"token": token, "secret": {"hex": "ab"}, "context": {"now": 1, "groups": ["a", None]}}),
        (authority.check, {"token": access}),
    ]

    def rounds(count):
        for _ in range(count):
            for function, request in calls:
                try:
                    function(**request)
                except onetoken.OnetokenError:
                    pass

    rounds(2_000)
    before = resident()
    rounds(100_000)
    grown = resident() - before
    assert grown < 1 << 20, f"{grown} bytes more"
