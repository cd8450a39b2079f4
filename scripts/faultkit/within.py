"""Tests without accidents: races, histories, clocks, changing keys, and a store that must stay small."""

import os
import re
import subprocess
from pathlib import Path

from .soak import Place, Row

MEBIBYTE = 1024 * 1024
SPACE = 64 * MEBIBYTE
GROWTH = 1.10
CLOCK_TESTS = [
    "authority::an_expired_token_stays_expired_when_the_clock_goes_back",
    "clock::what_has_expired_stays_expired_in_memory",
    "clock::what_has_expired_stays_expired_in_redb",
    "clock::what_has_expired_stays_expired_in_sled",
]


def race(soak, engine, runs):
    """64 threads spend one token at once."""
    row = Row(runs=runs, asked="exactly the use limit")
    with Place(engine, soak.disk) as place:
        status, lines, stderr, _ = soak.run("race", place.url, "--threads", 64, "--count", runs, timeout=4 * 3600)
    if (status, lines) != (0, [f"RACE {runs} 0"]):
        row.blame(f"status {status}: {lines[-3:]} {stderr[-300:]}")
    return row


def model(soak, engine, runs):
    """Random calls of eight threads: some order of its calls must explain each token's history."""
    row = Row(runs=runs, asked="linearizable for each token")
    # This tests order, not durability: memory suffices and is faster.
    with Place(engine, soak.memory) as place:
        seed = soak.random.randrange(1 << 63)
        status, lines, stderr, _ = soak.run(
            "model", place.url, "--threads", 8, "--count", runs, "--seed", seed, timeout=4 * 3600)
    found = re.fullmatch(r"MODEL (\d+) 0", lines[-1] if lines else "")
    if status != 0 or not found:
        row.blame(f"seed {seed}: status {status}: {lines[-3:]} {stderr[-300:]}")
    else:
        row.runs = int(found[1])
    return row


def clock(soak, engine, runs):
    """The clock goes back, forward and before 1970: the tests of token-api, which run on every store."""
    del soak, engine, runs
    row = Row(runs=len(CLOCK_TESTS), asked="expired stays expired, no panic")
    done = subprocess.run(
        ["cargo", "test", "--quiet", "-p", "onetoken-api", "--all-features", "--test", "all", "--", "--exact",
         *CLOCK_TESTS],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1800,
        cwd=Path(__file__).resolve().parents[2])
    if done.returncode != 0 or f"{row.runs} passed" not in done.stdout:
        row.blame(f"{done.stdout[-300:]} {done.stderr[-300:]}")
    row.notes.append(", ".join(CLOCK_TESTS))
    return row


def churn(soak, engine, runs):
    """Mints, spends and purges this many tokens: the disk stays small, and memory flat."""
    row = Row(runs=runs, asked="disk under 64 MiB, memory within 10 % over the second half")
    samples = []
    with Place(engine, soak.memory) as place:
        process = subprocess.Popen(
            soak.command("churn", place.url, "--threads", 8, "--count", runs),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            for line in process.stdout:
                if line.startswith("S "):
                    sample = int(line[2:]), _disk(place.path), _resident(process.pid)
                    samples.append(sample)
                else:
                    row.blame(line.strip())
            process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    # The process may have ended at the last sample.
    samples = [sample for sample in samples if sample[2]]
    if process.returncode != 0 or len(samples) < 2:
        row.blame(f"status {process.returncode} after {len(samples)} samples")
        return row
    disk = max(size for _, size, _ in samples)
    late = [resident for pair, _, resident in samples if pair >= runs // 2]
    row.notes.append(
        f"disk at most {disk / MEBIBYTE:.1f} MiB; resident {late[0] / MEBIBYTE:.1f} MiB halfway, "
        f"{min(late) / MEBIBYTE:.1f} to {max(late) / MEBIBYTE:.1f} after")
    row.reached = disk <= SPACE and max(late) <= GROWTH * late[0]
    return row


def _disk(path):
    files = [path] if path.is_file() else path.rglob("*")
    size = 0
    for file in files:
        try:
            size += file.stat().st_blocks * 512
        except OSError:
            # Gone meanwhile.
            continue
    return size


def _resident(pid):
    try:
        return int((Path(f"/proc/{pid}/statm").read_text()).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
