//! The sample tokens of Onedata's API documents.

use serde::Deserialize;

use super::some_hex_signature;

/// A sample token as an API document prints it, and what is wrong with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiDocument {
    /// The vector's name in failure messages.
    pub id: String,
    /// The document that prints it.
    pub file: String,
    /// The line there, counted from 1.
    pub line: Option<u32>,
    /// The endpoint that the document describes.
    pub endpoint: Option<String>,
    /// The token as printed.
    pub text: String,
    /// Its length in characters.
    pub length: usize,
    /// The alphabet that it is written in.
    pub alphabet: String,
    /// Whether it decodes, in words.
    pub status: String,
    /// What is wrong with it.
    pub why: Option<String>,
    /// The decoded characters before the damage.
    pub head_decodes_to: Option<String>,
    /// Where the part after the damage begins, in characters.
    pub tail_from_char: Option<usize>,
    /// The part after the damage as base64url.
    pub tail_unescaped: Option<String>,
    /// A description of the decoded part.
    pub tail_decodes_to_text: Option<String>,
    /// The signature in it.
    #[serde(default, rename = "tail_signature_hex", deserialize_with = "some_hex_signature")]
    pub tail_signature: Option<[u8; 32]>,
    /// The missing part, as reconstructed.
    pub inference: Option<String>,
    /// The text as base64url, where base62 unescapes.
    pub unescaped: Option<String>,
    /// The decoded text, damage included.
    pub decodes_to_text: Option<String>,
    /// The packets before the damage.
    #[serde(default)]
    pub complete_packets: Vec<Packet>,
    /// The packet that the damage cuts short.
    pub truncated_packet: Option<TruncatedPacket>,
    /// The first bytes, in hexadecimal, where the damage is in them.
    pub raw_first_bytes_hex: Option<String>,
    /// The token before it was damaged, as base64url, where that is known.
    pub restored: Option<String>,
    /// The same as base62.
    pub restored_base62: Option<String>,
    /// The packets of the token before it was damaged.
    #[serde(default)]
    pub restored_packets: Vec<Packet>,
    /// The packets, where nothing is wrong.
    #[serde(default)]
    pub packets: Vec<Packet>,
    /// What kind of token it is.
    pub token_kind: Option<String>,
    /// A remark.
    pub note: Option<String>,
    /// What Onedata's own decoders answer.
    pub expected: Option<DecoderAnswers>,
}

/// A packet. It has a value that is text or else one in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// The key.
    pub key: String,
    /// The value, where it is text.
    pub value: Option<String>,
    /// The value in hexadecimal, where it is not.
    pub hex: Option<String>,
}

/// A packet that ends before its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruncatedPacket {
    /// The key.
    pub key: String,
    /// The length that it declares, in bytes.
    pub declared_length: usize,
    /// The bytes that are there.
    pub available: usize,
    /// The part of its value that is there.
    pub visible_value: String,
    /// The length of the whole value, in bytes.
    pub full_value_length: usize,
}

/// What Onedata's own decoders answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderAnswers {
    /// The decoder of 2016.
    pub legacy_2016_decoder: String,
    /// The decoder of 20.02 and later.
    pub modern_decoder: String,
    /// The decoder of 2016, given the restored token.
    pub restored_legacy: Option<String>,
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use crate::{hex, oracle, vectors};

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
            let (text, packets) = match (&document.restored, &document.unescaped) {
                (Some(restored), _) => (restored, &document.restored_packets),
                (None, Some(unescaped)) => (unescaped, &document.packets),
                (None, None) => continue,
            };
            let Some(signature) = packets.last().and_then(|packet| packet.hex.as_ref()) else { continue };
            let token = oracle::parse(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
            assert_eq!(hex::encode(token.signature), *signature, "{}", document.id);
            assert_eq!(token.location, packets[0].value, "{}", document.id);
            let caveat = packets[2].value.as_ref().unwrap().as_bytes().to_vec();
            assert_eq!(token.caveats[0], oracle::Read::FirstParty(caveat), "{}", document.id);
            whole += 1;
        }
        assert_eq!(whole, 2);
    }
}
