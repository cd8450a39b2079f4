"""PostgreSQL: killed servers, a standby that takes over, and tokens that several hosts spend at once."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from .soak import Ledger, Missed, Row

USER = "onetoken"
PROGRAMS = ("initdb", "pg_basebackup", "postgres", "psql")
PATIENCE = 60
THREADS = 16

# How many kills one database takes before a new one is created.
KILLS_OF_ONE_DATABASE = 20

# The errors that a process may report while it cannot reach a server that takes writes.
PASSING = {"unreachable", "io", "read-only"}

# How long a revocation may go unseen, in seconds: the default of CacheConfig::ttl.
BOUND = 3

# With this TTL, in seconds, only a notice makes a cache forget in time.
ENDLESS = 3600

# How many tokens are watched at a time.
WATCHED = 50

PROCESSES = 4
LIMITS = (1, 1, 2, 7)


def programs():
    """The directory of the server's programs, or None: Debian keeps them off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *versions]
    return next((place for place in places if all((place / program).is_file() for program in PROGRAMS)), None)


class Node:
    """A server, its files and its port."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.data = cluster.dir / name
        self.log = cluster.dir / f"{name}.log"
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def init(self):
        self.cluster.tool("initdb", "-D", self.data, "-U", USER, "--auth=trust", "--no-sync", "--locale=C", "-E",
                          "UTF8", "--data-checksums")

    def start(self, **settings):
        """Starts the server and waits until it answers."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "",
                    "max_connections": 300, "shared_buffers": "32MB", **settings}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            # It refuses to start while children of the last server live.
            if self.process is None or self.process.poll() is not None:
                with self.log.open("ab") as log:
                    self.process = self.cluster.spawn("postgres", "-D", self.data, *options, log=log)
            if self.sql("SELECT 1", check=False) == "1":
                return
            time.sleep(0.02)
        raise Missed(f"the server does not start: {self.log.read_text()[-500:]}")

    def sql(self, text, database="postgres", check=True):
        command = [self.cluster.bin / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER,
                   "-d", database, "-c", text]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=PATIENCE, env=self.cluster.environment)
        if check and done.returncode != 0:
            raise Missed(f"{text}: {done.stderr[-300:]}")
        return done.stdout.strip()

    def until(self, question, answer):
        until = time.monotonic() + PATIENCE
        while self.sql(question, check=False) != answer:
            if time.monotonic() > until:
                raise Missed(f"{question} is not {answer}")
            time.sleep(0.02)

    def children(self):
        """The process ids of the server's children, by their titles."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found[int(stat.parent.name)] = (stat.parent / "cmdline").read_text()
            except OSError:
                # Gone meanwhile.
                continue
        return found

    def receiver(self):
        return next((pid for pid, title in self.children().items() if "walreceiver" in title), None)

    def kill(self, children=True):
        """SIGKILL, with or without the processes that serve the clients: these notice that the server is gone."""
        self.process.send_signal(signal.SIGSTOP)
        pids = self.children() if children else ()
        self.process.kill()
        for pid in pids:
            end(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def follow(self, primary):
        """Creates the synchronous standby of a server."""
        shutil.rmtree(self.data, ignore_errors=True)
        where = f"host=127.0.0.1 port={primary.port} user={USER}"
        self.cluster.tool("pg_basebackup", "-D", self.data, "-d", where, "-c", "fast", "-C", "-S", "s1", "--no-sync")
        (self.data / "standby.signal").touch()
        self.start(primary_conninfo=f"{where} application_name=s1", primary_slot_name="s1",
                   wal_retrieve_retry_interval="100ms")
        primary.until("SELECT sync_state FROM pg_stat_replication WHERE application_name = 's1'", "sync")

    def promote(self):
        until = time.monotonic() + PATIENCE
        while self.sql("SELECT pg_is_in_recovery()", check=False) != "f":
            self.sql("SELECT pg_promote(true, 10)", check=False)
            if time.monotonic() > until:
                raise Missed("the standby does not become the primary")


class Cluster:
    """Where servers live: a short path, owned by a user that is not root."""

    def __init__(self, soak):
        self.bin = programs()
        self.environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        self.user = None
        self.nodes = []
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
        self.dir = Path(tempfile.mkdtemp(prefix="otpg-", dir=soak.disk.parent))
        if self.user:
            shutil.chown(self.dir, self.user)
        self.keys = soak.disk / f"{self.dir.name}.keys"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def node(self, name):
        self.nodes.append(Node(self, name))
        return self.nodes[-1]

    def one(self):
        """A new, running server."""
        server = self.node("a")
        server.init()
        server.start()
        return server

    def command(self, program, *arguments):
        # The servers end with the harness.
        privileges = ["--pdeathsig", "QUIT"]
        if self.user:
            account = pwd.getpwnam(self.user)
            privileges += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        return ["setpriv", *privileges, str(self.bin / program), *map(str, arguments)]

    def spawn(self, program, *arguments, log):
        return subprocess.Popen(self.command(program, *arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                cwd=self.dir, env=self.environment)

    def tool(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, cwd=self.dir, env=self.environment, timeout=300, check=False)
        if done.returncode != 0:
            raise Missed(f"{program}: {done.stderr[-300:]}")


class Load:
    """A process of many threads that mints and spends through every failure of its server."""

    def __init__(self, soak, cluster, url):
        self.soak, self.url, self.keys = soak, url, ("--keys", cluster.keys)
        self.victim = soak.victim(url, *self.keys, "--threads", THREADS, "--past-errors", 1 << 31)
        if not self.victim.wait_open():
            raise Missed(f"it did not open: {self.victim.kill()[-1:]}")

    def goes_on(self, since, after):
        """Waits for an acknowledgment after one moment, and returns the longest time since another without one; None
        if there is none."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.victim.process.poll() is None:
            seen = len(self.victim.times)
            told = [since]
            for moment, line in zip(self.victim.times[:seen], self.victim.lines[:seen]):
                if moment > since and line.startswith(("M ", "C ")):
                    told.append(moment)
            if told[-1] > after:
                return max(late - early for early, late in zip(told, told[1:]))
            time.sleep(0.02)
        return None

    def judge(self, row, where, tally):
        """Ends the process and checks the store against what it acknowledged."""
        lines = self.victim.kill()
        ledger = Ledger()
        row.acknowledged += ledger.note(lines)
        pending = set()
        for line in lines:
            what, _, token = line.partition(" ")
            if what == "U":
                tally["in doubt"] += token not in pending
                pending.add(token)
            elif what in ("M", "C"):
                tally["resolved"] += token in pending
                pending.discard(token)
            elif what == "ERR":
                tally[f"errors {token}"] += 1
                if token not in PASSING:
                    row.blame(f"{where}: {line}")
        if ledger.judge(self.soak.check(self.url, *self.keys), row, where):
            self.soak.audit(self.url, row, where, *self.keys)


def kill(soak, engine, runs):
    """kill -9 of the server under sixteen threads, half of the time only of its postmaster."""
    del engine
    row = Row()
    tally, gaps = Counter(), []
    with Cluster(soak) as cluster:
        server = cluster.one()
        while row.runs < runs and not row.wrong:
            database = f"t{row.runs}"
            server.sql(f"CREATE DATABASE {database}")
            load = Load(soak, cluster, f"postgres://{USER}@127.0.0.1:{server.port}/{database}")
            for _ in range(min(KILLS_OF_ONE_DATABASE, runs - row.runs)):
                time.sleep(soak.random.uniform(0.05, 0.4))
                server.kill(children=soak.random.random() < 0.5)
                killed = time.monotonic()
                server.start()
                row.runs += 1
                silent = load.goes_on(killed, time.monotonic())
                if silent is None:
                    row.blame(f"kill {row.runs}: nothing is acknowledged any more")
                    break
                gaps.append(silent)
            load.judge(row, f"after kill {row.runs}", tally)
            server.sql(f"DROP DATABASE {database} WITH (FORCE)")
    return summary(row, tally, gaps)


def failover(soak, engine, runs):
    """The primary is killed and the standby promoted. Every second time the standby received nothing for two seconds,
    in which every wait for it was cut short: a commit of that time on the primary alone must not be acknowledged."""
    del engine
    return take_over(soak, runs, Row(asked="0 lost, 0 revived"))


def unsynced(soak, engine, runs):
    """The control: a primary that waits for no standby must lose data, or the harness detects nothing."""
    del engine
    row = take_over(soak, runs, Row(), synchronous_commit="local")
    # A spend that is lost revives its token.
    row.reached = row.runs == runs and row.lost + row.revived > 0
    row.notes.append(f"as it must: {row.lost} lost, {row.revived} revived; the store refuses it unless told otherwise")
    # A lost token cannot be spent either.
    row.lost = row.revived = row.wrong = 0
    row.details = []
    row.asked = "something is lost"
    return row


def take_over(soak, runs, row, **settings):
    tally, gaps = Counter(), {True: [], False: []}
    with Cluster(soak) as cluster:
        nodes = [cluster.node("a"), cluster.node("b")]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        nodes[0].init()
        while row.runs < runs and (settings or not row.wrong):
            primary, standby = nodes
            primary.stop()
            primary.start(synchronous_standby_names="FIRST 1 (s1)", **settings)
            standby.follow(primary)
            primary.sql(f"CREATE DATABASE t{row.runs}")
            url = f"postgres://{USER}@{hosts}/t{row.runs}"
            if settings:
                status, lines, _, _ = soak.run("check", url, "--keys", cluster.keys)
                if (status, lines) != (3, ["ERR not-durable"]):
                    raise Missed(f"it opened what loses: {status} {lines[-1:]}")
                url += "?durable=no"
            load = Load(soak, cluster, url)
            stopped = bool(settings) or row.runs % 2 == 1
            time.sleep(soak.random.uniform(0.5, 1.5))
            receiver = standby.receiver()
            if stopped:
                os.kill(receiver, signal.SIGSTOP)
                tally["waits cut short"] += cut_short(primary, 2)
            primary.kill()
            killed = time.monotonic()
            if stopped:
                # The data in its socket comes from a machine that is gone: it must not be read.
                end(receiver, signal.SIGKILL)
            standby.promote()
            row.runs += 1
            silent = load.goes_on(killed, time.monotonic())
            if silent is None:
                row.blame(f"failover {row.runs}: nothing is acknowledged any more")
            else:
                gaps[stopped].append(silent)
            time.sleep(0.3)
            load.judge(row, f"failover {row.runs}", tally)
            nodes.reverse()
    summary(row, tally, [])
    if tally["waits cut short"]:
        row.notes.append(f"{tally['waits cut short']} waits for the standby cut short")
    for stopped, times in gaps.items():
        if times:
            row.notes.append(f"refused {spread(times)} s{' with the receiver stopped' if stopped else ''}")
    return row


def cut_short(primary, seconds):
    """Ends the waits for the standby, every second time with the waiting processes, and returns how many."""
    ended = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for how in ("pg_cancel_backend", "pg_terminate_backend"):
            time.sleep(0.05)
            told = primary.sql(f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", check=False)
            ended += told.split().count("t")
    return ended


def contend(soak, engine, runs):
    """Four processes of sixteen connections each spend one token at once."""
    del engine
    row = Row(asked="exactly the use limit")
    with Cluster(soak) as cluster:
        server = cluster.one()
        url = f"postgres://{USER}@127.0.0.1:{server.port}/postgres"
        # Makes the tables.
        soak.check(url, "--keys", cluster.keys)
        command = soak.command("contend", url, "--keys", cluster.keys, "--threads", 64 // PROCESSES)
        hosts = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for _ in range(PROCESSES)]
        try:
            opened = [host.stdout.readline() for host in hosts]
            if opened != ["OPEN\n"] * PROCESSES:
                raise Missed(f"they did not open: {opened}")
            while row.runs < runs and not row.wrong:
                limit = LIMITS[row.runs % len(LIMITS)]
                for host in hosts:
                    host.stdin.write(f"round-{row.runs} {limit}\n")
                    host.stdin.flush()
                answers = [host.stdout.readline() for host in hosts]
                won = sum(int(answer.split()[2]) for answer in answers if answer.startswith("W "))
                if won != limit or not all(answer.startswith("W ") for answer in answers):
                    row.blame(f"round {row.runs}: {won} of {limit}: {answers}")
                row.runs += 1
            connections = server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'onetoken'")
            row.notes.append(f"{connections} connections of {PROCESSES} processes")
        finally:
            for host in hosts:
                host.kill()
                host.wait()
        soak.audit(url, row, "at the end", "--keys", cluster.keys)
    return row


def revoked(soak, engine, runs):
    """Two processes refuse the tokens in their caches that another has revoked: with notices and without."""
    del engine
    row = Row(asked=f"refused by both within {BOUND} s")
    with Cluster(soak) as cluster:
        server = cluster.one()
        url = f"postgres://{USER}@127.0.0.1:{server.port}/postgres"
        # Makes the tables.
        soak.check(url, "--keys", cluster.keys)
        for told, options in (("told", ("--ttl", ENDLESS)), ("untold", ("--ttl", BOUND, "--deaf"))):
            times = refusals(soak, cluster, url, told, options, runs, row)
            row.notes.append(f"{told}: {len(times)} revocations, refused by both after {spread(times, 4)} s")
        soak.audit(url, row, "at the end", "--keys", cluster.keys)
    return row


def refusals(soak, cluster, url, name, options, runs, row):
    """The times, in seconds, from each revocation until both watchers have refused."""
    command = soak.command("revoked", url, "--keys", cluster.keys)
    hosts = [subprocess.Popen([*command, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) for arguments in (("--deaf",), options, options)]
    revoker, *watchers = hosts

    def ask(host, line):
        host.stdin.write(f"{line}\n")
        host.stdin.flush()

    def hear(host, what):
        words = host.stdout.readline().split()
        if words[:1] != [what]:
            raise Missed(f"{name}: instead of {what}: {words}")
        return words[1:]

    try:
        for host in hosts:
            hear(host, "OPEN")
        times = []
        while len(times) < runs:
            count = min(WATCHED, runs - len(times))
            tokens = f"{name}-{len(times)} {count}"
            ask(revoker, f"mint {tokens}")
            hear(revoker, "M")
            for host in watchers:
                ask(host, f"watch {tokens}")
            for host in watchers:
                hear(host, "S")
            ask(revoker, f"revoke {tokens}")
            done = {token: int(when) for token, when in (hear(revoker, "V") for _ in range(count))}
            last = dict.fromkeys(done, 0)
            for token, accepted, refused in (hear(host, "R") for host in watchers for _ in range(count)):
                # A read after the bound is refused, however long the machine takes to make it.
                if int(accepted) >= done[token] + BOUND * 1_000_000:
                    row.blame(f"{name}: {token} was good {(int(accepted) - done[token]) / 1e6} s after it was revoked")
                last[token] = max(last[token], int(refused) - done[token])
            times += [max(took, 0) / 1e6 for took in last.values()]
            row.runs += count
        return times
    finally:
        for host in hosts:
            host.kill()
            host.wait()


def replies(soak, engine, runs):
    """A proxy drops the reply to a spend that took effect: the test of token-test, with this many rounds."""
    del soak, engine
    row = Row(runs=runs, asked="no second use")
    test = "a_reply_that_is_lost_costs_no_second_use"
    done = subprocess.run(
        ["cargo", "test", "--quiet", "-p", "token-test", "--features", "postgres", "--test", "postgres", "--",
         "--exact", test],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3600,
        env={**os.environ, "ONETOKEN_REPLIES": str(runs), "ONETOKEN_REQUIRE_POSTGRES": "1"},
        cwd=Path(__file__).resolve().parents[2])
    if done.returncode != 0 or "1 passed" not in done.stdout:
        row.blame(f"{test}: {done.stdout[-300:]} {done.stderr[-300:]}")
    return row


def summary(row, tally, gaps):
    row.notes.append(f"{tally['in doubt']} in doubt, {tally['resolved']} of them resolved by asking again")
    row.notes += [f"{count} {kind}" for kind, count in sorted(tally.items()) if kind.startswith("errors ")]
    if gaps:
        row.notes.append(f"refused {spread(gaps)} s")
    return row


def spread(seconds, digits=2):
    seconds = sorted(seconds)
    return (f"{seconds[0]:.{digits}f} to {seconds[-1]:.{digits}f}, "
            f"median {seconds[len(seconds) // 2]:.{digits}f}")


def end(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass
