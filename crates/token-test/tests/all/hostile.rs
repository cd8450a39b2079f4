//! Input that is crafted to cost time or stack yields a typed error quickly.
//!
//! The bounds here are loose, for builds without optimization on a busy machine; `cargo bench -p token-bench
//! --bench hostile` measures.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use token_core::{
    Context, DecodeError, DecodeOptions, Encoding, Format, Limits, Macaroon, Problem, RootKey, Token,
    UnixTime, Verifier, VerifyError, inspect,
};
use token_test::{hostile, text};

/// The time that an input of this many bytes may take. A quadratic reader takes minutes.
fn bound(len: usize) -> Duration {
    const MIB: usize = 1 << 20;
    Duration::from_secs(2 + 2 * u64::try_from(len / MIB).unwrap())
}

/// Limits that stop nothing here.
fn raised() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.limits.text = usize::MAX;
    options.limits.field = usize::MAX;
    options.limits.caveats = usize::MAX;
    options
}

/// Returns the processor time of this thread, so that other work of the machine does not count. If the system does
/// not report it, the time since the first call.
fn worked() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = told.ok().and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn soon<T>(name: &str, len: usize, then: impl FnOnce() -> T) -> T {
    let start = worked();
    let result = then();
    let took = worked().saturating_sub(start);
    assert!(took < bound(len), "{name} took {took:?}");
    result
}

fn refused(name: &str, text: &str, options: &DecodeOptions) -> DecodeError {
    let damage = soon(name, text.len(), || inspect(text, options).unwrap_err());
    assert!(damage.to_string().len() < 500, "{name}: the message is as long as the input");
    damage.error
}

#[test]
fn two_megabytes_of_text() {
    for (name, text) in hostile::texts() {
        let error = refused(name, &text, &DecodeOptions::default());
        let expected = Problem::TooLong { len: text.len(), max: Limits::ONEDATA.text };
        assert_eq!((error.problem(), error.stage()), (&expected, "limit"), "{name}");
        let error = refused(name, &text, &raised());
        assert_ne!(error.stage(), "limit", "{name}");
    }
}

/// The most that is decoded before a limit is reached.
#[test]
fn one_megabyte_of_text() {
    for (name, mut text) in hostile::texts() {
        let end = (0..=Limits::ONEDATA.text).rev().find(|end| text.is_char_boundary(*end)).unwrap();
        text.truncate(end);
        soon(name, text.len(), || Token::decode(&text, &DecodeOptions::default()).unwrap_err());
    }
}

#[test]
fn a_hundred_thousand_packets() {
    for (name, bytes) in hostile::packets() {
        for options in [DecodeOptions::default(), raised()] {
            let error =
                soon(name, bytes.len(), || Macaroon::from_bytes(bytes.clone(), &options).unwrap_err());
            assert_eq!(error.unit(), "byte", "{name}");
        }
        refused(name, &text::base62(&bytes), &raised());
    }
}

/// Nothing recurses once per caveat, so a long chain costs time and no stack.
#[test]
fn a_hundred_thousand_caveats() {
    let bytes = hostile::long_macaroon(hostile::PACKETS);
    let error = Macaroon::from_bytes(bytes.clone(), &DecodeOptions::default()).unwrap_err();
    assert!(matches!(error.problem(), Problem::TooLong { .. } | Problem::TooManyCaveats(1024)), "{error}");

    let macaroon =
        soon("decoding", bytes.len(), || Macaroon::from_bytes(bytes.clone(), &raised()).unwrap().0);
    assert_eq!(macaroon.caveats().len(), hostile::PACKETS);
    assert_eq!(macaroon.to_bytes(Format::V1).unwrap(), bytes);
    let context = Context::at(UnixTime::from_secs(0));
    let key = RootKey::from_derived([7; 32]);
    let answer = soon("verifying", bytes.len(), || Verifier::new(&context).verify(&macaroon, &key).map(drop));
    assert_eq!(answer, Err(VerifyError::BadSignature));

    // The longest that the limits allow, signed, and verified to the end.
    let mut macaroon = Macaroon::mint(&key, "onezone", b"id").unwrap();
    (0..Limits::ONEDATA.caveats).for_each(|_| macaroon.attenuate("time < 1").unwrap());
    let answer =
        soon("verifying", 0, || Verifier::new(&context).verify(&macaroon, &key).map(|it| it.expires_at()));
    assert_eq!(answer, Ok(Some(UnixTime::from_secs(1))));
}

/// A list is read once when the caveat is parsed and once when it is judged, not once per item.
#[test]
fn lists_as_long_as_a_packet_takes() {
    let key = RootKey::from_derived([7; 32]);
    let mut context = Context::at(UnixTime::from_secs(0));
    context.asn = Some(9);
    for caveat in [
        format!("asn = {}", ["1"; 32_000].join("|")),
        format!("ip = {}", ["1.2.3.4"; 8_000].join("|")),
        format!("data.path = {}", ["L2E="; 13_000].join("|")),
        format!("asn = {}", "|".repeat(65_000)),
    ] {
        let mut macaroon = Macaroon::mint(&key, "onezone", b"id").unwrap();
        (0..4).for_each(|_| macaroon.attenuate(&caveat).unwrap());
        let text = macaroon.to_text(Format::V1, Encoding::Base62).unwrap();
        let options = raised();
        let token = soon("decoding", text.len(), || Token::decode(&text, &options).unwrap());
        let verifier = Verifier::new(&context);
        soon("verifying", text.len(), || verifier.verify(token.macaroon(), &key).map(drop).unwrap_err());
        let inspection = soon("inspecting", text.len(), || inspect(&text, &options).unwrap());
        soon("reporting", text.len(), || {
            serde_json::to_vec(&inspection.report(UnixTime::from_secs(0))).unwrap()
        });
    }
}

#[test]
fn every_prefix_of_a_long_token() {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "onezone", b"id").unwrap();
    let caveats = ["time < 1", "ip = 192.0.2.0/24", "geo.region = EU|Asia", "colour = blue", "data.readonly"];
    caveats.iter().cycle().take(60).for_each(|caveat| macaroon.attenuate(caveat).unwrap());
    let options = DecodeOptions::default();
    for encoding in [Encoding::Base62, Encoding::Base64Url] {
        let whole = macaroon.to_text(Format::V1, encoding).unwrap();
        for (end, _) in whole.char_indices() {
            let prefix = whole.get(..end).unwrap();
            let error = Token::decode(prefix, &options).unwrap_err();
            assert!(error.offset() <= end, "{error}");
        }
        Token::decode(&whole, &options).unwrap();
    }
    let whole = macaroon.to_bytes(Format::V1).unwrap();
    for end in 0..whole.len() {
        Macaroon::from_bytes(whole.get(..end).unwrap(), &options).unwrap_err();
    }
}

/// Lengths that point outside, to themselves, or far beyond the end.
#[test]
fn lengths_that_lie() {
    let options = DecodeOptions::default();
    let [location, identifier, signature] = [
        text::packet("location", "onezone"),
        text::packet("identifier", "id"),
        text::packet("signature", [0; 32]),
    ];
    let parse = |packets: &[&[u8]]| Macaroon::from_bytes(packets.concat(), &options);
    parse(&[&location, &identifier, &signature]).unwrap();
    for declared in 0..7 {
        let lying = format!("{declared:04x}");
        let expected = Problem::PacketTooShort { packet: 0, declared };
        assert_eq!(parse(&[lying.as_bytes()]).unwrap_err().problem(), &expected);
        let expected = Problem::PacketTooShort { packet: 2, declared };
        assert_eq!(
            parse(&[&location, &identifier, lying.as_bytes(), &signature]).unwrap_err().problem(),
            &expected
        );
    }
    for (lying, missing) in
        [("ffff", 0xffff), ("ffffcid ", 0xffff), ("7fffcid x\n", 0x7fff), ("000bcid x\n", 0xb)]
    {
        let missing = missing - lying.len();
        let error = parse(&[&location, &identifier, lying.as_bytes()]).unwrap_err();
        let Problem::Cut { missing: found, .. } = error.problem() else { panic!("{lying:?}: {error}") };
        assert_eq!(*found, missing, "{lying:?}");
    }
    for lying in ["FFFF", "+015", "-015", " 015", "0x15", "01_5", "1e1 ", "\u{661}15", "001G", "001\0"] {
        let bytes = [lying.as_bytes(), b"location onezone\n"].concat();
        let error = Macaroon::from_bytes(bytes, &options).unwrap_err();
        assert_eq!(error.problem(), &Problem::LengthField(0), "{lying:?}");
    }
    // One more or one less than it is.
    for change in [-1_i32, 1] {
        for index in 0..3 {
            let mut packets = [location.clone(), identifier.clone(), signature.clone()];
            let declared = i32::try_from(packets[index].len()).unwrap() + change;
            packets[index].splice(..4, format!("{declared:04x}").into_bytes());
            parse(&[&packets[0], &packets[1], &packets[2]]).unwrap_err();
        }
    }
}

/// The cost that the holder of a good token can cause to a verifier, and that a forger can.
#[test]
fn discharges_that_ask_for_each_other() {
    let context = Context::at(UnixTime::from_secs(0));
    let other = RootKey::from_derived([0; 32]);
    let mut raised = Limits::ONEDATA;
    (raised.discharges, raised.depth) = (usize::MAX, usize::MAX);
    for (name, request) in [
        ("a mesh of 8", hostile::mesh(8)),
        ("a mesh of 64", hostile::mesh(64)),
        ("a doubling chain of 20", hostile::doubling_chain(20)),
        ("a doubling chain of 64", hostile::doubling_chain(64)),
    ] {
        let hostile::Request { root, discharges } = &request;
        for verifier in [Verifier::new(&context), Verifier::new(&context).within(raised)] {
            let answer = soon(name, 0, || {
                verifier.verify_with(root, discharges, &hostile::root_key()).map(drop).unwrap_err()
            });
            assert!(matches!(answer, VerifyError::DischargeMissing { .. }), "{name}: {answer}");
            let answer = soon(name, 0, || verifier.verify_with(root, discharges, &other).map(drop));
            assert_eq!(answer, Err(VerifyError::BadSignature), "{name}");
        }
    }
}

#[test]
fn twenty_thousand_discharges() {
    let context = Context::at(UnixTime::from_secs(0));
    let mut raised = Limits::ONEDATA;
    (raised.discharges, raised.depth) = (usize::MAX, usize::MAX);
    for (name, request) in [("a chain", hostile::chain(20_000)), ("a fan", hostile::fan(20_000))] {
        let hostile::Request { root, discharges } = &request;
        let verifier = Verifier::new(&context);
        let answer = soon(name, 0, || verifier.verify_with(root, discharges, &hostile::root_key()).map(drop));
        assert_eq!(answer, Err(VerifyError::TooManyDischarges { max: 64 }), "{name}");
        // Without limits there is still an answer, on any stack, in time that grows only with the length.
        let len = 20_000 * 200;
        let verifier = verifier.within(raised);
        let answer =
            soon(name, len, || verifier.verify_with(root, discharges, &hostile::root_key()).map(drop));
        assert_eq!(answer, Ok(()), "{name}");
    }
}

#[test]
fn json_nested_a_hundred_thousand_deep() {
    for (name, text) in hostile::nested_json(100_000) {
        for mut options in [DecodeOptions::default(), DecodeOptions::compat()] {
            let error = soon(name, text.len(), || Macaroon::from_text(&text, &options).unwrap_err());
            assert!(matches!(error.stage(), "json" | "limit"), "{name}: {error}");
            options.limits = raised().limits;
            let error = soon(name, text.len(), || Macaroon::from_text(&text, &options).unwrap_err());
            assert_eq!(error.stage(), "json", "{name}: {error}");
            soon(name, text.len(), || inspect(&text, &options).unwrap_err());
        }
    }
}

#[test]
fn v2_lengths_that_lie() {
    for (name, bytes) in hostile::lying_varints() {
        for mut options in [DecodeOptions::default(), DecodeOptions::compat(), raised()] {
            let error =
                soon(name, bytes.len(), || Macaroon::from_bytes(bytes.as_slice(), &options).unwrap_err());
            assert!(matches!(error.stage(), "field" | "limit"), "{name}: {error}");
            options.limits.field = usize::MAX;
            Macaroon::from_bytes(bytes.as_slice(), &options).unwrap_err();
        }
    }
}

#[test]
fn a_hundred_thousand_caveats_in_other_formats() {
    let (v2, v2j) = (hostile::long_v2(hostile::PACKETS), hostile::long_v2j(hostile::PACKETS));
    for bytes in [v2, v2j.into_bytes()] {
        let error = Macaroon::from_bytes(bytes.as_slice(), &DecodeOptions::default()).unwrap_err();
        assert!(
            matches!(error.problem(), Problem::TooLong { .. } | Problem::TooManyCaveats(1024)),
            "{error}"
        );
        let (macaroon, format) =
            soon("decoding", bytes.len(), || Macaroon::from_bytes(bytes.as_slice(), &raised()).unwrap());
        assert_eq!(macaroon.caveats().len(), hostile::PACKETS);
        let again = soon("encoding", bytes.len(), || macaroon.to_bytes(format).unwrap());
        assert!(again == bytes || format == Format::V2J);
    }
}
