//! Caveats and tokens read and judged as Onedata's own library does (`docs/spec/deviations.md` lists the exceptions).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use token_core::{
    Caveat, DecodeOptions, Macaroon, Place, Predicate, PredicateBuf, RootKey, Token, TokenType, Verifier,
    VerifyError,
};
use token_test::ctool::{self, CaveatText};

const DEVIATIONS: &str = include_str!("../../../../docs/spec/deviations.md");

/// The rows of the list: a caveat's text, with escapes, and the difference.
fn listed() -> BTreeMap<String, String> {
    let rows = DEVIATIONS.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [text, difference, reason] = cells[..] else { panic!("not three cells: {row}") };
        assert!(reason.len() > 20, "no reason: {row}");
        (text.trim_matches('`').to_owned(), difference.to_owned())
    })
    .collect()
}

/// How the library differs from Onedata on this text, if it does.
fn difference(case: &CaveatText) -> Option<&'static str> {
    let Some(predicate) = Predicate::read(&case.text) else { return case.reads.then_some("unknown here") };
    if !case.reads {
        return Some("read here");
    }
    if case.writes.as_deref() != Some(predicate.to_string().as_bytes()) {
        return Some("written differently");
    }
    let json = serde_json::to_string(&predicate).unwrap();
    if Some(serde_json::from_str::<Value>(&json).unwrap()) != case.json {
        return Some("other JSON");
    }
    // Values of JSON do not distinguish a large number from the nearest double.
    let written = predicate.to_string();
    let numbers = written.strip_prefix("time < ").or_else(|| written.strip_prefix("asn = "));
    let exact = numbers.is_none_or(|numbers| numbers.split('|').all(|number| json.contains(number)));
    (!exact).then_some("nearest double in JSON")
}

#[test]
fn all_texts_are_read_and_written_as_onedata_does() {
    let cases = ctool::caveats();
    assert_eq!(cases.len(), 142);
    let found: BTreeMap<String, String> = cases
        .iter()
        .filter_map(|case| Some((case.text.escape_ascii().to_string(), difference(case)?.to_owned())))
        .collect();
    assert_eq!(found, listed());
}

/// What the library writes into new tokens, Onedata would as well. Ids of objects apart: it computes their checksum.
#[test]
fn new_caveats_are_sane() {
    let mut new = 0;
    for case in ctool::caveats().iter().filter(|case| case.reads) {
        let Ok(text) = str::from_utf8(&case.text) else { continue };
        if let Some(written) = PredicateBuf::read(text).filter(|_| !text.starts_with("data.objectid")) {
            assert!(case.sane, "{text}");
            assert_eq!(Some(written.as_ref()), case.writes.as_deref());
            new += 1;
        }
    }
    assert!(new > 40, "{new}");
}

fn caveat(macaroon: &Macaroon, at: Place) -> Value {
    let caveat = macaroon.caveats().nth(at.index).unwrap();
    serde_json::to_value(caveat.read().unwrap()).unwrap()
}

#[test]
fn all_verdicts_agree() {
    let cases = ctool::verdicts();
    assert_eq!(cases.len(), 640);
    let mut before_the_signature = 0;
    for (number, case) in cases.iter().enumerate() {
        let token = Token::decode(&case.token, &DecodeOptions::default()).unwrap();
        let (macaroon, identifier, context) = (token.macaroon(), token.identifier(), case.context());
        let token_type = identifier.v2().unwrap().token_type;
        let supported = token_type.purpose().caveat_types(&identifier, context.scope);
        let verifier = Verifier::new(&context).supporting(supported);
        let verify =
            |secret: &str| verifier.verify(macaroon, &RootKey::derive_any(secret.as_bytes())).map(drop);
        let answer = match verify(&case.secret) {
            Ok(()) => {
                let session = match token_type {
                    TokenType::Access { session } => session,
                    _ => None,
                };
                json!({ "ok": true, "session": session })
            }
            Err(VerifyError::BadSignature) => json!({ "error": "token_invalid" }),
            Err(VerifyError::WrongSession) => json!({ "error": "token_session_invalid" }),
            Err(VerifyError::CaveatUnmet { at, .. } | VerifyError::CaveatUnsupported { at }) => {
                json!({ "unverified": caveat(macaroon, at) })
            }
            Err(other) => panic!("{number}: {other}"),
        };
        // Onedata judges caveats before the signature. Nothing is said of a forged token here.
        let forged = case.secret != case.minted_with;
        if forged && case.verdict.get("unverified").is_some() {
            assert_eq!(answer, json!({ "error": "token_invalid" }), "{number}");
            before_the_signature += 1;
        } else {
            assert_eq!(answer, case.verdict, "{number}");
        }

        // Explanations and preflights judge alike.
        let explained =
            verifier.explain(macaroon, &[], &RootKey::derive_any(case.minted_with.as_bytes())).unwrap();
        let genuine = verify(&case.minted_with);
        assert_eq!(explained.answer, genuine, "{number}");
        assert!(explained.findings.iter().map(|it| Some(it.caveat)).eq(macaroon.caveats().map(
            |it| match it {
                Caveat::FirstParty { predicate } => Some(predicate),
                Caveat::ThirdParty { .. } => None,
            }
        )));
        if let Some(refuted) = verifier.preflight(macaroon) {
            assert!(genuine.is_err(), "{number}: {refuted}");
        }
    }
    assert_eq!(before_the_signature, 64);
}
