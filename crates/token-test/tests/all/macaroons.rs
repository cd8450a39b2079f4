//! Macaroons of other libraries, and the parts of macaroons.

use token_core::{
    Caveat, Context, DecodeError, DecodeOptions, EncodeError, Encoding, Format, Macaroon, Place, Problem,
    RootKey, UnixTime, Verifier, VerifyError,
};
use token_test::vectors::{self, CaveatVector, Expectation, Format as WireFormat, MacaroonVector};
use token_test::{hex, text};

fn readable() -> impl Iterator<Item = MacaroonVector> {
    vectors::macaroons().into_iter().filter(|vector| vector.valid_parse)
}

/// The input as a program receives it: text as text, other input as bytes.
fn read(vector: &MacaroonVector) -> Result<(Macaroon, Format), DecodeError> {
    let options = DecodeOptions::default();
    match vector.text() {
        Some(text) => {
            Macaroon::from_text(text, &options).map(|(macaroon, spelling)| (macaroon, spelling.format))
        }
        None => Macaroon::from_bytes(vector.wire(), &options),
    }
}

fn format(vector: &MacaroonVector) -> Format {
    match vector.format.unwrap() {
        WireFormat::V1 => Format::V1,
        WireFormat::V1J => Format::V1J,
        WireFormat::V2 => Format::V2,
        WireFormat::V2J => Format::V2J,
    }
}

#[test]
fn the_strict_grammar_reads_what_it_should() {
    let (mut read_whole, mut refused) = (0, 0);
    for vector in vectors::macaroons() {
        match (vector.valid_parse, read(&vector)) {
            (true, Ok((_, read))) => {
                assert_eq!(read, format(&vector), "{}", vector.name);
                read_whole += 1;
            }
            (false, Err(_)) => refused += 1,
            (true, Err(error)) => panic!("{}: refused: {error:?}", vector.name),
            (false, Ok(_)) => panic!("{}: read, in spite of {:?}", vector.name, vector.reject_reason),
        }
    }
    assert_eq!((read_whole, refused), (91, 83));
}

#[test]
fn fields_are_those_of_the_vector() {
    for vector in readable() {
        let (macaroon, _) = read(&vector).unwrap();
        assert_eq!(
            macaroon.location(),
            vector.location.as_deref().unwrap_or_default().as_bytes(),
            "{}",
            vector.name
        );
        assert_eq!(Some(macaroon.identifier()), vector.identifier(), "{}", vector.name);
        assert_eq!(Some(*macaroon.signature().expose()), vector.signature, "{}", vector.name);
        let expected: Vec<Caveat<'_>> = vector.caveats.iter().map(caveat).collect();
        assert_eq!(macaroon.caveats().collect::<Vec<_>>(), expected, "{}", vector.name);
    }
}

fn caveat(vector: &CaveatVector) -> Caveat<'_> {
    match &vector.vid {
        None => Caveat::FirstParty { predicate: vector.cid() },
        Some(vid) => Caveat::ThirdParty {
            identifier: vector.cid(),
            vid,
            location: vector.cl.as_deref().unwrap_or_default().as_bytes(),
        },
    }
}

/// The bytes of v1 and v2 come out as they came in (but for an empty location, which is not written in v2); of
/// base64 text, padding and the other alphabet do not. JSON has many spellings, and comes out in one.
#[test]
fn what_was_read_is_written_canonically() {
    let options = DecodeOptions::default();
    for vector in readable() {
        let (macaroon, format) = read(&vector).unwrap();
        if macaroon.to_bytes(format).is_err_and(|error| matches!(error, EncodeError::VidLength { .. })) {
            assert_eq!(vector.name, "js_v1json_odd_vid_len");
            continue;
        }
        let written = macaroon.to_bytes(format).unwrap();
        let (again, reread) = Macaroon::from_bytes(written.clone(), &options).unwrap();
        assert_eq!(again.to_bytes(reread).unwrap(), written, "{}", vector.name);
        let text = macaroon.to_text(format, Encoding::Base64Url).unwrap();
        if matches!(format, Format::V1 | Format::V2) {
            let canonical = vector.text().unwrap().trim_end_matches('=').replace('+', "-").replace('/', "_");
            if vector.name != "v2_empty_location_field" {
                assert_eq!(text, canonical, "{}", vector.name);
            }
            assert_eq!(text::bytes(&text), written, "{}", vector.name);
        }
        if format == Format::V1 {
            let base62 = macaroon.to_text(format, Encoding::Base62).unwrap();
            let (again, spelling) = Macaroon::from_text(&base62, &options).unwrap();
            assert_eq!((again.to_bytes(format).unwrap(), spelling.encoding), (written, Encoding::Base62));
        }
    }
}

/// The signed fields are the same in every format that can carry them.
#[test]
fn formats_are_converted_and_keep_the_signature() {
    let mut refused = Vec::new();
    for vector in readable() {
        let (macaroon, _) = read(&vector).unwrap();
        for format in [Format::V1, Format::V2, Format::V2J] {
            let bytes = match macaroon.to_bytes(format) {
                Ok(bytes) => bytes,
                Err(error) => {
                    refused.push((vector.name.clone(), format, error));
                    continue;
                }
            };
            let (converted, read) = Macaroon::from_bytes(bytes, &DecodeOptions::default()).unwrap();
            assert_eq!(read, format, "{}", vector.name);
            assert_eq!(converted.signature().expose(), macaroon.signature().expose(), "{}", vector.name);
            assert_eq!(converted.identifier(), macaroon.identifier(), "{}", vector.name);
            assert_eq!(
                converted.caveats().collect::<Vec<_>>(),
                macaroon.caveats().collect::<Vec<_>>(),
                "{}",
                vector.name
            );
        }
    }
    for (name, format, error) in &refused {
        match error {
            EncodeError::FieldTooLong { .. } | EncodeError::NotUtf8 { .. } => {
                assert_eq!(*format, Format::V1, "{name}")
            }
            EncodeError::VidLength { .. } => assert_eq!(name, "js_v1json_odd_vid_len"),
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn verification_answers_as_the_vector_says() {
    let (mut accepted, mut refused) = (0, 0);
    let context = Context::at(UnixTime::MAX);
    for vector in vectors::macaroons() {
        let (Some(verify), Some(key)) = (&vector.verify, vector.key()) else { continue };
        let exact: Vec<&[u8]> = verify.exact.iter().map(String::as_bytes).collect();
        let (macaroon, _) = read(&vector).unwrap();
        let discharges: Vec<Macaroon> = vector
            .discharges
            .iter()
            .map(|text| Macaroon::from_text(text, &DecodeOptions::default()).unwrap().0)
            .collect();
        let verifier = Verifier::new(&context).exact(&exact);
        let answer = verifier.verify_with(&macaroon, &discharges, &key.root_key()).map(drop);
        match verify.expect {
            Expectation::Ok => accepted += u32::from(answer == Ok(())),
            Expectation::Fail => refused += u32::from(answer.is_err()),
        }
        assert_eq!(answer.is_ok(), verify.expect == Expectation::Ok, "{}: {answer:?}", vector.name);
        // The order of discharges is not signed and does not matter.
        let reversed: Vec<Macaroon> = discharges.iter().rev().cloned().collect();
        let again = verifier.verify_with(&macaroon, &reversed, &key.root_key());
        assert_eq!(again.is_ok(), answer.is_ok(), "{}", vector.name);
    }
    assert_eq!((accepted, refused), (57, 31));
}

/// The cases of base64 stand behind a prefix, so that the fourth character of none of them is taken for one's end.
#[test]
fn base64_is_read_as_strictly_as_the_cases_say() {
    for case in vectors::primitives().base64_decode {
        let error =
            Macaroon::from_text(&format!("opw-{}", case.input), &DecodeOptions::default()).unwrap_err();
        if case.input.is_empty() {
            assert_eq!((error.problem(), error.offset()), (&Problem::Empty, 4));
            continue;
        }
        // Valid base64 here encodes no packet, and the error says so.
        let reads = matches!(error.problem(), Problem::LengthField(0));
        assert_eq!(reads, !case.reject, "{:?} ({}): {error}", case.input, case.note);
        assert_eq!(matches!(error.stage(), "base64" | "text"), case.reject, "{:?}", case.input);
    }
}

/// Reads the bytes as the length of a missing location: the missing length in the error shows the number.
#[test]
fn varints_are_read_as_the_cases_say() {
    let mut options = DecodeOptions::default();
    options.limits.field = usize::MAX;
    let problem = |varint: &[u8], options: &DecodeOptions| {
        let bytes = [&[2, 1][..], varint].concat();
        Macaroon::from_bytes(bytes, options).unwrap_err().problem().clone()
    };
    for case in vectors::primitives().varint {
        let expected = match usize::try_from(case.value).unwrap() {
            0 => Problem::MissingField("identifier"),
            missing => Problem::CutField { field: "location", begin: 1, missing },
        };
        assert_eq!(problem(&case.bytes, &options), expected, "{}", case.value);
        // Written as it was read, by a field of that length.
        if let Ok(len @ 1..) = usize::try_from(case.value).map(|len| if len > 1 << 20 { 0 } else { len }) {
            let location = "l".repeat(len);
            let macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), &location, b"id").unwrap();
            let bytes = macaroon.to_bytes(Format::V2).unwrap();
            assert_eq!(bytes[2..2 + case.bytes.len()], case.bytes, "{}", case.value);
        }
    }
    for case in vectors::primitives().varint_reject {
        let problem = problem(&case.bytes, &DecodeOptions::default());
        let refused =
            matches!(problem, Problem::Varint(_) | Problem::FieldTooLong { .. } | Problem::CutField { .. });
        assert!(refused, "{:?} ({}): {problem}", case.bytes, case.note);
    }
}

/// Reads the bytes as the header of a macaroon: a valid section is read if its fields are those of a header.
#[test]
fn sections_are_read_as_the_cases_say() {
    let mut read = 0;
    for case in vectors::primitives().section_v2 {
        let bytes = [&[2][..], &case.bytes, &[0, 6, 32], &[0; 32]].concat();
        match Macaroon::from_bytes(bytes, &DecodeOptions::default()) {
            Ok((macaroon, _)) => {
                assert!(case.ok, "{:?}", case.note);
                assert_eq!(macaroon.identifier(), b"xyz");
                read += 1;
            }
            Err(error) => {
                let unassigned = case.bytes.is_empty() || case.bytes.contains(&7) || case.bytes == [0];
                assert!(!case.ok || unassigned, "{:?}: {error}", case.note);
            }
        }
    }
    assert_eq!(read, 1);
}

/// A packet that is one is refused for standing where `location` should; one that is none, for its frame.
#[test]
fn packets_are_framed_as_the_cases_say() {
    for case in vectors::primitives().packet_v1 {
        let error = Macaroon::from_bytes(case.input.as_bytes(), &DecodeOptions::default()).unwrap_err();
        let framed = matches!(error.problem(), Problem::UnexpectedField("location"));
        assert_eq!(framed, case.ok, "{:?} ({}): {error}", case.input, case.note);
    }
}

#[test]
fn a_packet_takes_what_its_length_field_can_say_and_no_more() {
    let max = vectors::primitives().packet_v1_max.max_value_by_key;
    let key = RootKey::from_derived([7; 32]);
    let mint = |location: usize, identifier: usize, cid: usize| {
        let mut macaroon =
            Macaroon::mint(&key, &"l".repeat(location), "i".repeat(identifier).as_bytes()).unwrap();
        macaroon.attenuate("c".repeat(cid)).unwrap();
        macaroon.to_bytes(Format::V1)
    };
    let bytes = mint(max.location, max.identifier, max.cid).unwrap();
    let read = Macaroon::from_bytes(bytes.clone(), &DecodeOptions::default()).unwrap().0;
    assert_eq!(read.to_bytes(Format::V1).unwrap(), bytes);
    for (field, sizes, max) in [
        ("location", [max.location + 1, 1, 1], max.location),
        ("identifier", [0, max.identifier + 1, 1], max.identifier),
        ("cid", [0, 1, max.cid + 1], max.cid),
    ] {
        let [location, identifier, cid] = sizes;
        let expected = EncodeError::FieldTooLong { field, len: max + 1, max };
        assert_eq!(mint(location, identifier, cid), Err(expected));
    }
}

#[test]
fn the_chain_is_computed_step_by_step() {
    let steps = vectors::primitives().hmac_chain;
    let step = |index: usize| -> [u8; 32] { hex::decode(&steps[index].hex).try_into().unwrap() };
    let (predicate, identifier) = ("account = 3735928559", "we used our other secret key");
    let key = RootKey::derive_any(b"this is a different super-secret key; never use the same secret twice");
    assert_eq!(key.expose(), &step(0));
    let mut macaroon = Macaroon::mint(&key, "http://mybank/", identifier.as_bytes()).unwrap();
    assert_eq!(macaroon.signature().expose(), &step(1));
    macaroon.attenuate(predicate).unwrap();
    assert_eq!(macaroon.signature().expose(), &step(2));

    // From here on by a third party, whose caveat can be read and not yet written.
    let vid = hex::decode(&steps[4].hex);
    let cid = vectors::macaroons()
        .into_iter()
        .find(|vector| vector.name == "readme_third_party_bound_v1")
        .map(|vector| vector.caveats[1].cid().to_vec())
        .unwrap();
    let bytes = [
        text::packet("location", "http://mybank/"),
        text::packet("identifier", identifier),
        text::packet("cid", predicate),
        text::packet("cid", cid),
        text::packet("vid", vid),
        text::packet("cl", "http://auth.mybank/"),
        text::packet("signature", step(7)),
    ]
    .concat();
    let macaroon = Macaroon::from_bytes(bytes, &DecodeOptions::default()).unwrap().0;
    let context = Context::at(UnixTime::from_secs(0));
    let exact: &[&[u8]] = &[predicate.as_bytes()];
    let answer = Verifier::new(&context).exact(exact).verify(&macaroon, &key).map(drop);
    assert_eq!(answer, Err(VerifyError::DischargeMissing { at: Place { discharge: None, index: 1 } }));
}
