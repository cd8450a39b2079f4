//! The vectors themselves: complete, and confirmed by another implementation.

use std::collections::BTreeSet;

use token_test::{
    hex, oracle, text,
    vectors::{self, CaveatVector, Expectation, Format, MacaroonVector},
};

#[test]
fn every_vector_loads() {
    assert_eq!(vectors::onedata().len(), 11);
    assert_eq!(vectors::onedata_legacy().len(), 8);
    assert_eq!(vectors::macaroons().len(), 174);
    assert_eq!(vectors::api_documents().len(), 5);
    let primitives = vectors::primitives();
    assert_eq!(
        [
            primitives.base64_decode.len(),
            primitives.varint.len(),
            primitives.varint_reject.len(),
            primitives.packet_v1.len(),
            primitives.section_v2.len(),
            primitives.hmac_chain.len(),
        ],
        [14, 18, 5, 7, 8, 10]
    );
    assert_eq!(primitives.packet_v1_max.max_total, 0xffff);
}

#[test]
fn names_are_unique() {
    let names: Vec<String> = vectors::macaroons().into_iter().map(|vector| vector.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn modern_tokens_alone_have_a_parsed_identifier() {
    assert!(vectors::onedata().iter().all(|golden| golden.token.is_some()));
    assert!(vectors::onedata_legacy().iter().all(|golden| golden.token.is_none()));
}

#[test]
fn every_vector_is_whole() {
    for vector in vectors::macaroons() {
        let name = &vector.name;
        // Some vectors have an empty wire form; each must have exactly one.
        let _ = vector.wire();
        assert_eq!(vector.valid_parse, vector.reject_reason.is_none(), "{name}");
        assert_eq!(vector.valid_parse, vector.signature.is_some(), "{name}");
        assert_eq!(vector.valid_parse, vector.identifier().is_some(), "{name}");
        assert_eq!(vector.verify.is_some(), vector.key().is_some(), "{name}");
        vector
            .caveats
            .iter()
            .for_each(|caveat| assert_eq!(caveat.vid.is_some(), caveat.cl.is_some(), "{name}"));
    }
}

#[test]
fn the_kinds_are_as_many_as_were_collected() {
    let vectors = vectors::macaroons();
    let count = |holds: fn(&MacaroonVector) -> bool| vectors.iter().filter(|vector| holds(vector)).count();
    assert_eq!(count(|vector| vector.format == Some(Format::V1)), 67);
    assert_eq!(count(|vector| vector.format == Some(Format::V1J)), 4);
    assert_eq!(count(|vector| vector.format == Some(Format::V2)), 61);
    assert_eq!(count(|vector| vector.format == Some(Format::V2J)), 41);
    assert_eq!(count(|vector| vector.valid_parse), 91);
    let expects =
        |vector: &MacaroonVector, expect| vector.verify.as_ref().is_some_and(|it| it.expect == expect);
    assert_eq!(vectors.iter().filter(|vector| expects(vector, Expectation::Ok)).count(), 57);
    assert_eq!(vectors.iter().filter(|vector| expects(vector, Expectation::Fail)).count(), 31);
}

/// Mints each vector again from its fields. [`oracle::mint`] makes no third-party caveats.
#[test]
fn accepted_vectors_have_the_signature_of_their_fields() {
    let mut minted = 0;
    for vector in vectors::macaroons() {
        let accepted = vector.verify.as_ref().is_some_and(|verify| verify.expect == Expectation::Ok);
        let Some(identifier) = vector.identifier().filter(|identifier| !identifier.is_empty()) else {
            continue;
        };
        if !accepted || !vector.is_first_party_only() {
            continue;
        }
        let caveats: Vec<&[u8]> = vector.caveats.iter().map(CaveatVector::cid).collect();
        let location = vector.location.as_deref().unwrap_or_default();
        let token = oracle::mint(vector.key().unwrap(), location, identifier, &caveats);
        assert_eq!(Some(token.signature), vector.signature, "{}", vector.name);
        minted += 1;
    }
    assert!(minted > 20, "only {minted} vectors were checked");
}

#[test]
fn lengths_are_those_of_the_texts() {
    for document in vectors::api_documents() {
        assert_eq!(document.text.len(), document.length, "{}", document.id);
    }
}

#[test]
fn whole_tokens_hold_the_packets_they_list() {
    let mut whole = 0;
    for document in vectors::api_documents() {
        let (base64url, packets) = match (&document.restored, &document.unescaped) {
            (Some(restored), _) => (restored, &document.restored_packets),
            (None, Some(unescaped)) => (unescaped, &document.packets),
            (None, None) => continue,
        };
        let Some(signature) = packets.last().and_then(|packet| packet.hex.as_ref()) else { continue };
        let token = oracle::parse(&text::bytes(base64url)).unwrap();
        assert_eq!(hex::encode(oracle::signature(&token)), *signature, "{}", document.id);
        assert_eq!(token.location(), packets[0].value, "{}", document.id);
        let caveat = packets[2].value.as_ref().unwrap().as_bytes();
        assert_eq!(oracle::predicates(&token)[0], caveat, "{}", document.id);
        whole += 1;
    }
    assert_eq!(whole, 2);
}
