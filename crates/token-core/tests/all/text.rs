//! Text: prefixes, escapes, alphabets, limits and the offsets of errors.

use token_core::{
    DecodeError, DecodeOptions, Encoding, Format, Hint, Limits, Macaroon, Problem, RootKey, ServiceKind,
    Token, inspect,
};

/// A token of 2018, from Onedata's own documentation.
const BASE62: &str = "MDAxNWxvY2F00aW9uIG9uZXpvbmUKMDAzYmlkZW500aWZpZXIgSlVxNGFLVkJSTXVFN3FLbHNQVHlNX00lLeHpYZXNWdVFSMGNfMldpOXFZNAowMDFhY2lkIHRpbWUgPCAxNTIyMzU4MzMzCjAwMmZzaWduYXR1cmUgv02ByyOA9802H02rPMB7Y9mIhDVAjYDmjAUjtrMs13znukK";

fn decode(text: &str) -> Result<Token, DecodeError> {
    Token::decode(text, &DecodeOptions::default())
}

fn token() -> Token {
    decode(BASE62).unwrap()
}

fn base64url() -> String {
    token().written_as(Format::V1, Encoding::Base64Url).encode().unwrap()
}

/// A token whose base64 contains both `-` and `_`, and takes two characters of padding.
fn rich() -> Token {
    let key = RootKey::from_derived([7; 32]);
    (10..100)
        .map(|number| Token::mint_legacy(&key, "onezone", &format!("id-{number}-x")).unwrap())
        .find(|token| {
            let text = token.macaroon().to_text(Format::V1, Encoding::Base64Url).unwrap();
            assert_eq!(text.len() % 4, 2);
            text.contains('-') && text.contains('_')
        })
        .unwrap()
}

fn limits(change: impl FnOnce(&mut Limits)) -> DecodeOptions {
    let mut options = DecodeOptions::default();
    change(&mut options.limits);
    options
}

fn refusal(text: &str) -> (Problem, usize) {
    let error = decode(text).unwrap_err();
    assert_eq!(inspect(text, &DecodeOptions::default()).unwrap_err().error, error);
    (error.problem().clone(), error.offset())
}

#[test]
fn a_prefix_names_a_service_of_a_provider() {
    for (prefix, kind) in [("opw-", ServiceKind::OpWorker), ("opp-", ServiceKind::OpPanel)] {
        for (text, encoding) in [(BASE62.to_owned(), Encoding::Base62), (base64url(), Encoding::Base64Url)] {
            let prefixed = format!("{prefix}{text}");
            let token = decode(&prefixed).unwrap();
            assert_eq!((token.service(), token.encoding()), (Some(kind), encoding));
            assert_eq!(token.encode().unwrap(), prefixed);
        }
        assert_eq!(refusal(prefix), (Problem::Empty, 4));
        // Offsets of errors include the prefix.
        assert_eq!(refusal(&format!("{prefix}MDAx0V")), (Problem::Escape('V'), 8));
    }
    assert_eq!(token().service(), None);
    for prefix in ["ozw-", "ozp-", "xyz-", "OPW-", "op--", "----", "opw-opw-", "opw-opp-", "\u{e9}w-"] {
        assert!(decode(&format!("{prefix}{BASE62}")).is_err(), "{prefix}");
    }
    for prefix in ["ozw-", "ozp-", "xyz-", "OPW-"] {
        assert_eq!(refusal(&format!("{prefix}{BASE62}")), (Problem::Prefix, 0), "{prefix}");
    }
    for prefix in ["opw", "opw_", "opw-=", "-opw", " opw-", "op-"] {
        assert!(decode(&format!("{prefix}{BASE62}")).is_err(), "{prefix}");
    }
}

#[test]
fn white_space_is_no_part_of_a_token() {
    assert_eq!(refusal(""), (Problem::Empty, 0));
    for text in [BASE62.to_owned(), base64url()] {
        for (text, at) in [
            (format!(" {text}"), 0),
            (format!("{text} "), text.len()),
            (format!("{text}\n"), text.len()),
            (format!("{text}\r\n"), text.len()),
            (text.replacen("MDAz", "MDA\nz", 1), text.find("MDAz").unwrap() + 3),
            (text.replacen("MDAz", "MDA\u{a0}z", 1), text.find("MDAz").unwrap() + 3),
        ] {
            assert_eq!(refusal(&text), (Problem::Whitespace, at), "{text:?}");
            let hint = inspect(&text, &DecodeOptions::default()).unwrap_err().hint;
            assert_eq!(hint, Some(Hint::Trim), "{text:?}");
        }
    }
    for found in ['\0', '.', '%', '\u{e9}', '\u{1f512}', '"', '\\'] {
        assert_eq!(refusal(&format!("{BASE62}{found}")), (Problem::Character(found), BASE62.len()));
        assert_eq!(refusal(&format!("{found}{BASE62}")), (Problem::Character(found), 0));
    }
}

/// Of several foreign characters, the error names the first, by its first byte.
#[test]
fn errors_name_the_first_character_that_does_not_belong() {
    for (text, found, at) in [
        ("AAA\u{e9}\u{e9}\u{e9}", '\u{e9}', 3),
        ("AAAA\u{1f512}A\u{e9}\u{e9}", '\u{1f512}', 4),
        ("AAA.AAA.A", '.', 3),
        ("AA.AA", '.', 2),
        ("AAA-AAA.", '.', 7),
    ] {
        let text = format!("opw-{text}");
        assert_eq!(refusal(&text), (Problem::Character(found), at + 4), "{text:?}");
    }
    assert_eq!(refusal("opw-AA+A-AA.A"), (Problem::MixedAlphabets('-'), 8));
    assert_eq!(refusal("opw-AA=AAAA.A"), (Problem::Padding, 6));
}

#[test]
fn escapes_of_base62_are_six() {
    let cut = BASE62.find("00").unwrap();
    for bad in ["06", "07", "08", "09", "0a", "0z", "0A", "0Z"] {
        let text = BASE62.replacen("00", bad, 1);
        let found = bad.chars().nth(1).unwrap();
        assert_eq!(refusal(&text), (Problem::Escape(found), cut), "{bad}");
    }
    let lone = format!("{BASE62}0");
    let error = decode(&lone).unwrap_err();
    assert_eq!(
        (error.problem(), error.offset(), error.stage()),
        (&Problem::CutEscape, BASE62.len(), "base62")
    );
    // `03`, `04` and `05` encode the other alphabet and padding, which Onedata reads but never writes.
    let text = rich().encode().unwrap();
    let standard = text.replace("02", "04").replace("01", "03");
    assert_eq!(decode(&standard).unwrap().encode().unwrap(), text);
    assert!(matches!(refusal(&text.replacen("02", "04", 1)).0, Problem::MixedAlphabets(_)));
    assert_eq!(decode(&format!("{text}0505")).unwrap().encode().unwrap(), text);
    for padding in ["05", "050505", "0505a", "05a05"] {
        assert_eq!(refusal(&format!("{text}{padding}")).0, Problem::Padding, "{padding}");
    }
    // A character other than letters and digits is not base62.
    assert!(decode(&text.replacen("02", "-", 1)).is_err());
}

#[test]
fn alphabets_are_one_at_a_time_and_padding_is_right_or_absent() {
    let url = rich().written_as(Format::V1, Encoding::Base64Url).encode().unwrap();
    let standard = url.replace('-', "+").replace('_', "/");
    let padding = "==";
    for (text, encoding) in [
        (url.clone(), Encoding::Base64Url),
        (format!("{url}{padding}"), Encoding::Base64Url),
        (standard.clone(), Encoding::Base64),
        (format!("{standard}{padding}"), Encoding::Base64),
    ] {
        let token = decode(&text).unwrap();
        assert_eq!((token.encoding(), token.encode().unwrap()), (encoding, url.clone()));
    }
    let mixed = refusal(&url.replacen('-', "+", 1));
    assert!(matches!(mixed.0, Problem::MixedAlphabets(_)), "{mixed:?}");
    for wrong in ["=", "===", "===="] {
        assert_eq!(refusal(&format!("{url}{wrong}")).0, Problem::Padding, "{wrong}");
    }
    assert_eq!(refusal(&format!("{url}{padding}A")).0, Problem::Padding);
    assert!(decode(&url.replacen("MDAx", "MD==", 1)).is_err());
}

/// The spare bits of the last base64 character must be zero: else one token would have many texts.
#[test]
fn spare_bits_are_zero() {
    for location in ["o", "on", "one"] {
        let key = RootKey::from_derived([7; 32]);
        let macaroon = Macaroon::mint(&key, location, b"id").unwrap();
        let text = macaroon.to_text(Format::V1, Encoding::Base64Url).unwrap();
        let (head, last) = text.split_at(text.len() - 1);
        let readable = ('0'..='9').chain('A'..='Z').chain('a'..='z').chain(['-', '_']);
        let twins = readable.filter(|spare| {
            Macaroon::from_text(&format!("{head}{spare}"), &DecodeOptions::default()).is_ok_and(
                |(twin, _)| twin.to_bytes(Format::V1).unwrap() == macaroon.to_bytes(Format::V1).unwrap(),
            )
        });
        assert_eq!(twins.collect::<String>(), last, "{location}");
    }
}

#[test]
fn the_length_counts_with_the_prefix_and_before_anything_is_decoded() {
    let max = Limits::ONEDATA.text;
    assert_eq!(max, 1_048_576);
    let too_long = Problem::TooLong { len: max + 1, max };
    for fill in ["A", "0", "=", "-", "\n", "\u{0}"] {
        assert_eq!(refusal(&fill.repeat(max + 1)), (too_long.clone(), max));
        let error = decode(&fill.repeat(max)).unwrap_err();
        assert_ne!(error.stage(), "limit", "{fill:?}");
    }
    // A whole token of exactly the limit, and one of one character more.
    for prefix in ["", "opw-"] {
        let text = format!("{prefix}{}", filled(max - prefix.len()));
        assert_eq!(text.len(), max);
        assert_eq!(decode(&text).unwrap().encode().unwrap(), text);
        let error = Token::decode(&text, &limits(|limits| limits.text = max - 1)).unwrap_err();
        assert_eq!(error.problem(), &Problem::TooLong { len: max, max: max - 1 });
    }
    let prefixed = format!("opw-{}", filled(max));
    assert_eq!(refusal(&prefixed), (Problem::TooLong { len: max + 4, max }, max));
}

/// A token whose base64url has this many characters, a multiple of four, with the longest caveats that packets hold.
fn filled(characters: usize) -> String {
    let bytes = characters / 4 * 3;
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "onezone", b"id").unwrap();
    let overhead = "000bcid \n".len() - 2;
    loop {
        let left = bytes - macaroon.to_bytes(Format::V1).unwrap().len();
        let value = match left {
            0 => break,
            left if left > 70_000 => 60_000,
            left if left > 65_000 => left / 2,
            left => left - overhead - 2,
        };
        macaroon.attenuate("x".repeat(value)).unwrap();
    }
    macaroon.to_text(Format::V1, Encoding::Base64Url).unwrap()
}

#[test]
fn caveats_are_counted_and_fields_are_measured() {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "onezone", b"id").unwrap();
    (0..Limits::ONEDATA.caveats).for_each(|_| macaroon.attenuate("time < 1").unwrap());
    let text = macaroon.to_text(Format::V1, Encoding::Base62).unwrap();
    assert_eq!(decode(&text).unwrap().macaroon().caveats().len(), 1024);
    macaroon.attenuate("time < 1").unwrap();
    let text = macaroon.to_text(Format::V1, Encoding::Base62).unwrap();
    let error = decode(&text).unwrap_err();
    assert_eq!((error.problem(), error.unit()), (&Problem::TooManyCaveats(1024), "byte"));
    assert!(Token::decode(&text, &limits(|limits| limits.caveats = 1025)).is_ok());
    assert!(Token::decode(&text, &limits(|limits| limits.caveats = 0)).is_err());

    let options = limits(|limits| limits.field = 43);
    assert!(Token::decode(BASE62, &options).is_ok());
    let options = limits(|limits| limits.field = 42);
    let error = Token::decode(BASE62, &options).unwrap_err();
    assert_eq!(error.problem(), &Problem::FieldTooLong { field: "identifier", len: 43, max: 42 });

    let bytes = token().macaroon().to_bytes(Format::V1).unwrap();
    let options = limits(|limits| limits.text = bytes.len());
    assert!(Macaroon::from_bytes(bytes.clone(), &options).is_ok());
    let options = limits(|limits| limits.text = bytes.len() - 1);
    let error = Macaroon::from_bytes(bytes.clone(), &options).unwrap_err();
    assert_eq!(error.problem(), &Problem::TooLong { len: bytes.len(), max: bytes.len() - 1 });
}

#[test]
fn a_token_is_within_the_limits_if_its_text_is_read() {
    let key = RootKey::from_derived([7; 32]);
    for (location, id, caveats) in [
        ("onezone", "vcPiHpi0xfmkVNtJtyCH5SoGm5ZlwbQuzPhDE0x3hUc", &["time < 1"][..]),
        ("", "i", &[]),
        (
            "a.location.that.is.longer.than.a.signature",
            "id",
            &["a caveat of some forty characters or more", "b"],
        ),
    ] {
        let mut token = Token::mint_legacy(&key, location, id).unwrap();
        caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
        for (format, encoding) in [
            (Format::V1, Encoding::Base62),
            (Format::V1, Encoding::Base64Url),
            (Format::V2, Encoding::Base64Url),
        ] {
            let token = token.clone().written_as(format, encoding);
            let text = token.encode().unwrap();
            let mut answers = [0, 0];
            for field in 0..50 {
                for caveats in 0..4 {
                    for len in [text.len() - 1, text.len()] {
                        let options = limits(|limits| {
                            (limits.field, limits.caveats, limits.text) = (field, caveats, len);
                        });
                        let read = Token::decode(&text, &options).is_ok();
                        assert_eq!(
                            token.is_within(&options.limits, &text),
                            read,
                            "{location} {field} {caveats} {len}"
                        );
                        answers[usize::from(read)] += 1;
                    }
                }
            }
            assert!(answers.iter().all(|count| *count > 0));
        }
    }
}

/// No base64 text is mistaken for base62, for any location and so any offset of the escapes.
#[test]
fn detection_does_not_depend_on_the_location() {
    let key = RootKey::from_derived([7; 32]);
    for len in (0..70).chain([255, 256, 4000, 65_521]) {
        let macaroon = Macaroon::mint(&key, &"x".repeat(len), b"id").unwrap();
        for encoding in [Encoding::Base62, Encoding::Base64Url] {
            let text = macaroon.to_text(Format::V1, encoding).unwrap();
            let (read, spelling) = Macaroon::from_text(&text, &DecodeOptions::default()).unwrap();
            assert_eq!(spelling.encoding, encoding, "{len}");
            assert_eq!(read.to_text(Format::V1, encoding).unwrap(), text, "{len}");
        }
    }
}

#[test]
fn messages_say_where_and_show_nothing_of_the_token() {
    for (text, message) in [
        ("", "the token is empty, at character 0"),
        (
            "xyz-abc",
            "the prefix is neither `opw-` nor `opp-`, or stands before something other than a token of Onedata, at character 0",
        ),
        (
            "MDAxNmxvY2F0VhdG",
            "`0V` is no escape of base62, where 0 to 5 follow a 0: characters are missing or changed here, at character 11",
        ),
        ("MDAx\u{1b}", "'\\u{1b}' is no character of a token, at character 4"),
        ("zzzz", "the length field of the first packet is not four lower-case hexadecimal digits, at byte 0"),
    ] {
        assert_eq!(decode(text).unwrap_err().to_string(), message);
    }
    let shown = format!("{:?} {:?}", token(), inspect(BASE62, &DecodeOptions::default()).unwrap());
    assert!(shown.contains("JUq4aKVBRMuE7qKlsPTyM_IKxzXesVuQR0c_2Wi9qY4"), "{shown}");
    for secret in ["bfe072c8", "191, 224, 114", "v02By", "v-By"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn encodings_have_names() {
    let names = [Encoding::Base62, Encoding::Base64Url, Encoding::Json].map(Encoding::as_str);
    assert_eq!(names, ["base62", "base64url", "json"]);
}

/// The error names the first of two faults. In base62, its offset counts the escapes.
#[test]
fn offsets_count_characters_of_the_text_as_it_came() {
    assert_eq!(refusal("AAAA-AAA+AAA!AAA"), (Problem::MixedAlphabets('+'), 8));
    assert_eq!(refusal("AAAA-AAA!AAA+AAA"), (Problem::Character('!'), 8));
    let whole = rich().macaroon().to_text(Format::V1, Encoding::Base62).unwrap();
    let mut trailing = 0;
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef".chars() {
        let mut text = whole.clone();
        text.pop();
        text.push(last);
        if let Err(error) = decode(&text)
            && error.problem() == &Problem::TrailingBits
        {
            assert_eq!(error.offset(), text.len() - 1, "{last}");
            trailing += 1;
        }
    }
    assert!(trailing > 0, "none has bits left over");
}
