//! Writing v2J.

use alloc::string::String;

use crate::{
    Caveat, Macaroon,
    wire::{error::EncodeError, format::writable_vid, text},
};

/// Writes v2J: a UTF-8 field as a string; any other field, and every vid and signature, as base64url without padding.
pub(crate) fn write(macaroon: &Macaroon) -> Result<String, EncodeError> {
    let mut out = String::with_capacity(macaroon.parts.fields.len().saturating_mul(2).saturating_add(64));
    out.push_str("{\"v\":2");
    if !macaroon.location().is_empty() {
        put(&mut out, ",", "l", macaroon.location());
    }
    put(&mut out, ",", "i", macaroon.identifier());
    out.push_str(",\"c\":[");
    for (index, caveat) in macaroon.caveats().enumerate() {
        let open = if index == 0 { "{" } else { ",{" };
        match caveat {
            Caveat::FirstParty { predicate } => put(&mut out, open, "i", predicate),
            Caveat::ThirdParty { identifier, vid, location } => {
                writable_vid(vid)?;
                put(&mut out, open, "i", identifier);
                if !location.is_empty() {
                    put(&mut out, ",", "l", location);
                }
                put_base64(&mut out, "v64", vid);
            }
        }
        out.push('}');
    }
    out.push(']');
    put_base64(&mut out, "s64", macaroon.signature().expose());
    out.push('}');
    Ok(out)
}

fn put(out: &mut String, before: &str, name: &str, value: &[u8]) {
    out.push_str(before);
    match core::str::from_utf8(value) {
        Ok(value) => {
            out.extend(["\"", name, "\":\""]);
            for character in value.chars() {
                match character {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\0'..='\u{1f}' => out.push_str(&alloc::format!("\\u{:04x}", u32::from(character))),
                    plain => out.push(plain),
                }
            }
            out.push('"');
        }
        Err(_) => out.extend(["\"", name, "64\":\"", &text::encode(value, crate::Encoding::Base64Url), "\""]),
    }
}

fn put_base64(out: &mut String, name: &str, value: &[u8]) {
    out.extend([",\"", name, "\":\"", &text::encode(value, crate::Encoding::Base64Url), "\""]);
}
