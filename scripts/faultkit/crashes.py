"""Killed processes and power cuts."""

import tempfile
import time
from pathlib import Path

from . import mounts
from .soak import Ledger, Place, Row

# How many crashes one store takes before a new store is created.
KILLS_OF_ONE_STORE = 100
CUTS_OF_ONE_STORE = 30
# How many cuts the control may make until it loses data.
CONTROLS = 10

# How often a rekeying is killed.
REKEYS = 50


def kill(soak, engine, runs):
    """kill -9 of a process of four threads, mostly during its work and sometimes while it opens the store."""
    row = Row()
    while row.runs < runs:
        with Place(engine, soak.disk) as place:
            ledger = Ledger()
            for _ in range(min(KILLS_OF_ONE_STORE, runs - row.runs)):
                victim = soak.victim(place.url, "--threads", 4)
                if soak.random.random() < 0.8:
                    victim.wait_open()
                    time.sleep(soak.random.uniform(0, 0.12))
                else:
                    time.sleep(soak.random.uniform(0, 0.03))
                row.acknowledged += ledger.note(victim.kill())
                row.runs += 1
                if not ledger.judge(soak.check(place.url), row, f"kill {row.runs}"):
                    break
            soak.audit(place.url, row, f"after kill {row.runs}")
    return row


def power(soak, engine, runs):
    """The disk loses power while four threads write."""
    row = Row()
    spoiled = 0
    with tempfile.TemporaryDirectory(dir=soak.disk) as scratch:
        image, at = Path(scratch) / "image", Path(scratch) / "mount"
        while row.runs < runs:
            mounts.make_ext4(image, 256)
            ledger = Ledger()
            url = f"{engine}:{at}/store"
            for _ in range(min(CUTS_OF_ONE_STORE, runs - row.runs)):
                before = row.lost + row.revived + row.failed_opens
                with mounts.loop(at, image):
                    victim = soak.victim(url, "--threads", 4)
                    try:
                        if soak.random.random() < 0.9:
                            victim.wait_open()
                            time.sleep(soak.random.uniform(0, 0.15))
                        else:
                            time.sleep(soak.random.uniform(0, 0.05))
                        victim.stop()
                        mounts.cut_power(at)
                    finally:
                        lines = victim.kill()
                    row.acknowledged += ledger.note(lines)
                row.runs += 1
                with mounts.loop(at, image):
                    opened = ledger.judge(soak.check(url), row, f"cut {row.runs}")
                if row.lost + row.revived + row.failed_opens > before:
                    spoiled += 1
                    ledger = Ledger()
                    mounts.make_ext4(image, 256)
                elif not opened:
                    break
            # The control has no check of its own.
            if engine != "sled-unguarded":
                with mounts.loop(at, image):
                    soak.audit(url, row, f"after cut {row.runs}")
    row.notes.append(f"{spoiled} cuts lost something")
    return row


def rekey(soak, engine, records):
    """A rekeying that is killed fifty times while it runs; then the old keys are removed."""
    row = Row(asked=f"0 of {records} records unreadable or left on an old key")
    with Place(engine, soak.disk) as place:
        # A little more than half of all operations are mints.
        _, lines, _, _ = soak.run("run", place.url, "--threads", 64, "--count", records * 2, timeout=3600)
        ledger = Ledger()
        row.acknowledged = ledger.note(lines)
        minted = sum(line.startswith("M ") for line in lines)
        rotate, steps, whole = ["--rotate"], 0, 0.5
        while row.runs < REKEYS:
            victim = soak.victim(place.url, *rotate, verb="rekey")
            victim.wait_open()
            time.sleep(soak.random.uniform(0, whole))
            finished = victim.process.poll() is not None
            steps += len(victim.kill())
            # This one finished before the kill: the next starts over with a new key and is killed sooner.
            rotate = ["--rotate"] if finished else []
            if finished:
                whole *= 0.8
                if victim.process.returncode != 0:
                    row.blame(f"kill {row.runs}: status {victim.process.returncode} {victim.lines[-1:]}")
                    break
                continue
            row.runs += 1
            if not ledger.judge(soak.check(place.url), row, f"kill {row.runs}"):
                break
        status, lines, stderr, _ = soak.run("rekey", place.url, "--remove-old", timeout=3600)
        if status != 0:
            row.blame(f"the last rekeying: status {status} {lines[-1:]} {stderr[-300:]}")
        ledger.judge(soak.check(place.url), row, "with the newest key alone")
        soak.audit(place.url, row, "with the newest key alone")
    row.notes.append(f"{minted} records, {steps} steps in all")
    row.reached = row.runs == REKEYS
    return row


def control(soak, engine, runs):
    """The same cuts on plain sled: they must lose data, or the harness detects nothing."""
    del engine
    row = Row(asked="something is lost")
    lost = revived = unopened = 0
    # Nothing is lost if the file system happened to write its journal in time. That depends on the other work of the
    # machine, so it happens many times in a row.
    for _ in range(CONTROLS):
        cuts = power(soak, "sled-unguarded", runs)
        row.runs += cuts.runs
        row.acknowledged += cuts.acknowledged
        lost, revived, unopened = lost + cuts.lost, revived + cuts.revived, unopened + cuts.failed_opens
        row.reached = lost + revived + unopened > 0
        if row.reached:
            break
    row.notes.append(f"as it must: {lost} lost, {revived} revived, {unopened} did not open")
    return row
