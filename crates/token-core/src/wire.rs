//! Macaroons as bytes and as text: reading, strictly, and writing, canonically.
//!
//! [`text`] turns text into bytes and back (base62, base64); [`v1`], [`v2`] and [`json`] turn bytes into fields
//! and back.

pub(crate) mod error;
mod field;
pub(crate) mod format;
pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod v1;
pub(crate) mod v2;

use alloc::{string::String, vec, vec::Vec};

use self::{
    error::{DecodeError, EncodeError, Problem},
    format::{DecodeOptions, Format},
    text::Spelling,
};
use crate::{Encoding, Macaroon, Signature, macaroon::Parts};

/// The part of a token that could be read.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) spelling: Option<Spelling>,
    pub(crate) format: Option<Format>,
    /// The length of the binary form or of the JSON document, in bytes.
    pub(crate) len: usize,
    pub(crate) parts: Parts,
    pub(crate) signature: Option<Signature>,
}

/// Reads a whole text. On failure, `reading` keeps the part before the damage.
pub(crate) fn read_text(
    text: &str,
    options: &DecodeOptions,
    reading: &mut Reading,
) -> Result<(), DecodeError> {
    if text.len() > options.limits.text {
        let problem = Problem::TooLong { len: text.len(), max: options.limits.text };
        return Err(DecodeError::text(problem, options.limits.text));
    }
    if text.starts_with('{') {
        reading.spelling = Some(Spelling { encoding: Encoding::Json, ..Spelling::default() });
        return reading.json(text, options);
    }
    let (spelling, decoded) = text::decode(text, options);
    reading.spelling = spelling;
    match decoded {
        // Only Onedata writes the prefix, and it writes only v1.
        Ok(bytes)
            if bytes.first() == Some(&v2::VERSION) && spelling.is_some_and(|it| it.service.is_some()) =>
        {
            Err(DecodeError::text(Problem::Prefix, 0))
        }
        Ok(bytes) => reading.binary(bytes, options),
        // The text is damaged, but the bytes decoded before the damage can still be read. A text that was cut off
        // commonly ends within a group too; the error about the missing bytes then says more.
        Err((error, before)) => {
            let read = reading.binary(before, options);
            reading.signature = None;
            match read {
                Err(cut) if error.is_at_the_end() && cut.is_at_the_end() => Err(cut),
                _ => Err(error),
            }
        }
    }
}

impl Reading {
    fn binary(&mut self, bytes: Vec<u8>, options: &DecodeOptions) -> Result<(), DecodeError> {
        let is_v2 = bytes.first() == Some(&v2::VERSION);
        self.len = bytes.len();
        self.parts.fields = bytes;
        let signature = match is_v2 {
            true => {
                self.format = Some(Format::V2);
                v2::read(&mut self.parts, options)
            }
            false => {
                let read = v1::read(&mut self.parts, options);
                self.format = self.parts.location.or(self.parts.identifier).map(|_| Format::V1);
                read
            }
        };
        self.signature = Some(signature?);
        Ok(())
    }

    fn json(&mut self, document: &str, options: &DecodeOptions) -> Result<(), DecodeError> {
        self.len = document.len();
        let (format, signature) = json::read(document, options, &mut self.parts)?;
        (self.format, self.signature) = (Some(format), Some(signature));
        Ok(())
    }

    #[inline]
    fn into_macaroon(self) -> Result<(Macaroon, Format), DecodeError> {
        match (self.signature, self.format) {
            (Some(signature), Some(format)) => Ok((Macaroon { parts: self.parts, signature }, format)),
            _ => Err(DecodeError::missing_signature(self.len)),
        }
    }

    /// Converts the reading of a whole text to a macaroon and its spelling.
    #[inline]
    pub(crate) fn into_spelled(self, options: &DecodeOptions) -> Result<(Macaroon, Spelling), DecodeError> {
        let spelling = self.spelling.unwrap_or_default();
        let (macaroon, format) = self.into_macaroon()?;
        Ok((macaroon, Spelling { format, liberal: options.liberal, ..spelling }))
    }
}

impl Macaroon {
    /// Reads the binary form: v2 if the first byte is 2, JSON if it is `{`, else v1 packets. For text, use
    /// [`from_text`](Self::from_text): v1 packets look like base64, so the form cannot be detected.
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and at which byte.
    pub fn from_bytes(
        bytes: impl Into<Vec<u8>>,
        options: &DecodeOptions,
    ) -> Result<(Self, Format), DecodeError> {
        let bytes = bytes.into();
        let mut reading = Reading::default();
        if bytes.len() > options.limits.text {
            return Err(DecodeError::too_long(bytes.len(), options.limits.text));
        }
        match bytes.first() {
            Some(b'{') => {
                let document = core::str::from_utf8(&bytes)
                    .map_err(|error| DecodeError::bytes(Problem::NotUtf8("JSON"), error.valid_up_to()))?;
                reading.json(document, options)?;
            }
            _ => reading.binary(bytes, options)?,
        }
        reading.into_macaroon()
    }

    /// Reads a text in base62, base64 or JSON, and returns its spelling too.
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and at which character of the text, or byte of the decoded macaroon.
    pub fn from_text(text: &str, options: &DecodeOptions) -> Result<(Self, Spelling), DecodeError> {
        let mut reading = Reading::default();
        read_text(text, options, &mut reading)?;
        reading.into_spelled(options)
    }

    /// Writes the canonical bytes of a format; those of v2J for v1J.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot carry a field.
    pub fn to_bytes(&self, format: Format) -> Result<Vec<u8>, EncodeError> {
        match format {
            Format::V1 => {
                let mut bytes = vec![0; v1::len(self, false)?];
                v1::write(self, &mut bytes)?;
                Ok(bytes)
            }
            Format::V2 => v2::write(self),
            Format::V2J | Format::V1J => json::write(self).map(String::into_bytes),
        }
    }

    /// Writes the canonical text of a format; that of v2J for v1J. The encoding applies to v1 only. v2 is always
    /// written in base64url without padding, since base62 is Onedata's spelling of v1 alone.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot carry a field.
    pub fn to_text(&self, format: Format, encoding: Encoding) -> Result<String, EncodeError> {
        self.spell(Spelling { format, encoding, ..Spelling::default() })
    }

    /// Writes the text with this spelling: the format, the encoding, and the prefix of a v1 text.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot carry a field.
    pub fn spell(&self, spelling: Spelling) -> Result<String, EncodeError> {
        match (spelling.format, spelling.service) {
            (Format::V1, service) => {
                /// Longer than nearly all tokens, in bytes. For these, only the text is allocated.
                const SHORT: usize = 768;
                let (len, mut short, mut long) = (v1::len(self, spelling.liberal)?, [0; SHORT], Vec::new());
                let bytes = match short.get_mut(..len) {
                    Some(short) => short,
                    None => {
                        long.resize(len, 0);
                        &mut long
                    }
                };
                v1::write(self, bytes)?;
                let mut text = String::new();
                if let Some(service) = service {
                    text.reserve(text::encoded_len(len).saturating_add(4));
                    text.extend([service.as_str(), "-"]);
                }
                text::encode_to(&mut text, bytes, spelling.encoding);
                Ok(text)
            }
            (Format::V2, _) => Ok(text::encode(&v2::write(self)?, Encoding::Base64Url)),
            (Format::V2J | Format::V1J, _) => json::write(self),
        }
    }
}
