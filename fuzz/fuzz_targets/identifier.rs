//! Any bytes as an identifier: what is read is written back unchanged, except for the parameters of `ssp`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Identifier, InviteType, TokenType};

fuzz_target!(|bytes: &[u8]| {
    let identifier = match Identifier::read(bytes) {
        Ok(Identifier::V2(identifier)) => identifier,
        Ok(Identifier::Opaque(id)) => return assert_eq!(id, bytes),
        Err(error) => {
            assert!(error.offset() <= bytes.len(), "{error}");
            return;
        }
    };
    let written = identifier.write().expect("what was read can be written");
    assert_eq!(Identifier::read(written.as_bytes()), Ok(Identifier::V2(identifier)));
    match identifier.token_type {
        TokenType::Invite { invite: InviteType::SupportSpace, .. } => {}
        _ => assert_eq!(written.as_bytes(), bytes),
    }
    let json = serde_json::to_value(identifier).expect("an identifier has a JSON form");
    assert_eq!(json["id"], identifier.id);
});
