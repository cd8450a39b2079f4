//! v2 and JSON, beyond the shared vectors.

use token_core::{
    BuildError, CaveatNonce, DecodeOptions, Encoding, Format, Limits, Macaroon, Problem, RootKey, inspect,
};

fn macaroon() -> Macaroon {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "onezone", b"id").unwrap();
    macaroon.attenuate("colour = blue").unwrap();
    macaroon
}

#[test]
fn a_prefix_stands_before_v1_alone() {
    let strict = DecodeOptions::default();
    let v1 = macaroon().to_text(Format::V1, Encoding::Base62).unwrap();
    assert!(Macaroon::from_text(&format!("opw-{v1}"), &strict).is_ok());
    for format in [Format::V2, Format::V2J] {
        let text = macaroon().to_text(format, Encoding::Base62).unwrap();
        assert!(Macaroon::from_text(&text, &strict).is_ok());
        let error = Macaroon::from_text(&format!("opw-{text}"), &strict).unwrap_err();
        assert!(matches!(error.problem(), Problem::Prefix | Problem::Character(_)), "{error}");
    }
}

/// The fourth character of a v2 text may be a `-` that ends no prefix: the location has 62 bytes.
#[test]
fn the_fourth_character_of_v2_is_no_end_of_a_prefix() {
    let location = "l".repeat(62);
    let macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), &location, b"id").unwrap();
    let text = macaroon.to_text(Format::V2, Encoding::Base64Url).unwrap();
    assert!(text.starts_with("AgE-"));
    let (read, spelling) = Macaroon::from_text(&text, &DecodeOptions::default()).unwrap();
    assert_eq!((read.location(), spelling.format), (location.as_bytes(), Format::V2));
}

#[test]
fn a_liberal_reader_takes_v1_without_a_location_in_either_encoding() {
    let strict = macaroon().to_bytes(Format::V1).unwrap();
    let without = strict.get(usize::from_str_radix("15", 16).unwrap()..).unwrap();
    for encoding in [Encoding::Base62, Encoding::Base64Url] {
        let (read, _) = Macaroon::from_bytes(without, &DecodeOptions::compat()).unwrap();
        assert_eq!(read.signature().expose(), macaroon().signature().expose());
        assert!(Macaroon::from_bytes(without, &DecodeOptions::default()).is_err());
        assert_eq!(read.location(), b"");
        // Its canonical form has an empty location.
        let text = read.to_text(Format::V1, encoding).unwrap();
        assert!(Macaroon::from_text(&text, &DecodeOptions::default()).is_ok());
    }
}

/// A v2 text is recognized by its beginning, even if its identifier spells another mark.
#[test]
fn a_v2_text_that_spells_the_mark_of_base62_is_v2() {
    let text = "AgINYWJjY2F00aW9uAAAMQAABiAtOgDsrZE37aWLQXyogPZ5xDfWooLrmPx-JHAqifu_xg";
    let (read, spelling) = Macaroon::from_text(text, &DecodeOptions::default()).unwrap();
    assert_eq!((read.identifier().len(), spelling.format), (13, Format::V2));
}

#[test]
fn formats_have_the_names_of_the_specification() {
    let names = [Format::V1, Format::V2, Format::V2J, Format::V1J].map(Format::as_str);
    assert_eq!(names, ["v1", "v2", "v2j", "v1j"]);
}

#[test]
fn a_location_is_as_long_as_a_field_may_be() {
    let key = RootKey::from_derived([7; 32]);
    let longest = "l".repeat(Limits::ONEDATA.field);
    assert_eq!(Macaroon::mint(&key, &longest, b"id").unwrap().location(), longest.as_bytes());
    let refused = Macaroon::mint(&key, &format!("{longest}l"), b"id").map(drop);
    assert_eq!(refused, Err(BuildError::TooLong { len: longest.len() + 1 }));
}

/// The errors of a document that cannot be read to its end.
#[test]
fn errors_distinguish_broken_json_from_broken_text() {
    let text = macaroon().to_text(Format::V2J, Encoding::Json).unwrap();
    let cut = text.strip_suffix('}').unwrap();
    let failure = inspect(cut, &DecodeOptions::default()).unwrap_err();
    assert_eq!(failure.partial.encoding(), Some(Encoding::Json));
}

/// A text that was cut off within a group of base64 lacks more bytes than the rest of the group.
#[test]
fn a_text_that_was_cut_off_is_said_to_be() {
    let text = macaroon().to_text(Format::V1, Encoding::Base64Url).unwrap();
    for lost in 1..40 {
        let cut = text.get(..text.len() - lost).unwrap();
        let error = Macaroon::from_text(cut, &DecodeOptions::default()).map(drop).unwrap_err();
        assert!(matches!(error.problem(), Problem::Cut { .. }), "{lost}: {error}");
        assert!(error.to_string().contains("inside the signature packet"), "{lost}: {error}");
    }
}

/// RFC 8259 §7. Only the reader can check the location: no signature covers it.
#[test]
fn json_strings_say_what_their_escapes_say() {
    let text = macaroon().to_text(Format::V2J, Encoding::Json).unwrap();
    for (written, meant) in [
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0041\u00e9\u20AC", "A\u{e9}\u{20ac}"),
        (r"\ud83d\udd12", "\u{1f512}"),
        (r"\ud800\udc00\uDBFF\uDFFF", "\u{10000}\u{10ffff}"),
        (r"\ud7ff\ue000", "\u{d7ff}\u{e000}"),
    ] {
        let (read, _) =
            Macaroon::from_text(&text.replace("onezone", written), &DecodeOptions::default()).unwrap();
        assert_eq!(read.location(), meant.as_bytes(), "{written}");
    }
    for broken in [r"\ud800", r"\ud800\ue000", r"\udbff\ud800", r"\udc00", r"\ud83d\n", r"\u12g4", r"\a"] {
        let refused =
            Macaroon::from_text(&text.replace("onezone", broken), &DecodeOptions::default()).map(drop);
        assert_eq!(
            refused.unwrap_err().problem(),
            &Problem::Json("has a bad escape in a string"),
            "{broken}"
        );
    }
}

#[test]
fn json_errors_say_what_should_stand_there() {
    let text = macaroon().to_text(Format::V2J, Encoding::Json).unwrap();
    let expected = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        match Macaroon::from_text(&changed, &DecodeOptions::default()).map(drop).unwrap_err().problem() {
            Problem::JsonSyntax(expected) => (*expected).to_owned(),
            other => other.to_string(),
        }
    };
    assert_eq!(expected(r#""i":"id""#, r#""i":7"#), "a string");
    assert_eq!(expected(r#""i":"id""#, r#""i":[]"#), "a string");
    assert_eq!(expected(r#""c":["#, r#""c":7,["#), "an array of objects");
    // A member that a liberal reader ignores must still be valid JSON.
    for unknown in ["[}", "{]", "[[}]", r#"{"a":[}}"#] {
        let changed = text.replacen('{', &format!(r#"{{"x":{unknown},"#), 1);
        let refused = Macaroon::from_text(&changed, &DecodeOptions::compat()).map(drop);
        assert!(matches!(refused.unwrap_err().problem(), Problem::JsonSyntax(_)), "{unknown}");
    }
}

/// `macaroon-formats.md` §3: a missing, too long or misplaced field is named.
#[test]
fn v2_errors_tell_a_cut_from_a_lie() {
    let read = |bytes: &[u8]| match Macaroon::from_bytes(bytes, &DecodeOptions::default()) {
        Ok(_) => panic!("{bytes:?} was read"),
        Err(error) => error.problem().clone(),
    };
    assert!(matches!(read(&[2]), Problem::MissingField(_)));
    assert!(matches!(read(&[2, 1, 1, b'l']), Problem::MissingField(_)));
    assert!(matches!(read(&[2, 3, 0]), Problem::UnexpectedField(_)));
    let field = "identifier";
    assert_eq!(read(&[2, 2, 9, b'i']), Problem::CutField { field, begin: 1, missing: 8 });
    let max = Limits::ONEDATA.field;
    // One more than allowed, in three bytes; and 2^63, in ten bytes.
    assert_eq!(read(&[2, 2, 0x81, 0x80, 0x40, 0]), Problem::FieldTooLong { field, len: (1 << 20) + 1, max });
    let most = [[2, 2].as_slice(), &[0x80; 9], &[1]].concat();
    assert_eq!(read(&most), Problem::FieldTooLong { field, len: 1 << 63, max });
    let more = [[2, 2].as_slice(), &[0x80; 9], &[2]].concat();
    assert_eq!(read(&more), Problem::Varint(field));
}

/// JSON strings have no length limit of their own, so the limit on fields applies.
#[test]
fn the_longest_field_is_the_same_in_every_format() {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "l", b"i").unwrap();
    macaroon.attenuate("p").unwrap();
    let key = token_core::CaveatKey::from_derived([8; 32]);
    macaroon.add_third_party("c", b"t", &key, CaveatNonce::from_random([9; 24])).unwrap();
    let document = macaroon.to_text(Format::V2J, Encoding::Base62).unwrap();
    let signature = "00".repeat(32);
    let v1j = format!(
        r#"{{"location":"l","identifier":"i","caveats":[{{"cid":"p"}},{{"cid":"t","cl":"c"}}],"signature":"{signature}"}}"#
    );
    let long = "x".repeat(73);
    let mut options = DecodeOptions::compat();
    options.limits.field = 72;
    for (document, field, from, to) in [
        (&document, "location", r#""l":"l""#, format!(r#""l":"{long}""#)),
        (&document, "identifier", r#""i":"i""#, format!(r#""i":"{long}""#)),
        (&document, "caveat", r#""i":"p""#, format!(r#""i":"{long}""#)),
        (&document, "caveat", r#""i":"t""#, format!(r#""i64":"{}""#, "A".repeat(98))),
        (&document, "caveat location", r#""l":"c""#, format!(r#""l":"{long}""#)),
        (&v1j, "location", r#""location":"l""#, format!(r#""location":"{long}""#)),
        (&v1j, "identifier", r#""identifier":"i""#, format!(r#""identifier":"{long}""#)),
        (&v1j, "caveat", r#""cid":"p""#, format!(r#""cid":"{long}""#)),
        (&v1j, "caveat location", r#""cl":"c""#, format!(r#""cl":"{long}""#)),
        (&v1j, "vid", r#""cl":"c""#, format!(r#""vid":"{}""#, "A".repeat(98))),
    ] {
        assert!(Macaroon::from_text(document, &options).is_ok(), "{document}");
        assert!(document.contains(from), "{document}: {from}");
        let error = Macaroon::from_text(&document.replace(from, &to), &options).unwrap_err();
        assert_eq!(error.problem(), &Problem::FieldTooLong { field, len: 73, max: 72 }, "{from}");
        assert_eq!(error.stage(), "limit");
    }
}

#[test]
fn packets_are_counted_in_english() {
    for (packet, ordinal) in [
        (0, "first"),
        (2, "third"),
        (3, "4th"),
        (10, "11th"),
        (11, "12th"),
        (12, "13th"),
        (20, "21st"),
        (21, "22nd"),
        (22, "23rd"),
        (23, "24th"),
        (110, "111th"),
        (111, "112th"),
        (120, "121st"),
    ] {
        let message = Problem::NoName(packet).to_string();
        assert_eq!(message, format!("the {ordinal} packet has no name"));
    }
}
