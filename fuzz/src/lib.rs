//! The properties of every input in every format.

use token_core::{Caveat, DecodeError, DecodeOptions, EncodeError, Encoding, Format, Macaroon};

/// The strict rules with every limit lifted except that on the whole length, so that no limit stops an input halfway.
#[must_use]
pub fn strict() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.limits.caveats = usize::MAX;
    options
}

/// The liberal rules with the same limits.
#[must_use]
pub fn liberal() -> DecodeOptions {
    let mut options = DecodeOptions::compat();
    options.limits.caveats = usize::MAX;
    options
}

/// Reads bytes by both rules and checks the properties of the result. Returns what the strict rules read.
pub fn read_bytes(bytes: &[u8]) -> Option<(Macaroon, Format)> {
    let strictly = survived(Macaroon::from_bytes(bytes, &strict()), bytes.len());
    let liberally = survived(Macaroon::from_bytes(bytes, &liberal()), bytes.len());
    compared(strictly.as_ref(), liberally.as_ref());
    strictly
}

/// Reads text by both rules and checks the properties of the result. Returns what the strict rules read.
pub fn read_text(text: &str) -> Option<(Macaroon, Format)> {
    let read = |options| {
        let read = Macaroon::from_text(text, &options).map(|(read, spelling)| (read, spelling.format));
        survived(read, text.len())
    };
    let (strictly, liberally) = (read(strict()), read(liberal()));
    compared(strictly.as_ref(), liberally.as_ref());
    strictly
}

/// An error points into the input and does not repeat it.
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

/// The liberal rules read the same as the strict rules from everything that these accept.
fn compared(strictly: Option<&(Macaroon, Format)>, liberally: Option<&(Macaroon, Format)>) {
    let Some((strict, format)) = strictly else { return };
    let Some((liberal, also)) = liberally else {
        panic!("the liberal rules refuse what the strict ones read")
    };
    assert_eq!(format, also);
    assert!(same(strict, liberal), "the liberal rules read something else");
}

/// Whether two macaroons have the same fields, unsigned ones included.
#[must_use]
pub fn same(one: &Macaroon, other: &Macaroon) -> bool {
    one.location() == other.location()
        && one.identifier() == other.identifier()
        && one.signature().expose() == other.signature().expose()
        && one.caveats().eq(other.caveats())
}

/// Each format that can carry the macaroon returns it whole, in one encoding.
fn written_and_read_again(macaroon: &Macaroon) {
    // If only the liberal rules read it, only they read it again.
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

/// Neither rule reads an empty predicate in v1.
fn has_empty_field(macaroon: &Macaroon) -> bool {
    macaroon.caveats().any(|it| match it {
        Caveat::FirstParty { predicate } => predicate.is_empty(),
        Caveat::ThirdParty { identifier, .. } => identifier.is_empty(),
    })
}
