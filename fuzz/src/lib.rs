//! What holds of every input, whatever its format.

use token_core::{Caveat, DecodeError, DecodeOptions, EncodeError, Encoding, Format, Macaroon};

/// The strict rules with every limit lifted but that on the whole, so that limits stop no input halfway.
#[must_use]
pub fn strict() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.limits.caveats = usize::MAX;
    options
}

/// The liberal rules, likewise.
#[must_use]
pub fn liberal() -> DecodeOptions {
    let mut options = DecodeOptions::compat();
    options.limits.caveats = usize::MAX;
    options
}

/// Reads bytes by both rules and holds what comes out to the laws. What the strict rules read is returned.
pub fn read_bytes(bytes: &[u8]) -> Option<(Macaroon, Format)> {
    let strictly = survived(Macaroon::from_bytes(bytes, &strict()), bytes.len());
    let liberally = survived(Macaroon::from_bytes(bytes, &liberal()), bytes.len());
    compared(strictly.as_ref(), liberally.as_ref());
    strictly
}

/// Reads text by both rules and holds what comes out to the laws. What the strict rules read is returned.
pub fn read_text(text: &str) -> Option<(Macaroon, Format)> {
    let read = |options| {
        let read = Macaroon::from_text(text, &options).map(|(read, spelling)| (read, spelling.format));
        survived(read, text.len())
    };
    let (strictly, liberally) = (read(strict()), read(liberal()));
    compared(strictly.as_ref(), liberally.as_ref());
    strictly
}

/// An error names a place in the input, and does not repeat the input.
fn survived(read: Result<(Macaroon, Format), DecodeError>, len: usize) -> Option<(Macaroon, Format)> {
    match read {
        Ok(read) => {
            written_and_read_again(&read.0);
            Some(read)
        }
        Err(error) => {
            assert!(error.offset() <= len, "{error}");
            assert!((1..400).contains(&error.to_string().len()), "{error}");
            None
        }
    }
}

/// What the strict rules read, the liberal ones read the same.
fn compared(strictly: Option<&(Macaroon, Format)>, liberally: Option<&(Macaroon, Format)>) {
    let Some((strict, format)) = strictly else { return };
    let Some((liberal, also)) = liberally else {
        panic!("the liberal rules refuse what the strict ones read")
    };
    assert_eq!(format, also);
    assert!(same(strict, liberal), "the liberal rules read something else");
}

/// Whether two macaroons have the same fields, those that are not signed among them.
#[must_use]
pub fn same(one: &Macaroon, other: &Macaroon) -> bool {
    one.location() == other.location()
        && one.identifier() == other.identifier()
        && one.signature().expose() == other.signature().expose()
        && one.caveats().eq(other.caveats())
}

/// Each format that takes the macaroon gives it back whole, in one way.
fn written_and_read_again(macaroon: &Macaroon) {
    // What the liberal rules alone read is read again by them alone.
    let options = liberal();
    for format in [Format::V1, Format::V2, Format::V2J] {
        let written = match macaroon.to_bytes(format) {
            Ok(written) => written,
            Err(EncodeError::NotUtf8 { .. } | EncodeError::FieldTooLong { .. }) if format == Format::V1 => {
                continue;
            }
            Err(EncodeError::VidLength { .. }) if has_odd_vid(macaroon) => continue,
            Err(error) => panic!("{format:?}: {error}"),
        };
        if written.len() > options.limits.text || (format == Format::V1 && has_empty_field(macaroon)) {
            continue;
        }
        let (again, read) = Macaroon::from_bytes(written.as_slice(), &options)
            .unwrap_or_else(|error| panic!("what is written as {format:?} is read: {error}"));
        assert_eq!(read, format);
        assert!(same(macaroon, &again), "{format:?}");
        assert_eq!(again.to_bytes(format).as_deref(), Ok(written.as_slice()), "{format:?}");
        for encoding in [Encoding::Base62, Encoding::Base64Url] {
            let text =
                macaroon.to_text(format, encoding).expect("what is written as bytes is written as text");
            if text.len() <= options.limits.text {
                let (again, spelling) =
                    Macaroon::from_text(&text, &options).expect("what is written is read");
                assert_eq!(spelling.format, format);
                assert!(same(macaroon, &again), "{format:?}");
            }
        }
    }
}

fn has_odd_vid(macaroon: &Macaroon) -> bool {
    macaroon.caveats().any(|it| matches!(it, Caveat::ThirdParty { vid, .. } if vid.len() != 72))
}

/// v1 has no empty predicate by either rule.
fn has_empty_field(macaroon: &Macaroon) -> bool {
    macaroon.caveats().any(|it| match it {
        Caveat::FirstParty { predicate } => predicate.is_empty(),
        Caveat::ThirdParty { identifier, .. } => identifier.is_empty(),
    })
}
