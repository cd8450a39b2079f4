//! Every acknowledged write is on disk. strace shows the order in which a process writes, syncs and acknowledges. It
//! also fails the syncs one by one: the store must then report neither a success nor a panic.
//!
//! `ONETOKEN_REQUIRE_STRACE=1` makes it a failure that strace is missing or may not trace.

use std::{
    collections::HashMap,
    env, fs,
    num::NonZeroU64,
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use token_core::UnixTime;
use token_store::{
    Amendment, Entity, Generation, KeyRing, Owner, Revocation, SledStore, StoreError, Terms, TokenStore,
};
use token_test::{
    not_run,
    records::{FOR_GOOD, USE, claim, generation, generation_key, id, record, terms, user},
    stores::{self, Backend, SLED},
};

use crate::tell;

const ROUNDS: u8 = 2;
/// When the tokens expire.
const END: UnixTime = UnixTime::from_secs(1_500_000_001);
// The length of a file is not among them: a write beyond the end is synced with its length, and redb cuts off unused
// space after the sync of the commit that frees it.
const CALLS: &str = "trace=?open,?openat,?mkdir,?mkdirat,?link,?linkat,?write,?writev,?pwrite64,?pwritev,?pwritev2,\
                     ?fsync,?fdatasync";

pub(crate) fn run() {
    if !strace_works() {
        return not_run("ONETOKEN_REQUIRE_STRACE", "an strace that may trace");
    }
    for engine in ["redb", "sled"] {
        acknowledged_is_synced(engine);
        failed_syncs_are_told(engine);
    }
    late_failures_of_sled_are_told();
    failed_reads_of_sled_cost_nothing();
    threads_that_sled_does_not_get_are_told();
}

pub(crate) fn child(what: &str, path: &Path) {
    match what {
        "sled with neighbor" => with_neighbor(path),
        "open sled" => open_sled(path),
        engine => subject(stores::named(engine), path),
    }
}

fn strace_works() -> bool {
    let status =
        Command::new("strace").args(["-f", "-y", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn subject(backend: Backend, path: &Path) {
    let Ok(keys) = KeyRing::create(path.with_file_name("keys")) else {
        tell("failed");
        return tell("closed");
    };
    tell("kept keys");
    match (backend.create)(path) {
        Ok(store) => {
            tell("created");
            if let Err(error) = work(&*store, &keys) {
                // Memory may differ from the disk, so that the store must neither read nor sync again.
                if let StoreError::Unknown(_) = error {
                    let id = id("i");
                    assert!(matches!(store.get(&id), Err(StoreError::Poisoned)));
                    assert!(matches!(store.revoke(&id, &FOR_GOOD), Err(StoreError::Poisoned)));
                }
                tell("failed");
            }
        }
        Err(_) => tell("failed"),
    }
    tell("closed");
}

/// Works on a store while another one of the process is written to.
fn with_neighbor(path: &Path) {
    let neighbor = SledStore::create(path.with_file_name("neighbor")).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let keys = KeyRing::generate().unwrap();
            for number in (1..).take_while(|_| !done.load(Ordering::Relaxed)) {
                let _ = neighbor.raise_generation(user(), &generation(&keys, number)).unwrap();
            }
        });
        subject(SLED, path);
        done.store(true, Ordering::Relaxed);
    });
}

/// Makes every call that changes something, and prints a line after each answer.
fn work(store: &dyn TokenStore, keys: &KeyRing) -> Result<(), StoreError> {
    for number in 0..ROUNDS {
        let id = id(number);
        let [first, second] = ["1", "2"].map(claim);
        let expires = Some(END);
        let terms = Terms { expires, use_limit: NonZeroU64::new(2), ..terms(&id) };
        let (inserted, spent, refunded, revoked) = (
            store.insert(&record(keys, terms)),
            || store.spend(&id, &first, &USE),
            |grant| store.refund(&id, &second, grant),
            || store.revoke(&id, &FOR_GOOD),
        );
        let _ = inserted?;
        tell("inserted");
        let _ = spent()?;
        tell("spent");
        let _ = spent()?;
        tell("spent again");
        let grant = store.spend(&id, &second, &USE)?.grant().unwrap();
        tell("spent");
        let _ = refunded(grant)?;
        tell("refunded");
        let _ = store.spend(&id, &second, &USE)?;
        let _ = store.claimed(&id, &second)?;
        tell("asked");
        let _ = store.revoke(&id, &Revocation { reversible: true, ..FOR_GOOD })?;
        tell("revoked");
        let _ = store.reinstate(&id)?;
        tell("reinstated");
        let _ = revoked()?;
        tell("revoked for good");
        let _ = store.amend(&id, &Amendment { name: Some(Some("a name".into())), metadata: None })?;
        tell("amended");
        let _ = store.raise_generation(user(), &generation(keys, 1))?;
        tell("raised");
        assert_eq!(store.purge(END, 10)?, 1);
        tell("purged");
        let _ = store.insert(&record(keys, terms))?;
        let _ = store.delete(&id)?;
        tell("deleted");
        let _ = store.delete_generation(user())?;
        tell("deleted generation");
    }
    Ok(())
}

/// Runs the subject under strace with these further options. Returns its trace and its output.
fn trace(engine: &str, dir: &Path, options: &[&str]) -> (Trace, Output) {
    let file = dir.join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "64", "-e", CALLS, "-o"])
        .arg(&file)
        .args(options)
        .arg(env::current_exe().unwrap())
        .args(["traced", engine])
        .arg(dir.join("store"))
        .output()
        .unwrap();
    (Trace::read(&fs::read_to_string(file).unwrap(), dir), output)
}

fn acknowledged_is_synced(engine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let (trace, output) = trace(engine, &dir, &[]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().collect::<Vec<_>>(), trace.told, "{engine}: every answer is in the trace");
    assert_eq!(told.lines().count(), 3 + 14 * usize::from(ROUNDS), "{engine}: {told}");
    trace.assert_sound(engine);
    // redb syncs both halves of a commit, so that each answer to a write needs at least two syncs.
    let least = if engine == "redb" { 2 } else { 1 };
    assert!(trace.fewest_syncs >= least, "{engine}: {} syncs for an answer", trace.fewest_syncs);
    println!("{engine}: {} answers, each after a sync of all that was written", trace.told.len());
}

fn failed_syncs_are_told(engine: &str) {
    for at in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (trace, output) =
            trace(engine, &dir, &["-e", &format!("inject=fsync,fdatasync:error=EIO:when={at}+")]);
        assert!(output.status.success(), "{engine}, sync {at} fails: {output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.ends_with("closed\n"), "{engine}, sync {at} fails: {told}");
        trace.assert_sound(&format!("{engine}, sync {at} fails"));
        if !trace.injected {
            assert!(at > 20, "{engine}: only {at} syncs in all of it");
            println!("{engine}: {} failing syncs, each told and none a panic", at - 1);
            return;
        }
    }
}

/// sled writes a batch in two parts, by two threads, and one of them fails after the other is done. In about half of
/// the runs it is the part whose failure wakes no thread.
fn late_failures_of_sled_are_told() {
    let run = |engine: &str, at: u32| {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let output = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=sync_file_range", "-P"])
            .arg(dir.join("store/db"))
            .args(["-e", &format!("inject=sync_file_range:error=EIO:delay_enter=300000:when={at}")])
            .args(["timeout", "60"])
            .arg(env::current_exe().unwrap())
            .args(["traced", engine])
            .arg(dir.join("store"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{engine}, write {at} of each thread fails late: {output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.ends_with("failed\nclosed\n"), "{engine}, write {at} of each thread fails late: {told}");
    };
    // One of sled's seven threads makes the fifth of its own writes among those of all commits.
    let runs = ["sled", "sled with neighbor"].map(|engine| [2, 3, 4, 5].map(|at| (engine, at)));
    thread::scope(|scope| {
        for (engine, at) in runs.as_flattened() {
            scope.spawn(|| run(engine, *at));
        }
    });
    println!("sled: {} writes that fail late, each told", runs.as_flattened().len());
}

/// Opens an existing store.
fn open_sled(path: &Path) {
    match SledStore::open(path) {
        Ok(_) => tell("opened"),
        Err(StoreError::Io(_)) => tell("failed"),
        Err(error) => panic!("{error}"),
    }
}

/// sled overwrites the parts of its log that it cannot read. So we read the whole log before. If any one of those reads
/// fails, the store is unchanged when it is opened again.
fn failed_reads_of_sled_cost_nothing() {
    const RECORDS: u64 = 500;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let (path, keys) = (dir.join("store"), KeyRing::generate().unwrap());
    let store = SledStore::create(&path).unwrap();
    let user = |number: u64| Entity { kind: "user".into(), id: format!("{number}{}", "x".repeat(900)) };
    for number in 0..RECORDS {
        let subject = user(number);
        let owner = Owner::Generation { subject: &subject, number: 1 };
        let root_key = keys.seal(&generation_key(), owner).unwrap();
        let _ = store.raise_generation(&subject, &Generation { number: 1, root_key }).unwrap();
    }
    drop(store);
    let content = || fs::read(path.join("db")).unwrap();
    let open = |options: &[&str]| {
        let output = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=read,pread64,preadv,readv", "-P"])
            .arg(path.join("db"))
            .args(options)
            .args(["timeout", "60"])
            .arg(env::current_exe().unwrap())
            .args(["traced", "open sled"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // sled itself reads at a position.
    let (told, calls) = open(&[]);
    let reads = calls.lines().filter(|line| line.contains("read(")).count();
    assert!(told == "opened\n" && reads > 1, "{reads} reads before sled's own:\n{calls}");
    for at in 1..=reads {
        let before = content();
        let (told, _) = open(&["-e", &format!("inject=read,pread64:error=EIO:when={at}")]);
        assert_eq!(told, "failed\n", "read {at} of {reads}");
        assert!(content() == before, "read {at} of {reads}");
    }
    let store = SledStore::open(&path).unwrap();
    assert!((0..RECORDS).all(|number| store.generation(&user(number)).unwrap().is_some()));
    println!("sled: {reads} reads of its log that fail, each told and nothing lost");
}

/// sled would wait for ever, and the caller that opens the store with it.
fn threads_that_sled_does_not_get_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(SledStore::create(&path).unwrap());
    for from in [1, 2, 8] {
        let output = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=?clone,?clone3", "-e"])
            .arg(format!("inject=?clone,?clone3:error=EAGAIN:when={from}+"))
            .arg(env::current_exe().unwrap())
            .args(["traced", "open sled"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "failed\n", "no thread from the {from}th on");
    }
    drop(SledStore::open(&path).unwrap());
    println!("sled: threads that are not to be had, each told");
}

/// The findings from a trace.
#[derive(Default)]
struct Trace {
    told: Vec<String>,
    /// Lines printed before their effect was on disk.
    faults: Vec<String>,
    /// The smallest number of syncs before any answer.
    fewest_syncs: usize,
    injected: bool,
}

impl Trace {
    fn read(text: &str, dir: &Path) -> Self {
        let mut trace =
            Self { fewest_syncs: usize::MAX, injected: text.contains("(INJECTED)"), ..Self::default() };
        let mut disk = Disk::default();
        let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
        let mut syncs = 0;
        for (at, line) in text.lines().enumerate() {
            let (process, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let (begun, call, result) = if let Some(call) = call.strip_suffix(" <unfinished ...>") {
                unfinished.insert(process, (at, call));
                (at, call, None)
            } else if call.starts_with("<... ") {
                let (begun, beginning) = unfinished.remove(process).unwrap();
                (begun, beginning, call.rsplit_once("= ").map(|(_, result)| result))
            } else if let Some((call, result)) = call.rsplit_once(" = ") {
                (at, call, Some(result))
            } else {
                continue; // a signal, or the end of a thread
            };
            let Some((name, arguments)) = call.split_once('(') else { continue };
            match name {
                "write" if arguments.starts_with("1<") => {
                    if result.is_some() && begun < at {
                        continue; // reported when it began
                    }
                    let line = arguments.split('"').nth(1).unwrap().trim_end_matches("\\n").to_owned();
                    if !matches!(line.as_str(), "failed" | "closed") {
                        let faults = disk.faults(dir).into_iter().map(|fault| format!("{line}: {fault}"));
                        trace.faults.extend(faults);
                        trace.fewest_syncs = trace.fewest_syncs.min(syncs);
                    }
                    syncs = 0;
                    disk.complete |= line == "created";
                    trace.told.push(line);
                }
                "fsync" | "fdatasync" if result == Some("0") => {
                    syncs += 1;
                    disk.synced.insert(opened(arguments).to_owned(), begun);
                }
                "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => {
                    disk.written.insert(opened(arguments).to_owned(), at);
                }
                "open" | "openat" if arguments.contains("O_CREAT") => disk.made(named(arguments, 1), at),
                "mkdir" | "mkdirat" => disk.made(named(arguments, 1), at),
                "link" | "linkat" => {
                    // The file must be whole before it appears under its own name.
                    let (from, to) = (named(arguments, 1), named(arguments, 3));
                    if disk.is_dirty(&disk.written, from) {
                        trace.faults.push(format!("{from} appears as {to} before it is synced"));
                    }
                    disk.made(to, at);
                }
                _ => {}
            }
        }
        trace
    }

    fn assert_sound(&self, run: &str) {
        assert!(self.faults.is_empty(), "{run}:\n{}", self.faults.join("\n"));
    }
}

/// The state of files, by their path: the numbers of the trace lines at which they changed.
#[derive(Default)]
struct Disk {
    written: HashMap<String, usize>,
    /// Directories, by when the last entry was made in them.
    entered: HashMap<String, usize>,
    /// When the last successful sync began.
    synced: HashMap<String, usize>,
    /// Whether the subject has reported that the store exists.
    complete: bool,
}

impl Disk {
    fn made(&mut self, path: &str, at: usize) {
        let parent = Path::new(path).parent().unwrap().to_str().unwrap();
        self.entered.insert(parent.to_owned(), at);
    }

    fn is_dirty(&self, changes: &HashMap<String, usize>, path: &str) -> bool {
        changes.get(path).is_some_and(|changed| self.synced.get(path).is_none_or(|synced| synced < changed))
    }

    /// Returns what is not on disk of the store.
    fn faults(&self, dir: &Path) -> Vec<String> {
        let mut faults = Vec::new();
        let within = |path: &str| Path::new(path).starts_with(dir);
        for path in self.written.keys().filter(|path| within(path) && self.is_dirty(&self.written, path)) {
            let name = Path::new(path).file_name().unwrap().to_str().unwrap();
            // sled does not need its snapshots, and the marker file not the latest number.
            if !(name.starts_with("snap.") || self.complete && name == "onetoken-store") {
                faults.push(format!("{path} is written and not synced"));
            }
        }
        for path in self.entered.keys().filter(|path| within(path)) {
            if self.is_dirty(&self.entered, path) {
                faults.push(format!("{path} has new entries and is not synced"));
            }
        }
        faults
    }
}

/// Returns the path of the descriptor in the first argument.
fn opened(arguments: &str) -> &str {
    arguments.split(['<', '>']).nth(1).unwrap()
}

/// Returns the argument between this quote, counted from 1, and the next.
fn named(arguments: &str, quote: usize) -> &str {
    arguments.split('"').nth(quote).unwrap()
}
