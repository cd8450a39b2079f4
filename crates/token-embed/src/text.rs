//! Texts, bytes and secrets in requests. They borrow from the request where its form allows it.

use alloc::{borrow::Cow, string::String, vec, vec::Vec};
use core::{fmt, marker::PhantomData, ops::Deref};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};
use token_core::{PredicateBuf, RootKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;

/// Fails without showing what was found, since it may be a secret in the wrong place.
pub(crate) fn unexpected<E: serde::de::Error>(expected: &'static str) -> E {
    E::invalid_value(Unexpected::Other("something else"), &expected)
}

/// A text.
#[derive(Clone)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in UTF-8")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.into())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text)))
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        core::str::from_utf8(bytes).map(|text| Text(Cow::Borrowed(text))).map_err(|_| unexpected("UTF-8"))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        core::str::from_utf8(bytes).map(|text| Text(Cow::Owned(text.into()))).map_err(|_| unexpected("UTF-8"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor)
    }
}

/// Reads an object only: serde reads a derived struct from an array as well.
pub(crate) struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_map(Object(PhantomData))
}

/// As [`object`], for a member that may be left out or null.
#[cfg(feature = "keys")]
pub(crate) fn some_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    struct Present<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Present<T> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            object(from).map(Self)
        }
    }

    Ok(Option::<Present<T>>::deserialize(from)?.map(|Present(value)| value))
}

/// Bytes that are text, or an object with `hex` or `base64url`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded<'a> {
    #[serde(borrow)]
    hex: Option<Text<'a>>,
    #[serde(borrow)]
    base64url: Option<Text<'a>>,
}

impl Encoded<'_> {
    fn decode<E: serde::de::Error>(self) -> Result<Zeroizing<Vec<u8>>, E> {
        let decoded = match (&self.hex, &self.base64url) {
            (Some(text), None) => hex(text),
            (None, Some(text)) => unarmored(text),
            _ => None,
        };
        for text in [self.hex, self.base64url].into_iter().flatten() {
            if let Cow::Owned(mut text) = text.0 {
                text.zeroize();
            }
        }
        decoded.ok_or_else(|| unexpected("an object with hex, pairs of digits, or with base64url"))
    }
}

/// Reads base64url with its padding or without.
fn unarmored(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let len = ENGINE.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

/// Reads pairs of hexadecimal digits.
fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    rest.is_empty().then_some(bytes)
}

/// Bytes: a string in UTF-8, the bytes themselves where the form has such, `{"hex":…}` or `{"base64url":…}`. What is not
/// borrowed is wiped when dropped. It has no `Debug`, since it may be a secret.
pub(crate) enum Octets<'a> {
    Borrowed(&'a [u8]),
    Owned(Zeroizing<Vec<u8>>),
}

impl Deref for Octets<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

struct OctetsVisitor;

impl<'de> Visitor<'de> for OctetsVisitor {
    type Value = Octets<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes: a string, or an object with hex or base64url")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Octets<'de>, E> {
        Ok(Octets::Borrowed(text.as_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Octets<'de>, E> {
        Ok(Octets::Owned(Zeroizing::new(text.as_bytes().to_vec())))
    }

    fn visit_string<E>(self, text: String) -> Result<Octets<'de>, E> {
        Ok(Octets::Owned(Zeroizing::new(text.into_bytes())))
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Octets<'de>, E> {
        Ok(Octets::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Octets<'de>, E> {
        Ok(Octets::Owned(Zeroizing::new(bytes.to_vec())))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Octets<'de>, E> {
        Ok(Octets::Owned(Zeroizing::new(bytes)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Octets<'de>, A::Error> {
        Encoded::deserialize(MapAccessDeserializer::new(map))?.decode().map(Octets::Owned)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Octets<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OctetsVisitor)
    }
}

/// Derives the root key from exactly one of the two.
pub(crate) fn root_key(secret: Option<&Octets<'_>>, root_key: Option<&Octets<'_>>) -> Result<RootKey, Error> {
    match (secret, root_key) {
        (Some(secret), None) if secret.is_empty() => Err(Error::argument("secret", "it is empty")),
        (Some(secret), None) => Ok(RootKey::derive_any(secret)),
        (None, Some(key)) => <&[u8; RootKey::LEN]>::try_from(&**key)
            .map(|key| RootKey::from_derived(*key))
            .map_err(|_| Error::argument("rootKey", "a root key has 32 bytes")),
        (None, None) => Err(Error::argument("secret", "either secret or rootKey is needed")),
        (Some(_), Some(_)) => {
            Err(Error::argument("rootKey", "either secret or rootKey can be given, not both"))
        }
    }
}

/// A caveat or an identifier in a request: its text, its bytes, or its document.
pub(crate) enum Given<'a, T> {
    Bytes(Octets<'a>),
    Document(T),
}

/// A caveat in a request.
pub(crate) type Condition<'a> = Given<'a, PredicateBuf>;

impl AsRef<[u8]> for Condition<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Document(caveat) => caveat.as_ref(),
        }
    }
}

struct GivenVisitor<T>(PhantomData<T>);

const GIVEN: &str = "a text, a document of the right form, or an object with base64url";

impl<'de, T: Deserialize<'de>> Visitor<'de> for GivenVisitor<T> {
    type Value = Given<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(GIVEN)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Given<'de, T>, E> {
        OctetsVisitor.visit_borrowed_str(text).map(Given::Bytes)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Given<'de, T>, E> {
        OctetsVisitor.visit_str(text).map(Given::Bytes)
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Given<'de, T>, E> {
        OctetsVisitor.visit_borrowed_bytes(bytes).map(Given::Bytes)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Given<'de, T>, E> {
        OctetsVisitor.visit_bytes(bytes).map(Given::Bytes)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given<'de, T>, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, deny_unknown_fields)]
        enum Form<T> {
            Document(T),
            Encoded {
                #[serde(deserialize_with = "base64url")]
                base64url: Zeroizing<Vec<u8>>,
            },
        }
        match Form::deserialize(MapAccessDeserializer::new(map)) {
            Ok(Form::Document(document)) => Ok(Given::Document(document)),
            Ok(Form::Encoded { base64url }) => Ok(Given::Bytes(Octets::Owned(base64url))),
            Err(_) => Err(unexpected(GIVEN)),
        }
    }
}

fn base64url<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    let base64url = Some(Text::deserialize(from)?);
    Encoded { hex: None, base64url }.decode()
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Given<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(GivenVisitor(PhantomData))
    }
}
