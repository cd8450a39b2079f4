//! Laws of tokens, on random tokens, caveats and requests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use token_core::{
    Caveat, CaveatTypes, Context, DecodeError, DecodeOptions, EncodeError, Encoding, Format, Identifier,
    LegacyType, Macaroon, Place, Predicate, PredicateBuf, RootKey, Session, Token, UnixTime, Verifier,
    VerifyError, inspect,
};
use token_test::text;

use crate::strategies::{
    Damage, Recipe, caveat, caveat_types, damage, facts, identifier, legacy_type, near_predicate, opaque_id,
    predicate, prefix, recipe, token_like_text, wild_identifier,
};

const ENCODINGS: [Encoding; 2] = [Encoding::Base62, Encoding::Base64Url];

fn decode(text: &str) -> Result<Token, DecodeError> {
    Token::decode(text, &DecodeOptions::default())
}

fn read(bytes: impl Into<Vec<u8>>) -> Result<Macaroon, DecodeError> {
    Macaroon::from_bytes(bytes, &DecodeOptions::default()).map(|(macaroon, _)| macaroon)
}

/// All fields of a macaroon except its location.
fn signed(macaroon: &Macaroon) -> (Vec<u8>, Vec<Vec<u8>>, [u8; 32]) {
    let caveats = macaroon.caveats().map(|caveat| match caveat {
        Caveat::FirstParty { predicate } => predicate.to_vec(),
        Caveat::ThirdParty { identifier, vid, .. } => [vid, identifier].concat(),
    });
    (macaroon.identifier().to_vec(), caveats.collect(), *macaroon.signature().expose())
}

/// A text is read or refused, and the report on it is consistent either way.
fn the_report_is_consistent(text: &str) -> Result<(), TestCaseError> {
    let options = DecodeOptions::default();
    let inspection = match (decode(text), inspect(text, &options)) {
        (Ok(token), Ok(inspection)) => {
            prop_assert_eq!(inspection.signature().unwrap().expose(), token.macaroon().signature().expose());
            prop_assert_eq!(inspection.caveats().len(), token.macaroon().caveats().len());
            inspection
        }
        (Err(error), Err(damage)) => {
            prop_assert_eq!(&damage.error, &error);
            prop_assert!(!damage.to_string().is_empty());
            let len = match error.unit() {
                "character" => text.chars().count(),
                _ => damage.partial.len(),
            };
            prop_assert!(error.offset() <= len, "{}", error);
            *damage.partial
        }
        (decoded, inspected) => {
            return Err(TestCaseError::fail(format!("{decoded:?} and {inspected:?} of {text:?}")));
        }
    };
    let report = serde_json::to_value(inspection.report(UnixTime::from_secs(1)).with_signature()).unwrap();
    prop_assert_eq!(&report["verified"], false);
    Ok(())
}

/// The only texts of one encoding that spell the same bytes differ in padding and in the two alphabets of base64.
fn canonical(text: &str) -> String {
    let (prefix, body) = match text.get(..4) {
        Some(prefix @ ("opw-" | "opp-")) => (prefix, text.get(4..).unwrap_or_default()),
        _ => ("", text),
    };
    let body = match decode(text).unwrap().encoding() {
        Encoding::Base62 => text::canonical_base62(body),
        _ => body.trim_end_matches('=').replace('+', "-").replace('/', "_"),
    };
    format!("{prefix}{body}")
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(recipe in recipe()) {
        let macaroon = recipe.mint();
        let bytes = macaroon.to_bytes(Format::V1).unwrap();
        let back = read(bytes.clone()).unwrap();
        prop_assert_eq!(signed(&back), signed(&macaroon));
        prop_assert_eq!(back.location(), recipe.location.as_bytes());
        prop_assert_eq!(back.to_bytes(Format::V1).unwrap(), bytes);
    }

    #[test]
    fn texts_come_out_as_they_went_in(recipe in recipe(), prefix in prefix()) {
        let macaroon = recipe.mint();
        let prefix = prefix.map(|kind| format!("{}-", kind.as_str())).unwrap_or_default();
        for encoding in ENCODINGS {
            let text = format!("{prefix}{}", macaroon.to_text(Format::V1, encoding).unwrap());
            let token = decode(&text).unwrap();
            prop_assert_eq!(token.encoding(), encoding);
            prop_assert_eq!(token.encode().unwrap(), text);
            prop_assert_eq!(signed(token.macaroon()), signed(&macaroon));
        }
    }

    #[test]
    fn text_is_spelled_as_the_specification_spells_it(recipe in recipe()) {
        let macaroon = recipe.mint();
        let bytes = macaroon.to_bytes(Format::V1).unwrap();
        prop_assert_eq!(macaroon.to_text(Format::V1, Encoding::Base62).unwrap(), text::base62(&bytes));
        prop_assert_eq!(macaroon.to_text(Format::V1, Encoding::Base64Url).unwrap(), text::base64url(&bytes));
    }

    #[test]
    fn identifiers_are_read_as_they_were_written(owned in identifier()) {
        let identifier = owned.as_deref();
        let text = identifier.write().unwrap();
        prop_assert_eq!(Identifier::read(text.as_bytes()), Ok(Identifier::V2(identifier)));
    }

    /// What can be written reads back the same, with any text in its parts.
    #[test]
    fn no_part_of_an_identifier_spills_into_another(owned in wild_identifier()) {
        let identifier = owned.as_deref();
        if let Ok(text) = identifier.write() {
            prop_assert_eq!(Identifier::read(text.as_bytes()), Ok(Identifier::V2(identifier)));
        }
    }

    /// Except for the parameters of `ssp`, which are written as they have been since 21.02.
    #[test]
    fn identifiers_are_written_as_they_were_read(owned in identifier(), damage in damage(any::<u8>())) {
        let damaged = damage.apply(owned.as_deref().write().unwrap().as_bytes());
        if let Ok(Identifier::V2(identifier)) = Identifier::read(&damaged) {
            let written = identifier.write().unwrap();
            let without = |bytes: &[u8]| {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                let mut parts: Vec<String> = text.split('/').map(String::from).collect();
                if let Some(kept) = parts.get_mut(3).filter(|part| part.starts_with("ssp:")) {
                    *kept = kept.rsplit_once(':').unwrap().0.into();
                }
                parts
            };
            prop_assert_eq!(without(written.as_bytes()), without(&damaged));
        }
    }

    #[test]
    fn known_caveats_are_known(text in predicate()) {
        let predicate = Predicate::read(text.as_bytes());
        prop_assert_eq!(predicate.map(|it| it.to_string()), Some(text.clone()));
        prop_assert!(PredicateBuf::read(&text).is_some(), "{}", text);
    }

    #[test]
    fn caveats_survive_json(text in prop_oneof![caveat(), near_predicate()]) {
        let predicate = Predicate::read(text.as_bytes());
        let new = PredicateBuf::read(text.as_str());
        prop_assert!(predicate.is_some() || new.is_none());
        if let Some(predicate) = predicate {
            let written = predicate.to_string();
            let again = Predicate::read(written.as_bytes()).unwrap();
            prop_assert_eq!(again.to_string(), written.as_str());
            let json = serde_json::to_string(&predicate).unwrap();
            prop_assert_eq!(serde_json::to_string(&again).unwrap(), json.as_str());
            if let Some(new) = new {
                prop_assert_eq!(new.as_str(), written.as_str());
                prop_assert_eq!(serde_json::from_str::<PredicateBuf>(&json).unwrap(), new);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_as_a_caveat_or_not(bytes in vec(any::<u8>(), 0..40)) {
        if let Some(predicate) = Predicate::read(&bytes) {
            let written = predicate.to_string();
            prop_assert_eq!(Predicate::read(written.as_bytes()).unwrap().to_string(), written.as_str());
        }
    }

    #[test]
    fn a_chain_is_the_same_however_it_came_about(recipe in recipe(), cut in any::<Index>(), encoding in 0..2_usize) {
        let whole = recipe.mint();
        let (first, rest) = recipe.caveats.split_at(cut.index(recipe.caveats.len() + 1));
        let mut start = recipe.clone();
        start.caveats = first.to_vec();
        let text = start.mint().to_text(Format::V1, ENCODINGS[encoding]).unwrap();
        let mut token = decode(&text).unwrap();
        rest.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
        prop_assert_eq!(token.macaroon().to_bytes(Format::V1).unwrap(), whole.to_bytes(Format::V1).unwrap());
    }

    /// Every request that the attenuated token allows, the original allows, and the attenuated one lives no longer.
    #[test]
    fn attenuating_never_widens(
        recipe in recipe(),
        kept in vec(predicate(), 0..3),
        more in vec(caveat(), 1..4),
        facts in facts(),
        supported in caveat_types(),
    ) {
        let mut recipe = recipe;
        recipe.caveats = kept;
        narrowed_is_no_wider(&recipe, &more, &facts, supported, None)?;
    }

    /// The same for legacy tokens (before 20.02), minted with or without their type.
    #[test]
    fn attenuating_never_widens_a_legacy_token(
        id in opaque_id(),
        stated in prop::option::weighted(0.8, legacy_type()),
        asked in legacy_type(),
        kept in vec(predicate(), 0..2),
        more in vec(prop_oneof![caveat(), legacy_type().prop_map(|it| format!("tokenType = {it}"))], 1..3),
        facts in facts(),
        same in prop::bool::weighted(0.7),
        recipe in recipe(),
    ) {
        let mut recipe = recipe;
        recipe.identifier = id;
        recipe.caveats = stated.iter().map(|stated| format!("tokenType = {stated}")).chain(kept).collect();
        let asked = stated.filter(|_| same).unwrap_or(asked);
        narrowed_is_no_wider(&recipe, &more, &facts, CaveatTypes::LEGACY_INVITE, Some(asked))?;
    }

    #[test]
    fn another_key_verifies_nothing(recipe in recipe(), other in vec(any::<u8>(), 0..80), facts in facts()) {
        prop_assume!(other != recipe.secret);
        let answer = Verifier::new(&facts).verify(&recipe.mint(), &RootKey::derive_any(&other)).map(drop);
        prop_assert_eq!(answer, Err(VerifyError::BadSignature));
    }

    #[test]
    fn a_caveat_that_nobody_knows_is_refused(recipe in recipe(), facts in facts(), unknown in near_predicate(), at in any::<Index>()) {
        prop_assume!(Predicate::read(unknown.as_bytes()).is_none());
        let mut recipe = recipe;
        recipe.caveats.insert(at.index(recipe.caveats.len() + 1), unknown);
        let macaroon = recipe.mint();
        prop_assert!(Verifier::new(&facts).verify(&macaroon, &recipe.key()).is_err());
        prop_assert!(Verifier::new(&facts).preflight(&macaroon).is_some());
    }

    /// The verifier alone decides which caveats are ignored: each is judged as if it were the only one.
    #[test]
    fn no_caveat_makes_another_ignored(
        recipe in recipe(),
        caveats in vec(prop_oneof![4 => predicate(), 1 => "[ -~]{1,20}"], 0..5),
        facts in facts(),
        supported in caveat_types(),
        ignored in prop_oneof![Just(CaveatTypes::NONE), caveat_types()],
    ) {
        let judging = Verifier::new(&facts).supporting(supported);
        let accepts = |verifier: Verifier<'_>, caveats: &[String]| {
            let recipe = Recipe { caveats: caveats.to_vec(), ..recipe.clone() };
            verifier.verify(&recipe.mint(), &recipe.key()).is_ok()
        };
        let each = caveats.iter().all(|caveat| {
            let is_ignored = |it| supported.contains(&it) && ignored.contains(&it);
            Predicate::read(caveat.as_bytes()).is_some_and(is_ignored)
                || accepts(judging, std::slice::from_ref(caveat))
        });
        prop_assert_eq!(accepts(judging.ignoring(ignored), &caveats), each && accepts(judging, &[]));
    }

    /// A token that is refuted without its key is refused with it, and at no later caveat.
    #[test]
    fn preflight_refutes_only_what_would_be_refused(recipe in recipe(), facts in facts(), supported in caveat_types()) {
        let macaroon = recipe.mint();
        let verifier = Verifier::new(&facts).supporting(supported);
        if let Some(refuted) = verifier.preflight(&macaroon) {
            let index = |error: &VerifyError| match error {
                VerifyError::CaveatUnmet { at: Place { discharge: None, index }, .. }
                | VerifyError::CaveatUnsupported { at: Place { discharge: None, index } }
                | VerifyError::CaveatUnknown { at: Place { discharge: None, index } } => Some(*index),
                _ => None,
            };
            let refused = verifier.verify(&macaroon, &recipe.key()).unwrap_err();
            prop_assert!(index(&refused).is_some() && index(&refused) <= index(&refuted), "{refused:?}");
        }
    }

    /// A changed token has only another location, or is refused.
    #[test]
    fn tampering_is_refused(recipe in recipe(), damage in vec(damage(any::<u8>()), 1..4)) {
        let macaroon = recipe.mint();
        let bytes = macaroon.to_bytes(Format::V1).unwrap();
        let damaged = damage.iter().fold(bytes, |bytes, damage| damage.apply(&bytes));
        if let Ok(read) = read(damaged) {
            is_found_out(&recipe.key(), &macaroon, &read)?;
        }
    }

    #[test]
    fn tampering_with_text_is_refused(recipe in recipe(), damage in damage(text_byte()), encoding in 0..2_usize) {
        let macaroon = recipe.mint();
        let text = macaroon.to_text(Format::V1, ENCODINGS[encoding]).unwrap();
        let damaged = String::from_utf8(damage.apply(text.as_bytes())).unwrap();
        the_report_is_consistent(&damaged)?;
        if let Ok(token) = decode(&damaged) {
            is_canonical_but_for_its_spelling(&token, &damaged)?;
            is_found_out(&recipe.key(), &macaroon, token.macaroon())?;
        }
    }

    #[test]
    fn the_order_of_caveats_is_signed(recipe in recipe(), caveats in vec(caveat(), 2..6), a in any::<Index>(), b in any::<Index>()) {
        let mut swapped = caveats.clone();
        let first = a.index(caveats.len());
        swapped.swap(first, (first + 1 + b.index(caveats.len() - 1)) % caveats.len());
        prop_assume!(swapped != caveats);
        let mut recipe = recipe;
        recipe.caveats = caveats;
        let (key, macaroon) = (recipe.key(), recipe.mint());
        recipe.caveats = swapped;
        let mut forged = recipe.mint().to_bytes(Format::V1).unwrap();
        let tail = forged.len() - 33;
        forged.splice(tail..tail + 32, *macaroon.signature().expose());
        is_found_out(&key, &macaroon, &read(forged).unwrap())?;
    }

    #[test]
    fn caveats_cannot_be_taken_off(recipe in recipe(), last in vec(caveat(), 1..4)) {
        let (key, wider) = (recipe.key(), recipe.mint());
        let mut narrow = wider.clone();
        last.iter().for_each(|caveat| narrow.attenuate(caveat).unwrap());
        let mut forged = wider.to_bytes(Format::V1).unwrap();
        let tail = forged.len() - 33;
        forged.splice(tail..tail + 32, *narrow.signature().expose());
        is_found_out(&key, &narrow, &read(forged).unwrap())?;
    }

    #[test]
    fn any_text_is_survived(text in prop_oneof![token_like_text(), "\\PC{0,60}", any::<String>()]) {
        the_report_is_consistent(&text)?;
        if let Ok(token) = decode(&text) {
            is_canonical_but_for_its_spelling(&token, &text)?;
        }
    }

    #[test]
    fn any_bytes_are_survived(pieces in vec(packets(), 0..8), damage in damage(any::<u8>()), is_damaged in any::<bool>()) {
        let mut bytes = pieces.concat();
        if is_damaged {
            bytes = damage.apply(&bytes);
        }
        the_report_is_consistent(&text::base62(&bytes))?;
        the_report_is_consistent(&text::base64url(&bytes))?;
        if let Ok(macaroon) = read(bytes.clone()) {
            match macaroon.to_bytes(Format::V1) {
                Ok(written) => prop_assert_eq!(written, bytes),
                Err(_) => prop_assert!(str::from_utf8(&bytes).is_err()),
            }
        }
    }

    #[test]
    fn damaged_tokens_are_survived(recipe in recipe(), damage in vec(damage(text_byte()), 1..6), prefix in prefix()) {
        for encoding in ENCODINGS {
            let text = recipe.mint().to_text(Format::V1, encoding).unwrap();
            let prefix = prefix.map(|kind| format!("{}-", kind.as_str())).unwrap_or_default();
            let whole = format!("{prefix}{text}").into_bytes();
            let damaged = damage.iter().fold(whole, |text, damage: &Damage| damage.apply(&text));
            the_report_is_consistent(&String::from_utf8(damaged).unwrap())?;
        }
    }
}

/// Version 1 reads any bytes and writes only text.
fn is_canonical_but_for_its_spelling(token: &Token, text: &str) -> Result<(), TestCaseError> {
    match token.encode() {
        Ok(written) => prop_assert_eq!(written, canonical(text)),
        Err(error) => prop_assert!(matches!(error, EncodeError::NotUtf8 { .. }), "{}", error),
    }
    Ok(())
}

fn text_byte() -> impl Strategy<Value = u8> + Clone {
    prop_oneof![8 => prop::sample::select(&b"0123456789abcXYZ_-+/="[..]), 1 => 0..128_u8]
}

/// Packets in and out of place, good and bad.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let name =
        prop::sample::select(&["location", "identifier", "cid", "vid", "cl", "signature", "x", ""][..]);
    let value = prop_oneof![
        vec(any::<u8>(), 0..4),
        vec(any::<u8>(), 32..33),
        vec(any::<u8>(), 72..73),
        Just(b"2/nmd/usr-u/act/id".to_vec()),
        Just(b"time < 9".to_vec()),
    ];
    prop_oneof![
        8 => (name, value).prop_map(|(name, value)| text::packet(name, value)),
        1 => vec(any::<u8>(), 0..6),
        4 => Just(text::packet("location", "onezone")),
        4 => Just([text::packet("location", "onezone"), text::packet("identifier", "id")].concat()),
        4 => Just(text::packet("signature", [0_u8; 32])),
    ]
}

fn narrowed_is_no_wider(
    recipe: &Recipe,
    more: &[String],
    facts: &Context,
    supported: CaveatTypes,
    asked: Option<LegacyType>,
) -> Result<(), TestCaseError> {
    let (key, wide) = (recipe.key(), recipe.mint());
    let mut narrow = wide.clone();
    more.iter().for_each(|caveat| narrow.attenuate(caveat).unwrap());
    let verifier = Verifier::new(facts).supporting(supported).stating(asked);
    match (verifier.verify(&wide, &key), verifier.verify(&narrow, &key)) {
        (Ok(wide), Ok(narrow)) => {
            prop_assert!(wide.expires_at().is_none_or(|it| narrow.expires_at().is_some_and(|by| by <= it)));
            prop_assert_eq!(wide.identifier(), narrow.identifier());
            prop_assert_eq!(wide.subject(), narrow.subject());
        }
        (Err(wide), Ok(_)) => return Err(TestCaseError::fail(format!("refused before: {wide}"))),
        // The session is judged after all caveats.
        (Err(VerifyError::WrongSession), Err(_)) => {}
        // The first caveat that does not hold is still the first.
        (Err(wide), Err(narrow)) => prop_assert_eq!(wide, narrow),
        (Ok(_), Err(_)) => {}
    }
    Ok(())
}

fn is_found_out(key: &RootKey, minted: &Macaroon, received: &Macaroon) -> Result<(), TestCaseError> {
    let everything: Vec<Vec<u8>> = signed(received).1;
    let exact: Vec<&[u8]> = everything.iter().map(Vec::as_slice).collect();
    let mut context = Context::at(UnixTime::from_secs(0));
    context.session = Session::Any;
    let accepted = Verifier::new(&context).exact(&exact).verify(received, key).map(drop);
    if signed(minted) == signed(received) {
        prop_assert_eq!(accepted, Ok(()));
    } else {
        prop_assert_eq!(accepted, Err(VerifyError::BadSignature));
    }
    Ok(())
}
