"""Drives token-soak and compares what a store has with what it acknowledged."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

OPEN_SECONDS = 60
EXITS = {0, 1, 3, 4, 5}


class Missed(Exception):
    """A harness step that could not be done: no verdict about the store."""


@dataclass
class Row:
    """The outcome of one fault on one engine."""

    runs: int = 0
    lost: int = 0
    revived: int = 0
    failed_opens: int = 0
    wrong: int = 0
    acknowledged: int = 0
    asked: str = "0 lost, 0 revived, 0 failed opens"
    notes: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    # The requirements of the row beyond zeros.
    reached: bool = True

    @property
    def ok(self):
        return self.reached and not (self.lost or self.revived or self.failed_opens or self.wrong)

    def blame(self, what):
        """Counts an event that must not happen, and keeps the first few as text."""
        self.wrong += 1
        self.detail(what)

    def detail(self, what):
        if len(self.details) < 10:
            self.details.append(what)


@dataclass
class Checked:
    """The output of token-soak check."""

    status: int
    kind: str
    spendable: dict
    seconds: float
    stderr: str


@dataclass
class Soak:
    """The program under test and its working directory."""

    program: Path
    disk: Path
    memory: Path
    random: random.Random

    def command(self, verb, url, *arguments):
        return [str(self.program), verb, "--store", url, *map(str, arguments)]

    def run(self, verb, url, *arguments, timeout=120, prefix=(), **options):
        """Runs to the end, and returns status, lines, standard error and seconds."""
        begun = time.monotonic()
        done = subprocess.run(
            [*prefix, *self.command(verb, url, *arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False, **options,
        )
        return done.returncode, done.stdout.splitlines(), done.stderr, time.monotonic() - begun

    def check(self, url, *arguments, **options):
        status, lines, stderr, seconds = self.run("check", url, *arguments, **options)
        spendable = {}
        kind = ""
        for line in lines:
            what, _, rest = line.partition(" ")
            if what == "K":
                token, _, sound = rest.rpartition(" ")
                spendable[token] = sound == "true"
            elif what == "ERR":
                kind = rest
        return Checked(status, kind, spendable, seconds, stderr)

    def victim(self, url, *arguments, verb="run"):
        return Victim(self.command(verb, url, *arguments))

    def audit(self, url, row, where, *arguments):
        """Runs the store's own check of records, claims, indexes and seals."""
        status, lines, stderr, _ = self.run("audit", url, *arguments, timeout=3600)
        if status != 0:
            row.blame(f"{where}: audit: status {status} {lines[-4:]} {stderr[-300:]}")


class Ledger:
    """The last acknowledgment of each token: M, B or C."""

    def __init__(self):
        self.last = {}

    def note(self, lines):
        acknowledged = 0
        for line in lines:
            what, _, token = line.partition(" ")
            if what in ("M", "B", "C", "U"):
                # The outcome is unknown.
                self.last[token] = "B" if what == "U" else what
                acknowledged += what in ("M", "C")
        return acknowledged

    def judge(self, checked, row, where):
        """Adds lost and revived tokens to the row. False if the store did not open."""
        if checked.status != 0:
            row.failed_opens += 1
            row.detail(f"{where}: did not open: status {checked.status} {checked.kind} {checked.stderr[-300:]}")
            return False
        for token, last in self.last.items():
            sound = checked.spendable.get(token)
            if last == "M" and not sound:
                row.lost += 1
                row.detail(f"{where}: {token} was minted and is {'damaged' if sound is False else 'lost'}")
            elif last == "C" and sound is not None:
                row.revived += 1
                row.detail(f"{where}: {token} was spent and is back")
            elif sound is False:
                row.blame(f"{where}: the seal of {token} fails")
        # From now on it is known whether a token with an unknown outcome exists.
        for token, last in list(self.last.items()):
            if last == "B":
                self.last[token] = "M" if token in checked.spendable else "C"
        # Minted, but the process was killed before it printed the line: from now on the token is known.
        for token in checked.spendable:
            self.last.setdefault(token, "M")
        return True


class Victim:
    """A token-soak run that will be interrupted."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.lines = []
        self.times = []
        self.opened = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            # The last line of a killed process may be incomplete: it does not count.
            if line.endswith("\n"):
                self.lines.append(line[:-1])
                self.times.append(time.monotonic())
            if line == "OPEN\n":
                self.opened.set()
        self.opened.set()

    def wait_open(self):
        """Whether it opened the store."""
        self.opened.wait(OPEN_SECONDS)
        return "OPEN" in self.lines

    def stop(self):
        """Stops every thread, so that nothing is acknowledged from now on."""
        self.process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                tasks = list(Path(f"/proc/{self.process.pid}/task").iterdir())
                states = {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks}
            except OSError:
                return
            if states <= {"T", "t", "Z", "X"}:
                return
            time.sleep(0.001)
        raise Missed("the process does not stop")

    def kill(self):
        """Ends it with SIGKILL and reads its remaining output."""
        self.process.kill()
        return self.end()

    def end(self, timeout=120):
        """Waits for its end."""
        try:
            self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.reader.join(timeout=10)
        return self.lines


class Place:
    """A temporary directory for one store."""

    def __init__(self, engine, parent):
        self.engine = engine
        self.dir = Path(parent) / f"store-{os.getpid()}-{time.monotonic_ns()}"

    def __enter__(self):
        self.dir.mkdir(parents=True)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def path(self):
        return self.dir / "store"

    @property
    def url(self):
        return f"{self.engine}:{self.path}"
