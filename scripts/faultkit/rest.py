"""Stores damaged at rest, paths that hold something else, and stores that are already open."""

import contextlib
import os
import random
import shutil
import socket
import stat
from collections import Counter
from pathlib import Path

from . import mounts
from .soak import Ledger, Place, Row

REFUSALS = {"corrupt", "not-a-store", "newer-version"}
PAGE = 4096
PROMPT = 1.0


def damage(soak, engine, runs):
    """One flipped bit, one truncation or one zeroed page in a copy of a closed store; this many of each."""
    row = Row(asked="0 wrong answers: corrupt or unaffected")
    outcomes = Counter()
    with Place(engine, soak.memory) as place:
        _, lines, _, _ = soak.run("run", place.url, "--threads", 4, "--count", 400)
        ledger = Ledger()
        row.acknowledged = ledger.note(lines)
        truth = {token for token, last in ledger.last.items() if last == "M"}
        whole = [place.dir / "written", place.dir / "reopened"]
        for copy in whole:
            # A store that was reopened after writing has another layout on disk.
            _copy(place.path, copy)
            if soak.check(place.url).spendable != dict.fromkeys(truth, True):
                row.blame("the whole store does not answer as it acknowledged")
        files = {copy: sorted(file for file in [copy, *copy.rglob("*")] if file.is_file()) for copy in whole}
        occupied = {file: _not_zero(file) for group in files.values() for file in group}
        for name, harm in (("bit", _flip), ("cut", _cut), ("page", _zero)):
            for number in range(runs):
                row.runs += 1
                copy = whole[number % 2]
                file = soak.random.choices(files[copy], [len(occupied[file]) + 1 for file in files[copy]])[0]
                bytes_now = bytearray(file.read_bytes())
                what = harm(soak.random, bytes_now, occupied[file])
                _remove(place.path)
                _copy(copy, place.path)
                (place.path / file.relative_to(copy) if copy.is_dir() else place.path).write_bytes(bytes_now)
                where = f"{what} of {file.relative_to(place.dir)}"
                outcomes[f"{name} {_answer(soak, place.url, truth, row, where)}"] += 1
    row.notes.append(", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items())))
    return row


def _answer(soak, url, truth, row, where):
    checked = soak.check(url, timeout=60)
    wrong = set(checked.spendable) - truth
    if wrong:
        row.revived += len(wrong)
        row.detail(f"{where}: {len(wrong)} tokens that nobody can spend")
    if checked.status == 0:
        missing = truth - set(checked.spendable)
        if missing:
            row.lost += len(missing)
            row.detail(f"{where}: {len(missing)} tokens are silently gone")
        sealed = sum(not sound for sound in checked.spendable.values())
        return "seal" if sealed else "unaffected"
    if checked.status != 3 or checked.kind not in REFUSALS:
        row.blame(f"{where}: status {checked.status} {checked.kind} {checked.stderr[-300:]}")
    return checked.kind or f"status {checked.status}"


def _not_zero(file):
    return [at for at, byte in enumerate(file.read_bytes()) if byte]


def _flip(random, content, occupied):
    if not occupied:
        return "nothing"
    at, bit = random.choice(occupied), random.randrange(8)
    content[at] ^= 1 << bit
    return f"bit {bit} of byte {at}"


def _cut(random, content, occupied):
    # Mostly in the written part: engines reserve far more than they fill.
    end = random.choice(occupied) if occupied and random.random() < 0.8 else random.randrange(len(content) + 1)
    del content[end:]
    return f"the end from byte {end}"


def _zero(random, content, occupied):
    at = random.choice(occupied) // PAGE * PAGE if occupied else 0
    content[at:at + PAGE] = bytes(len(content[at:at + PAGE]))
    return f"page at {at}"


def _copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def second(soak, engine, runs):
    """A second process opens a store that the first one holds; then the first is killed."""
    row = Row(asked="already-open in 1 s, opens after the kill")
    slowest = 0.0
    for _ in range(runs):
        row.runs += 1
        with Place(engine, soak.disk) as place:
            ledger = Ledger()
            victim = soak.victim(place.url, "--threads", 2)
            try:
                opened = victim.wait_open()
                checked = soak.check(place.url)
            finally:
                lines = victim.kill()
            row.acknowledged += ledger.note(lines)
            slowest = max(slowest, checked.seconds)
            if not opened or (checked.status, checked.kind) != (3, "already-open") or checked.seconds > PROMPT:
                row.blame(f"run {row.runs}: {checked.status} {checked.kind} in {checked.seconds:.2f} s")
            ledger.judge(soak.check(place.url), row, f"run {row.runs}")
    row.notes.append(f"slowest refusal {slowest:.2f} s")
    return row


OPENS = "opens"
CORRUPT = {"corrupt", "not-a-store"}


def places(soak, engine, runs):
    """Directories and files that are empty, foreign, newer, incomplete or read-only."""
    del runs
    row = Row(asked="typed error, nothing touched, no empty store over data")
    for name, prepare, expected in [*CASES, *ENGINE_CASES[engine]]:
        row.runs += 1
        with Place(engine, soak.memory) as place, contextlib.ExitStack() as stack:
            keys = ("--keys", place.dir / "keys")
            prepared = prepare(soak, place, stack)
            if prepared is None:
                row.notes.append(f"SKIPPED, needs root: {name}")
                continue
            path, truth, prefix = prepared
            before = _content(path)
            # Twice, since a refused open must not leave an empty store for the next one.
            for asked in ("", ", asked again"):
                checked = soak.check(f"{engine}:{path}", *keys, timeout=30, prefix=prefix)
                _expect(checked, f"{name}{asked}", expected, truth, row)
                # sled writes its snapshot before the store can detect that something is missing.
                if checked.kind not in ("", "corrupt") and _content(path) != before:
                    row.blame(f"{name}{asked}: what stood there has changed")
    return row


def _expect(checked, name, expected, truth, row):
    answer = OPENS if checked.status == 0 else checked.kind
    if answer not in expected or checked.status not in (0, 3):
        row.blame(f"{name}: {checked.status} {answer}, not one of {sorted(expected)} {checked.stderr[-200:]}")
    if checked.seconds > PROMPT:
        row.blame(f"{name}: took {checked.seconds:.1f} s")
    found = set(checked.spendable)
    if answer == OPENS and found != truth:
        row.lost += len(truth - found)
        row.revived += len(found - truth)
        row.detail(f"{name}: opened with {len(found)} tokens of {len(truth)}")


def _content(path):
    """The content of a path, by name and bytes."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except OSError as error:
        return error.errno
    if kind == stat.S_IFDIR:
        return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file() and file.stat().st_size}
    return path.read_bytes() if kind == stat.S_IFREG else kind


def _filled(soak, place, engine=None):
    """A store with some tokens, and which of them can be spent."""
    url = f"{engine or place.engine}:{place.path}"
    _, lines, _, _ = soak.run("run", url, "--keys", place.dir / "keys", "--count", 30)
    ledger = Ledger()
    ledger.note(lines)
    return {token for token, last in ledger.last.items() if last == "M"}


def _case(act, truth=frozenset()):
    def prepare(soak, place, stack):
        del soak, stack
        act(place.path)
        return place.path, set(truth), ()
    return prepare


def _after(act):
    """Something done to a filled store."""
    def prepare(soak, place, stack):
        del stack
        truth = _filled(soak, place)
        act(place.path)
        return place.path, truth, ()
    return prepare


def _at(path_of):
    def prepare(soak, place, stack):
        del soak, stack
        return path_of(place.dir), set(), ()
    return prepare


def _of_other_engine(soak, place, stack):
    del stack
    _filled(soak, place, "sled" if place.engine == "redb" else "redb")
    return place.path, set(), ()


def _foreign_sled(soak, place, stack):
    del stack
    _filled(soak, place, "sled-unguarded")
    return place.path, set(), ()


def _read_only(with_store):
    def prepare(soak, place, stack):
        if os.geteuid() != 0:
            return None
        at = stack.enter_context(mounts.tmpfs(place.dir / "mount", 32))
        inner = Place(place.engine, at)
        inner.dir = at
        truth = set()
        if with_store:
            _, lines, _, _ = soak.run("run", inner.url, "--keys", place.dir / "keys", "--count", 30)
            truth = {line[2:] for line in lines if line.startswith("M ")} - {
                line[2:] for line in lines if line.startswith("C ")}
        mounts.call("mount", "-o", "remount,ro", str(at))
        return inner.path, truth, ()
    return prepare


def _cut_to(length):
    return _after(lambda path: os.truncate(path, length))


def _write(content):
    return lambda path: path.write_bytes(content)


def _within(name, act):
    return lambda path: act(path / name)


def _newer(path):
    marker = path / "onetoken-store"
    marker.write_bytes(marker.read_bytes().replace(b"store 1\n", b"store 2\n"))


def _foreign_file(path):
    path.mkdir()
    (path / "letter.txt").write_text("dear all")


def _loop(path):
    path.symlink_to(path)


def _fifo(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        # The path may be longer than a socket address allows.
        with contextlib.chdir(path.parent):
            listener.bind(path.name)


def _linked(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _moved_within(path):
    path.rename(path.with_name("elsewhere"))
    path.mkdir()
    path.with_name("elsewhere").rename(path / "store")


def _within_a_file(soak, place, stack):
    del soak, stack
    place.path.write_bytes(b"dear all\n")
    return place.path / "store", set(), ()


CASES = [
    ("a text file", _case(_write(b"dear all\n" * 100)), CORRUPT),
    ("zeros", _case(_write(bytes(1 << 20))), CORRUPT),
    ("an empty file", _case(_write(b"")), CORRUPT),
    ("a directory with a letter in it", _case(_foreign_file), CORRUPT),
    ("a store of the other engine", _of_other_engine, CORRUPT),
    ("a sled database of another program", _foreign_sled, CORRUPT),
    ("a link to itself", _case(_loop), {"io", "not-a-store"}),
    ("a pipe", _case(_fifo), CORRUPT | {"io"}),
    ("a device", _at(lambda _: Path("/dev/null")), CORRUPT | {"io"}),
    ("a socket", _case(_socket), CORRUPT | {"io"}),
    ("a link to nothing", _case(lambda path: path.symlink_to("nothing")), {"not-found", "io"}),
    ("a link to a store", _after(_linked), {OPENS}),
    ("a directory with a store in it", _after(_moved_within), CORRUPT),
    ("a database of SQLite", _case(_write(b"SQLite format 3\0" + bytes(8176))), CORRUPT),
    ("noise", _case(_write(random.Random(1).randbytes(1 << 20))), CORRUPT),
    ("ones", _case(_write(b"\xff" * (1 << 20))), CORRUPT),
    ("a single byte", _case(_write(b"r")), CORRUPT),
    ("a file in place of its directory", _within_a_file, {"io", "not-a-store"}),
    ("no parent directory", _at(lambda parent: parent / "none" / "store"), {"io"}),
    ("a name that is too long", _at(lambda parent: parent / ("x" * 300)), {"io"}),
    ("a read-only mount with a store", _read_only(True), {"read-only"}),
    ("a read-only mount without one", _read_only(False), {"read-only"}),
]

MAGIC = b"redb\x1a\x0a\xa9\x0d\x0a"

ENGINE_CASES = {
    "redb": [
        ("an empty directory", _case(Path.mkdir), CORRUPT),
        ("a file that only begins as redb", _case(_write(MAGIC + bytes(64))), CORRUPT),
        ("a store cut to nothing", _cut_to(0), CORRUPT),
        ("a store cut to its magic number", _cut_to(9), CORRUPT),
        ("a store cut to its header", _cut_to(320), CORRUPT),
        ("a store cut to a page", _cut_to(4096), CORRUPT),
        ("a store cut in the middle", _cut_to(100_000), CORRUPT),
        ("a draft that was never published",
         _case(lambda path: path.with_name("store.0123456789abcdef.new").write_bytes(MAGIC)), {OPENS}),
        ("a store with zeros behind it", _after(lambda path: os.truncate(path, 64 << 20)), {OPENS, "corrupt"}),
    ],
    "sled": [
        ("an empty directory", _case(Path.mkdir), {OPENS}),
        ("a newer version", _after(_newer), {"newer-version"}),
        ("a store without its marker", _after(_within("onetoken-store", Path.unlink)), CORRUPT),
        ("a store whose marker is empty", _after(_within("onetoken-store", _write(b""))), CORRUPT),
        ("a store whose marker is cut", _after(_within("onetoken-store", lambda file: os.truncate(file, 9))), CORRUPT),
        ("a store without its log", _after(_within("db", Path.unlink)), CORRUPT),
        ("a store whose log is empty", _after(_within("db", _write(b""))), CORRUPT),
        ("a store without its settings", _after(_within("conf", Path.unlink)), CORRUPT),
        ("a store whose settings are empty", _after(_within("conf", _write(b""))), {OPENS, "corrupt"}),
        ("a snapshot left half made",
         _after(_within("snap.FFFFFFFFFFFFFFFF.generating", _write(b""))), {OPENS}),
        ("a marker and nothing else",
         _case(lambda path: (path.mkdir(), (path / "onetoken-store").write_bytes(b""))), {OPENS}),
        ("a store without its directory of blobs", _after(_within("blobs", Path.rmdir)), {OPENS, "corrupt"}),
    ],
}
