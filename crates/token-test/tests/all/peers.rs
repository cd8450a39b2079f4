//! A thousand random tokens in each direction with each other library, with caveats, third-party caveats and
//! discharges, in every format that the library has.
//!
//! A library that is not installed is named on standard error; with `ONETOKEN_REQUIRE_PEERS=1` the test fails.

use std::{path::Path, process::Command};

use token_core::{Context, DecodeOptions, Encoding, Format, Macaroon, RootKey, UnixTime, Verifier};
use token_test::SplitMix64;

use crate::peer::{Crate, Made, Peer, Plan, Program};

/// In each format and each direction.
const TOKENS: usize = 1000;

fn verify(root: &Macaroon, discharges: &[Macaroon], plan: &Plan, secret: &[u8]) -> Result<(), String> {
    let exact: Vec<&[u8]> = plan.exact().into_iter().map(str::as_bytes).collect();
    let context = Context::at(UnixTime::MAX);
    Verifier::new(&context)
        .exact(&exact)
        .verify_with(root, discharges, &RootKey::derive_any(secret))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn exchange(peer: &mut impl Peer) {
    let name = peer.name();
    let mut random = SplitMix64::new(5);
    for format in peer.formats().iter().copied() {
        let mut discharges = 0;
        for number in 0..TOKENS {
            let mut plan = Plan::random(&mut random);
            // It writes the number of characters where a packet's length in bytes belongs.
            if (name, format) == ("pymacaroons", Format::V1) {
                plan.for_each_text(|text| *text = text.replace(|it: char| !it.is_ascii(), "?"));
            }
            discharges += plan.discharges.len();
            let context = format!("{name}, {}, token {number}", format.as_str());
            let other = random.bytes(32);
            // Skip v1J towards peers: this library does not write it.
            if format != Format::V1J {
                ours_there(peer, &plan, format, &other, &mut random)
                    .unwrap_or_else(|error| panic!("{context}: from here to there: {error}"));
            }
            let made = peer.make(&plan, format);
            theirs_here(&made, &plan, format, &other)
                .unwrap_or_else(|error| panic!("{context}: from there to here: {error}: {made:?}"));
        }
        assert!(discharges > TOKENS / 2, "{discharges} discharges");
    }
}

fn ours_there(
    peer: &mut impl Peer,
    plan: &Plan,
    format: Format,
    other: &[u8],
    random: &mut SplitMix64,
) -> Result<(), String> {
    let (root, discharges) = plan.make(random);
    let write = |macaroon: &Macaroon| {
        let text = macaroon.to_text(format, Encoding::Base64Url).unwrap();
        respelled(peer.name(), format, text)
    };
    let made = Made { root: write(&root), discharges: discharges.iter().map(write).collect() };
    let exact = plan.exact();
    peer.check(&made, &plan.root.secret, &exact, format)?;
    match peer.check(&made, other, &exact, format) {
        Err(_) => Ok(()),
        Ok(()) => Err("another key verifies".into()),
    }
}

/// Adapts valid output that a library cannot read.
fn respelled(name: &str, format: Format, text: String) -> String {
    match (name, format) {
        // It reads `i64` and `v64` in the other alphabet and `s64` in this one, padded, and in no other way.
        ("macaroon 0.3.0", Format::V2J) => {
            let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let pad = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
            let signature = pad(document["s64"].as_str().unwrap());
            document["s64"] = signature.into();
            for caveat in document["c"].as_array_mut().unwrap() {
                if let Some(vid) = caveat["v64"].as_str() {
                    caveat["v64"] = pad(vid).replace('-', "+").replace('_', "/").into();
                }
            }
            document.to_string()
        }
        _ => text,
    }
}

fn theirs_here(made: &Made, plan: &Plan, format: Format, other: &[u8]) -> Result<(), String> {
    let options = DecodeOptions::default();
    let read = |text: &String| {
        let (macaroon, spelling) = Macaroon::from_text(text, &options).map_err(|error| error.to_string())?;
        match spelling.format == format {
            true => Ok(macaroon),
            false => Err(format!("read as {:?}", spelling.format)),
        }
    };
    let root = read(&made.root)?;
    let discharges = made.discharges.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    verify(&root, &discharges, plan, &plan.root.secret)?;
    if verify(&root, &discharges, plan, other).is_ok() {
        return Err("another key verifies".into());
    }
    // Any of its macaroons in any of our formats is the same macaroon.
    for format in [Format::V1, Format::V2, Format::V2J] {
        let convert = |macaroon: &Macaroon| {
            let bytes = macaroon.to_bytes(format).map_err(|error| error.to_string())?;
            Macaroon::from_bytes(bytes, &DecodeOptions::default())
                .map(|it| it.0)
                .map_err(|error| error.to_string())
        };
        let discharges = discharges.iter().map(convert).collect::<Result<Vec<_>, _>>()?;
        verify(&convert(&root)?, &discharges, plan, &plan.root.secret)?;
    }
    Ok(())
}

fn exchange_if_there(name: &str, peer: Result<Program, String>) {
    match peer {
        Ok(mut peer) => exchange(&mut peer),
        Err(why) => token_test::not_run("ONETOKEN_REQUIRE_PEERS", &format!("{name}: {why}")),
    }
}

#[test]
fn the_crate_macaroon() {
    exchange(&mut Crate);
}

#[test]
fn pymacaroons() {
    exchange_if_there("pymacaroons", Program::pymacaroons());
}

#[test]
fn go_macaroon() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    exchange_if_there("go-macaroon", Program::go_macaroon(directory));
}

#[test]
fn a_library_that_is_missing_is_named_where_it_is_seen() {
    for (required, passes) in [("0", true), ("1", false)] {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "peers::pymacaroons"]).env("ONETOKEN_PYTHON", "/nowhere/python");
        let done = test.env("ONETOKEN_REQUIRE_PEERS", required).output().unwrap();
        assert_eq!(done.status.success(), passes, "{done:?}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(!passes || said.contains("NOT RUN: peers::pymacaroons: "), "{said}");
    }
}
