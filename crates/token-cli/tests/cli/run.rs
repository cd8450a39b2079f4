//! Helpers to run the program.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;
use token_core::UnixTime;
use token_store::{Administration, Entity, Item, KeyRing, Terms};
use token_test::records;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_onetoken");

/// The engines that this program was built with.
pub(crate) const ENGINES: &[&str] = if cfg!(feature = "sled") { &["redb", "sled"] } else { &["redb"] };

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// The one document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let [line] = self.lines()[..] else { panic!("one line of output expected: {self:?}") };
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    pub(crate) fn documents(&self) -> Vec<Value> {
        self.lines().into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The token alone, as it is printed for people.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        let token = self.out.strip_suffix('\n').unwrap();
        assert!(!token.contains(char::is_whitespace), "{token:?}");
        token.to_owned()
    }

    /// The cursor or the like from standard error, where people see it.
    pub(crate) fn told_after(&self, words: &str) -> Option<String> {
        let (_, rest) = self.err.split_once(words)?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The kind of error, which the document and the exit code agree on.
    #[track_caller]
    pub(crate) fn error(&self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let document = self.json();
        assert!(!document["error"]["message"].as_str().unwrap().is_empty());
        assert!(!self.err.is_empty(), "people are told as well: {self:?}");
        document["error"]["kind"].as_str().unwrap().to_owned()
    }
}

/// The program, with a clean environment.
pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with nothing on standard input.
pub(crate) fn onetoken<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    finish(command(args).spawn().unwrap())
}

/// Runs it with this on standard input.
pub(crate) fn piped<S: AsRef<OsStr>>(
    input: impl Into<Vec<u8>>,
    args: impl IntoIterator<Item = S>,
) -> Outcome {
    feed(&mut command(args), input)
}

pub(crate) fn feed(command: &mut Command, input: impl Into<Vec<u8>>) -> Outcome {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.into();
    // The program may stop reading before the end.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let outcome = finish(child);
    writer.join().unwrap();
    outcome
}

pub(crate) fn finish(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let outcome =
        Outcome { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!outcome.err.contains("panicked"), "{outcome:?}");
    outcome
}

/// A raw token under the secret `example`.
pub(crate) fn raw(caveats: &[&str]) -> String {
    let head = ["mint", "raw", "--location", "onezone", "--identifier", "id7", "--secret", "example"];
    let caveats = caveats.iter().flat_map(|caveat| ["--caveat", caveat]);
    onetoken(head.into_iter().chain(caveats)).token()
}

/// A home of its own.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    /// An empty home, made by `init` over this store.
    pub(crate) fn over(engine: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        let url = format!("{engine}:{}", home.path().join("store").display());
        home.made(&url)
    }

    /// A home over the store of this URL.
    #[cfg(feature = "postgres")]
    pub(crate) fn on(url: &str) -> Self {
        Self { dir: tempfile::tempdir().unwrap() }.made(url)
    }

    fn made(self, url: &str) -> Self {
        self.run(["init", "--store", url]).done();
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(args);
        command.env("ONETOKEN_HOME", self.path());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        finish(self.command(args).spawn().unwrap())
    }

    /// The key ring of the file.
    pub(crate) fn keys(&self) -> KeyRing {
        KeyRing::load(self.path().join("keys")).unwrap()
    }

    /// Opens the store at this path of the home through the library. Not by `token_test::stores`, which brings sled along
    /// unasked.
    pub(crate) fn open(&self, engine: &str, path: impl AsRef<Path>) -> Box<dyn Administration> {
        let path = self.path().join(path);
        match engine {
            #[cfg(feature = "sled")]
            "sled" => Box::new(token_store::SledStore::open(path).unwrap()),
            _ => Box::new(token_store::RedbStore::open(path).unwrap()),
        }
    }

    /// Puts this many tokens into the store, faster than by minting each.
    pub(crate) fn fill(&self, engine: &str, count: u32) {
        let (store, keys) = (self.open(engine, "store"), self.keys());
        let item = |number: u32| {
            let id = records::id(format!("token-{number:06}"));
            let resource = Entity::space(format!("s{}", number % 7));
            let created = UnixTime::from_secs(1_700_000_000);
            let terms = Terms { resource: Some(&resource), created, ..records::terms(&id) };
            Item::Token { record: records::record(&keys, terms), claims: Vec::new() }
        };
        for from in (0..count).step_by(1000) {
            let items = (from..count.min(from + 1000)).map(item).collect::<Vec<_>>();
            assert_eq!(store.restore(&items).unwrap(), items.len());
        }
    }

    /// Spends a token as a provider.
    pub(crate) fn consume(&self, token: &str, more: &[&str]) -> Outcome {
        let args = ["consume", token, "--expect", "space-support", "--consumer", "prv-p1", "--json"];
        self.run(args.iter().chain(more))
    }
}
