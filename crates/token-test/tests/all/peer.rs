//! Other libraries to exchange tokens with: plans from which both sides make tokens, and programs that wrap libraries
//! in other languages.
//!
//! A program reads one JSON object per line and answers each with one. The programs are in `crates/token-test/peers`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use macaroon::{MacaroonKey, Verifier};
use serde::{Deserialize, Serialize};
use token_core::{CaveatKey, CaveatNonce, Format, Macaroon};
use token_test::{SplitMix64, hex, oracle};

/// A token and its discharges.
#[derive(Serialize)]
pub(crate) struct Plan {
    pub(crate) root: Spec,
    /// The discharges of its third-party caveats and of each other's.
    pub(crate) discharges: Vec<Spec>,
}

/// The parts of one macaroon.
#[derive(Serialize)]
pub(crate) struct Spec {
    /// The secret that the key is derived from: test data.
    #[serde(serialize_with = "as_hex")]
    pub(crate) secret: Vec<u8>,
    pub(crate) location: String,
    pub(crate) identifier: String,
    pub(crate) caveats: Vec<CaveatSpec>,
}

/// The parts of one caveat.
#[derive(Serialize)]
pub(crate) struct CaveatSpec {
    /// The predicate, or the identifier of the discharge.
    pub(crate) cid: String,
    /// The parts of a third-party caveat; absent for a first-party one.
    pub(crate) third_party: Option<ThirdPartySpec>,
}

/// The additional parts of a third-party caveat.
#[derive(Serialize)]
pub(crate) struct ThirdPartySpec {
    /// The secret that the caveat's key is derived from.
    #[serde(serialize_with = "as_hex")]
    pub(crate) secret: Vec<u8>,
    pub(crate) location: String,
}

/// A token and its bound discharges in one format: JSON as text, other formats in base64.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Made {
    pub(crate) root: String,
    pub(crate) discharges: Vec<String>,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

/// Without zero bytes, which end a text in C.
fn text(random: &mut SplitMix64, most: usize) -> String {
    random.text(most).replace('\0', "\u{1}")
}

impl Plan {
    /// A token with a few caveats, and discharges with a few of their own.
    pub(crate) fn random(random: &mut SplitMix64) -> Self {
        let mut open = Vec::new();
        let mut count = 0;
        let mut spec = |secret: Vec<u8>, identifier: String, random: &mut SplitMix64, open: &mut Vec<_>| {
            let caveats = (0..random.below(5)).map(|_| {
                if count < 6 && random.below(3) == 0 {
                    count += 1;
                    // Identifiers are unique in a request.
                    let cid = format!("{count} {}", text(random, 30));
                    let secret = random.bytes(32);
                    open.push((secret.clone(), cid.clone()));
                    let third_party = Some(ThirdPartySpec { secret, location: text(random, 20) });
                    CaveatSpec { cid, third_party }
                } else {
                    CaveatSpec { cid: text(random, 40), third_party: None }
                }
            });
            let caveats = caveats.collect();
            Spec { secret, location: text(random, 20), identifier, caveats }
        };
        let (secret, identifier) = (random.bytes(32), text(random, 40));
        let root = spec(secret, identifier, random, &mut open);
        let mut discharges = Vec::new();
        while let Some((secret, cid)) = open.pop() {
            discharges.push(spec(secret, cid, random, &mut open));
        }
        Self { root, discharges }
    }

    /// Maps every text, equal texts to equal texts.
    pub(crate) fn for_each_text(&mut self, change: impl Fn(&mut String)) {
        for spec in [&mut self.root].into_iter().chain(&mut self.discharges) {
            change(&mut spec.location);
            change(&mut spec.identifier);
            for caveat in &mut spec.caveats {
                change(&mut caveat.cid);
                caveat.third_party.iter_mut().for_each(|it| change(&mut it.location));
            }
        }
    }

    /// Returns the predicates of all first-party caveats, those of discharges included.
    pub(crate) fn exact(&self) -> Vec<&str> {
        let all = [&self.root].into_iter().chain(&self.discharges).flat_map(|spec| &spec.caveats);
        all.filter(|caveat| caveat.third_party.is_none()).map(|caveat| caveat.cid.as_str()).collect()
    }

    /// Makes the token and its bound discharges with this library.
    pub(crate) fn make(&self, random: &mut SplitMix64) -> (Macaroon, Vec<Macaroon>) {
        let mut make = |spec: &Spec| {
            // A discharge is an ordinary macaroon under the caveat's key.
            let key = CaveatKey::derive_any(&spec.secret);
            let mut macaroon = Macaroon::discharge(&key, &spec.location, spec.identifier.as_bytes()).unwrap();
            for caveat in &spec.caveats {
                match &caveat.third_party {
                    None => macaroon.attenuate(&caveat.cid).unwrap(),
                    Some(third) => {
                        let nonce = random.bytes(24).try_into().unwrap();
                        let key = CaveatKey::derive_any(&third.secret);
                        let cid = caveat.cid.as_bytes();
                        macaroon
                            .add_third_party(&third.location, cid, &key, CaveatNonce::from_random(nonce))
                            .unwrap();
                    }
                }
            }
            macaroon
        };
        let root = make(&self.root);
        let discharges = self.discharges.iter().map(|spec| root.bind_discharge(&make(spec))).collect();
        (root, discharges)
    }
}

/// Another library.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// The formats that the library writes and reads.
    fn formats(&self) -> &'static [Format];

    /// Makes a token and its bound discharges.
    fn make(&mut self, plan: &Plan, format: Format) -> Made;

    /// Reads a token and its discharges and verifies them.
    fn check(&mut self, made: &Made, secret: &[u8], exact: &[&str], format: Format) -> Result<(), String>;
}

/// A library in another language, wrapped by a program.
pub(crate) struct Program {
    name: &'static str,
    formats: &'static [Format],
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    made: Option<Made>,
    error: Option<String>,
}

impl Program {
    /// Starts pymacaroons, if `ONETOKEN_PYTHON` (by default `python3`) has it.
    pub(crate) fn pymacaroons() -> Result<Self, String> {
        let python = std::env::var_os("ONETOKEN_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.arg(driver("peer.py"));
        Self::start("pymacaroons", &[Format::V1, Format::V2, Format::V2J, Format::V1J], command)
    }

    /// Builds go-macaroon in the directory and starts it, if Go and Debian's package of its sources are installed.
    pub(crate) fn go_macaroon(directory: &Path) -> Result<Self, String> {
        let program = directory.join("peer-go");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(driver("peer.go"))
            .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
            .env("GOCACHE", directory.join("go-cache"))
            .output()
            .map_err(|error| format!("go: {error}"))?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned());
        }
        Self::start("go-macaroon", &[Format::V1, Format::V2, Format::V2J, Format::V1J], Command::new(program))
    }

    fn start(name: &'static str, formats: &'static [Format], mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        // The program sends a greeting once its library is loaded.
        let mut hello = String::new();
        output.read_line(&mut hello).map_err(|error| error.to_string())?;
        if hello != "ready\n" {
            let _ = child.wait();
            return Err(format!("{} did not start", command.get_program().display()));
        }
        Ok(Self { name, formats, child, input, output })
    }

    fn ask(&mut self, question: &serde_json::Value) -> Answer {
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "{question}").and_then(|()| input.flush()).expect("the program listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the program answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {line:?}: {error}", self.name))
    }
}

fn driver(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(file)
}

impl Peer for Program {
    fn name(&self) -> &'static str {
        self.name
    }

    fn formats(&self) -> &'static [Format] {
        self.formats
    }

    fn make(&mut self, plan: &Plan, format: Format) -> Made {
        let answer = self.ask(&serde_json::json!({"make": plan, "format": format.as_str()}));
        answer.made.unwrap_or_else(|| panic!("{}: {:?}", self.name, answer.error))
    }

    fn check(&mut self, made: &Made, secret: &[u8], exact: &[&str], format: Format) -> Result<(), String> {
        let answer = self.ask(&serde_json::json!({
            "check": made,
            "secret": hex::encode(secret),
            "exact": exact,
            "format": format.as_str(),
        }));
        answer.error.map_or(Ok(()), Err)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It exits when its input ends.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The oracle's name of a format.
const fn format(format: Format) -> macaroon::Format {
    match format {
        Format::V1 => macaroon::Format::V1,
        Format::V2 => macaroon::Format::V2,
        _ => macaroon::Format::V2JSON,
    }
}

/// The oracle as a peer: in this process, so always available.
pub(crate) struct Crate;

impl Peer for Crate {
    fn name(&self) -> &'static str {
        "macaroon 0.3.0"
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::V1, Format::V2, Format::V2J]
    }

    fn make(&mut self, plan: &Plan, wanted: Format) -> Made {
        oracle::initialize();
        let make = |spec: &Spec| {
            let key = MacaroonKey::generate(&spec.secret);
            let mut token = macaroon::Macaroon::create(
                Some(spec.location.clone()),
                &key,
                spec.identifier.as_str().into(),
            )
            .expect("the oracle mints any identifier that is not empty");
            for caveat in &spec.caveats {
                match &caveat.third_party {
                    None => token.add_first_party_caveat(caveat.cid.as_str().into()),
                    Some(third) => token.add_third_party_caveat(
                        &third.location,
                        &MacaroonKey::generate(&third.secret),
                        caveat.cid.as_str().into(),
                    ),
                }
            }
            token
        };
        let write = |token: &macaroon::Macaroon| {
            token.serialize(format(wanted)).expect("the oracle writes what it minted")
        };
        let root = make(&plan.root);
        let bound = |spec| {
            let mut discharge = make(spec);
            root.bind(&mut discharge);
            write(&discharge)
        };
        Made { root: write(&root), discharges: plan.discharges.iter().map(bound).collect() }
    }

    fn check(&mut self, made: &Made, secret: &[u8], exact: &[&str], _: Format) -> Result<(), String> {
        oracle::initialize();
        let read = |text: &String| {
            assert!(
                text.len() <= 2 * oracle::MAX_LEN,
                "{} characters might overflow the oracle's stack",
                text.len()
            );
            macaroon::Macaroon::deserialize(text).map_err(|error| format!("{error:?}"))
        };
        let mut verifier = Verifier::default();
        exact.iter().for_each(|predicate| verifier.satisfy_exact((*predicate).into()));
        let discharges = made.discharges.iter().map(read).collect::<Result<_, _>>()?;
        verifier
            .verify(&read(&made.root)?, &MacaroonKey::generate(secret), discharges)
            .map_err(|error| format!("{error:?}"))
    }
}
