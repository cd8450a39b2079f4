"""Full disks and failing system calls."""

import re
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from . import mounts
from .soak import EXITS, Ledger, Place, Row

PATIENCE = 5.0

# The size of the disk that fills up, and how much of it is free at first, in MiB: sled needs 8 to open.
DISK = 32
FREE = {"redb": (2, 6), "sled": (17, 23)}
# The first of four threads to report may have come after the failed commit; its error says to reopen the store.
MINTING = {"full", "unknown", "io", "poisoned"}
OPENING = {"full", "io"}

# Every call by which a store reads, writes or names a file.
CALLS = """openat read pread64 readv write pwrite64 writev pwritev fsync fdatasync sync_file_range msync
ftruncate fallocate lseek rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat getdents64 statx
newfstatat fstat statfs fstatfs flock fcntl""".split()
OPERATIONS = 50


def full(soak, engine, runs):
    """The disk fills up while four threads mint, and the store is opened on the full disk."""
    row = Row(asked="typed error in 5 s, 0 lost, reopens each time")
    kinds = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory(dir=soak.disk) as scratch:
        for _ in range(runs):
            row.runs += 1
            with mounts.tmpfs(Path(scratch) / "mount", DISK) as at:
                ledger = Ledger()
                url = f"{engine}:{at}/store"
                ballast = at / "ballast"
                free = int(soak.random.uniform(*FREE[engine]) * 1024 * 1024)
                ballast.write_bytes(bytes(DISK * 1024 * 1024 - free))
                victim = soak.victim(url, "--threads", 4)
                lines = victim.end(timeout=180)
                row.acknowledged += ledger.note(lines)
                slowest = max(slowest, _pause_before_error(victim))
                kinds[f"minting {_error(lines)}"] += 1
                if victim.process.returncode != 4 or _error(lines) not in MINTING:
                    row.blame(f"run {row.runs}: status {victim.process.returncode}, {lines[-1:]}")
                mounts.fill(at / "filler")
                status, lines, _, seconds = soak.run("run", url, "--count", 4)
                row.acknowledged += ledger.note(lines)
                slowest = max(slowest, seconds)
                kinds[f"opening {_error(lines) or 'works'}"] += 1
                if status not in (0, 3, 4) or (status != 0 and _error(lines) not in MINTING | OPENING):
                    row.blame(f"run {row.runs}: opened while full: status {status}, {lines[-1:]}")
                (at / "filler").unlink()
                ballast.unlink()
                if ledger.judge(soak.check(url), row, f"run {row.runs}"):
                    status, lines, _, _ = soak.run("run", url, "--count", 10)
                    row.acknowledged += ledger.note(lines)
                    if status != 0:
                        row.blame(f"run {row.runs}: with space again: status {status}, {lines[-1:]}")
                    ledger.judge(soak.check(url), row, f"run {row.runs}, second check")
    if slowest > PATIENCE:
        row.blame(f"an error took {slowest:.1f} s")
    row.notes.append(f"slowest {slowest:.1f} s; {_told(kinds)}")
    return row


def _error(lines):
    return next((line[4:] for line in lines if line.startswith("ERR ")), "")


def _pause_before_error(victim):
    told = list(zip(victim.lines, victim.times, strict=True))
    for (_, before), (line, after) in zip(told, told[1:]):
        if line.startswith("ERR "):
            return after - before
    return 0.0


def _told(kinds):
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))


def io(soak, engine, runs):
    """Each system call of a script of 50 operations fails once with EIO: one run for each. If
    several threads make a call, the Nth of each fails. With a limit, evenly spread calls fail."""
    row = Row(asked="nothing acknowledged after it, before or after, no panic")
    refused = 0

    def judge(where, status, lines, stderr):
        nonlocal refused
        refused += _error(lines) != ""
        # 127: the program's loader failed, and no program ran.
        if status not in EXITS | {127} or status == 1 or status == 0 and _error(lines):
            row.blame(f"{where}: status {status} {lines[-2:]} {stderr[-300:]}")
        if _acknowledged_after(lines):
            row.blame(f"{where}: acknowledged after a failed sync: {lines[-6:]}")

    _each_call(soak, engine, runs, row, "error=EIO", judge)
    row.notes.append(f"{refused} told an error")
    return row


def io_kill(soak, engine, runs):
    """As io, but the process is killed at the call instead."""
    row = Row()

    def judge(where, status, lines, stderr):
        if status not in (0, -signal.SIGKILL, 128 + signal.SIGKILL) or _error(lines):
            row.blame(f"{where}: status {status} {lines[-2:]} {stderr[-300:]}")

    _each_call(soak, engine, runs, row, "signal=KILL", judge)
    return row


def _each_call(soak, engine, runs, row, injected, judge):
    script = ["--threads", 1, "--count", OPERATIONS, "--seed", 1, "--past-errors", 3]
    counts = _count_calls(soak, engine, script)
    faults = [(name, number) for name, count in sorted(counts.items()) for number in range(1, count + 1)]
    total = len(faults)
    row.notes.append(f"{total} calls of {len(counts)} kinds")
    if runs and runs < total:
        faults = [faults[total * index // runs] for index in range(runs)]
    for name, number in faults:
        row.runs += 1
        where = f"{name} {number}"
        with Place(engine, soak.memory) as place:
            inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}",
                      "-e", f"inject={name}:{injected}:when={number}"]
            ledger = Ledger()
            try:
                status, lines, stderr, _ = soak.run("run", place.url, *script, prefix=inject, timeout=60)
            except subprocess.TimeoutExpired as hung:
                row.blame(f"{where}: hangs")
                lines, status, stderr = (hung.stdout or b"").decode().splitlines(), 0, ""
            row.acknowledged += ledger.note(lines)
            judge(where, status, lines, stderr)
            ledger.judge(soak.check(place.url), row, where)


def _count_calls(soak, engine, script):
    with Place(engine, soak.memory) as place:
        log = place.dir / "calls"
        tracing = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
        status, lines, stderr, _ = soak.run("run", place.url, *script, prefix=tracing)
        if status != 0:
            raise OSError(f"strace: {lines[-1:]} {stderr}")
        counts = Counter()
        for line in log.read_text(errors="replace").splitlines():
            found = re.match(r"(\d+)\s+(\w+)\(", line)
            if found:
                counts[found.groups()] += 1
    most = {}
    for (_, name), count in counts.items():
        most[name] = max(most.get(name, 0), count)
    return most


def _acknowledged_after(lines):
    unknown = next((at for at, line in enumerate(lines) if line == "ERR unknown"), len(lines))
    return any(line.startswith(("M ", "C ")) for line in lines[unknown:])
