//! A root, third-party caveats and discharges from the same bytes: accepted exactly if a simple model of the caveats
//! and their discharges allows it.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};
use token_core::{
    CaveatKey, CaveatNonce, Context, DecodeOptions, Format, Macaroon, RootKey, UnixTime, Verifier,
};

#[derive(Arbitrary, Debug)]
struct Input {
    root: Vec<Caveat>,
    discharges: Vec<Discharge>,
    format: u8,
    strangers: Vec<Vec<u8>>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Caveat {
    Holds,
    Fails,
    Third { identifier: u8, key: u8 },
}

#[derive(Arbitrary, Clone, Debug)]
struct Discharge {
    identifier: u8,
    key: u8,
    caveats: Vec<Caveat>,
    bind: Bind,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Bind {
    ToRoot,
    ToAnother,
    Not,
    ThenNarrow,
}

fn key(number: u8) -> CaveatKey {
    CaveatKey::from_derived([number; 32])
}

fn add(macaroon: &mut Macaroon, caveats: &[Caveat], nonce: &mut u8) {
    for caveat in caveats {
        match caveat {
            Caveat::Holds => macaroon.attenuate("time < 9"),
            Caveat::Fails => macaroon.attenuate("time < 1"),
            Caveat::Third { identifier, key: number } => {
                *nonce = nonce.wrapping_add(1);
                macaroon.add_third_party(
                    "",
                    &[*identifier],
                    &key(*number),
                    CaveatNonce::from_random([*nonce; 24]),
                )
            }
        }
        .expect("a caveat of at least a byte");
    }
}

/// Whether the model allows it: each discharge that a caveat asks for exists once, under the right key, bound, used
/// once and with nothing left over.
fn expected(input: &Input) -> bool {
    let identifiers: BTreeSet<u8> = input.discharges.iter().map(|it| it.identifier).collect();
    if identifiers.len() != input.discharges.len() || input.discharges.len() > 64 {
        return false;
    }
    let mut used = BTreeSet::new();
    let mut open: Vec<(&Caveat, usize)> = input.root.iter().map(|it| (it, 1)).collect();
    while let Some((caveat, depth)) = open.pop() {
        match caveat {
            Caveat::Holds => {}
            Caveat::Fails => return false,
            Caveat::Third { identifier, key } => {
                let Some(found) = input.discharges.iter().find(|it| it.identifier == *identifier) else {
                    return false;
                };
                if found.key != *key || found.bind != Bind::ToRoot || depth > 32 || !used.insert(*identifier)
                {
                    return false;
                }
                open.extend(found.caveats.iter().map(|it| (it, depth + 1)));
            }
        }
    }
    used.len() == input.discharges.len()
}

fuzz_target!(|input: Input| {
    let root_key = RootKey::from_derived([0xff; 32]);
    let mut nonce = 0;
    let mut root = Macaroon::mint(&root_key, "", b"root").expect("an identifier");
    add(&mut root, &input.root, &mut nonce);
    let other = Macaroon::mint(&root_key, "", b"another root").expect("an identifier");
    let discharges: Vec<Macaroon> = input
        .discharges
        .iter()
        .map(|it| {
            let mut discharge =
                Macaroon::discharge(&key(it.key), "", &[it.identifier]).expect("an identifier");
            add(&mut discharge, &it.caveats, &mut nonce);
            match it.bind {
                Bind::ToRoot => root.bind_discharge(&discharge),
                Bind::ToAnother => other.bind_discharge(&discharge),
                Bind::Not => discharge,
                Bind::ThenNarrow => {
                    let mut bound = root.bind_discharge(&discharge);
                    bound.attenuate("time < 9").expect("a caveat");
                    bound
                }
            }
        })
        .collect();
    // Encode and decode again.
    let format = [Format::V2, Format::V2J][usize::from(input.format % 2)];
    let sent = |macaroon: &Macaroon| {
        let bytes = macaroon.to_bytes(format).expect("a macaroon of short fields");
        Macaroon::from_bytes(bytes, &DecodeOptions::default()).map(|it| it.0)
    };
    let (Ok(root), Ok(mut discharges)) =
        (sent(&root), discharges.iter().map(sent).collect::<Result<Vec<_>, _>>())
    else {
        return; // more caveats than the limit
    };
    let context = Context::at(UnixTime::from_secs(5));
    let verifier = Verifier::new(&context);
    let answer = verifier.verify_with(&root, &discharges, &root_key).map(drop);
    assert_eq!(answer.is_ok(), expected(&input), "{answer:?}");
    discharges.reverse();
    let reversed = verifier.verify_with(&root, &discharges, &root_key).map(drop);
    assert_eq!(reversed.is_ok(), answer.is_ok(), "{reversed:?}");
    let wrong = RootKey::from_derived([0xfe; 32]);
    assert!(verifier.verify_with(&root, &discharges, &wrong).is_err());

    // Macaroons under other keys never help.
    let read = |bytes: &Vec<u8>| Macaroon::from_bytes(bytes.as_slice(), &DecodeOptions::compat()).ok();
    let strangers: Vec<Macaroon> = input.strangers.iter().filter_map(|it| Some(read(it)?.0)).collect();
    if !strangers.is_empty() {
        discharges.extend(strangers);
        assert!(verifier.verify_with(&root, &discharges, &root_key).is_err());
    }
});
