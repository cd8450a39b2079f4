"""Wraps pymacaroons: reads one JSON object per line and answers each with one. See src/peer.rs."""

import json
import sys

from pymacaroons import Macaroon, Verifier
from pymacaroons.macaroon import MACAROON_V1, MACAROON_V2
from pymacaroons.serializers import JsonSerializer

VERSIONS = {"v1": MACAROON_V1, "v1j": MACAROON_V1, "v2": MACAROON_V2, "v2j": MACAROON_V2}


def serializer(form):
    return JsonSerializer() if form.endswith("j") else None


def build(spec, form):
    macaroon = Macaroon(
        location=spec["location"],
        identifier=spec["identifier"].encode(),
        key=bytes.fromhex(spec["secret"]),
        version=VERSIONS[form],
    )
    for caveat in spec["caveats"]:
        third = caveat["third_party"]
        if third is None:
            macaroon.add_first_party_caveat(caveat["cid"])
        else:
            macaroon.add_third_party_caveat(third["location"], bytes.fromhex(third["secret"]), caveat["cid"])
    return macaroon


def make(plan, form):
    root = build(plan["root"], form)
    discharges = [root.prepare_for_request(build(spec, form)) for spec in plan["discharges"]]
    return {
        "root": root.serialize(serializer(form)),
        "discharges": [it.serialize(serializer(form)) for it in discharges],
    }


def check(made, secret, exact, form):
    root = Macaroon.deserialize(made["root"], serializer(form))
    discharges = [Macaroon.deserialize(it, serializer(form)) for it in made["discharges"]]
    verifier = Verifier()
    for predicate in exact:
        verifier.satisfy_exact(predicate)
    if not verifier.verify(root, bytes.fromhex(secret), discharges):
        raise ValueError("not verified")


def answer(question):
    try:
        if "make" in question:
            return {"made": make(question["make"], question["format"])}
        check(question["check"], question["secret"], question["exact"], question["format"])
        return {}
    except Exception as error:  # any exception is a refusal
        return {"error": f"{type(error).__name__}: {error}"}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
