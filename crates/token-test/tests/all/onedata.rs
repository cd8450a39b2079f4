//! Tokens that Onedata wrote: minted, read, verified, and attacked.

use token_core::{
    Caveat, CaveatTypes, Context, DecodeOptions, Encoding, Format, Identifier, LegacyType, Macaroon,
    Predicate, PredicateBuf, RootKey, Token, UnixTime, Verifier, VerifyError, inspect,
};
use token_test::vectors::{self, Golden};
use token_test::{bit_flips, text, truncations};

fn predicates(golden: &Golden) -> impl Iterator<Item = Predicate<'_>> {
    golden.caveats.iter().map(|caveat| Predicate::read(caveat.as_bytes()).unwrap())
}

fn verify(golden: &Golden, macaroon: &Macaroon, key: &RootKey) -> Result<(), VerifyError> {
    Verifier::new(&golden.context()).verify(macaroon, key).map(drop)
}

fn decode(text: &str) -> Result<Token, token_core::DecodeError> {
    Token::decode(text, &DecodeOptions::default())
}

#[test]
fn they_are_minted_byte_for_byte() {
    for golden in vectors::golden() {
        let identifier = Identifier::read(golden.identifier.as_bytes()).unwrap();
        let mut token = match identifier.v2() {
            Some(identifier) => Token::mint(&golden.key().root_key(), &golden.location, identifier).unwrap(),
            None => {
                Token::mint_legacy(&golden.key().root_key(), &golden.location, &golden.identifier).unwrap()
            }
        };
        for predicate in predicates(&golden) {
            token.attenuate(predicate.to_string()).unwrap();
        }
        assert_eq!(token.macaroon().signature().expose(), &golden.signature, "{}", golden.name);
        assert_eq!(token.macaroon().to_bytes(Format::V1).unwrap(), golden.bytes(), "{}", golden.name);
        assert_eq!(token.encode().unwrap(), golden.base62, "{}", golden.name);
        assert_eq!(
            token.written_as(Format::V1, Encoding::Base64Url).encode().unwrap(),
            golden.base64url,
            "{}",
            golden.name
        );
    }
}

#[test]
fn they_are_read_field_by_field_in_both_encodings() {
    for golden in vectors::golden() {
        for (encoding, text) in golden.texts() {
            let token = decode(text).unwrap();
            assert_eq!((token.encoding(), token.service()), (encoding, None), "{}", golden.name);
            let macaroon = token.macaroon();
            assert_eq!(macaroon.location(), golden.location.as_bytes(), "{}", golden.name);
            assert_eq!(macaroon.identifier(), golden.identifier.as_bytes(), "{}", golden.name);
            assert_eq!(macaroon.signature().expose(), &golden.signature, "{}", golden.name);
            let caveats: Vec<&[u8]> = macaroon
                .caveats()
                .map(|caveat| match caveat {
                    Caveat::FirstParty { predicate } => predicate,
                    Caveat::ThirdParty { .. } => panic!("{}: Onedata has no third parties", golden.name),
                })
                .collect();
            assert_eq!(
                caveats,
                golden.caveats.iter().map(String::as_bytes).collect::<Vec<_>>(),
                "{}",
                golden.name
            );
            assert_eq!(token.encode().unwrap(), text, "{}", golden.name);
        }
    }
}

#[test]
fn identifiers_read_as_onedata_reads_them() {
    let mut modern = 0;
    for golden in vectors::golden() {
        let token = decode(&golden.base62).unwrap();
        match (&golden.token, token.identifier()) {
            (Some(expected), Identifier::V2(identifier)) => {
                assert_eq!(serde_json::to_value(identifier).unwrap(), *expected, "{}", golden.name);
                assert_eq!(identifier.write().unwrap(), golden.identifier, "{}", golden.name);
                assert_eq!(
                    token.identifier().id(),
                    expected["id"].as_str().unwrap().as_bytes(),
                    "{}",
                    golden.name
                );
                modern += 1;
            }
            (None, Identifier::Opaque(id)) => assert_eq!(id, golden.identifier.as_bytes(), "{}", golden.name),
            (_, other) => panic!("{}: {other:?}", golden.name),
        }
    }
    assert_eq!(modern, vectors::onedata().len());
}

#[test]
fn caveats_come_out_of_json_as_they_went_in() {
    for golden in vectors::golden() {
        for caveat in &golden.caveats {
            let predicate = Predicate::read(caveat.as_bytes()).unwrap();
            assert_eq!(predicate.to_string(), *caveat);
            let json = serde_json::to_string(&predicate).unwrap();
            let back: PredicateBuf = serde_json::from_str(&json).unwrap();
            assert_eq!(back.as_str(), caveat, "{json}");
            assert_eq!(PredicateBuf::read(caveat.as_str()).unwrap(), back);
        }
    }
}

#[test]
fn they_are_verified_with_their_secret() {
    for golden in vectors::golden() {
        let token = decode(&golden.base62).unwrap();
        let verified =
            Verifier::new(&golden.context()).verify(token.macaroon(), &golden.key().root_key()).unwrap();
        let expiry = predicates(&golden).filter_map(|predicate| match predicate {
            Predicate::Time { valid_until } => Some(valid_until.to_time()),
            _ => None,
        });
        assert_eq!(verified.expires_at(), expiry.min(), "{}", golden.name);
        assert_eq!(verified.identifier(), Some(token.identifier()), "{}", golden.name);
        assert_eq!(verified.subject(), token.identifier().v2().map(|it| it.subject), "{}", golden.name);
        assert_eq!(verified.token_type(), token.identifier().v2().map(|it| it.token_type), "{}", golden.name);
    }
}

#[test]
fn legacy_invitations_are_good_for_their_own_type_alone() {
    let types = [
        "group_invite_token",
        "group_invite_user_token",
        "group_invite_group_token",
        "space_create_token",
        "space_invite_user_token",
        "space_invite_group_token",
        "space_support_token",
        "provider_registration_token",
    ]
    .map(|name| LegacyType::from_name(name).unwrap());
    for golden in vectors::golden().iter().filter(|golden| golden.token.is_none()) {
        let stated = golden.caveats[0].strip_prefix("tokenType = ").and_then(LegacyType::from_name);
        let token = decode(&golden.base62).unwrap();
        let facts = Context::at(UnixTime::from_secs(1));
        for asked in types {
            let verifier = Verifier::new(&facts).supporting(CaveatTypes::LEGACY_INVITE).stating(Some(asked));
            let verified =
                verifier.verify(token.macaroon(), &golden.key().root_key()).map(|it| it.legacy_type());
            let expected = match stated {
                Some(stated) if stated != asked => Err(VerifyError::WrongType { stated }),
                _ => Ok(stated),
            };
            assert_eq!(verified, expected, "{} as {asked}", golden.name);
        }
    }
}

#[test]
fn any_other_secret_is_refused() {
    for golden in vectors::golden() {
        let macaroon = Macaroon::from_bytes(golden.bytes(), &DecodeOptions::default()).unwrap().0;
        verify(&golden, &macaroon, &golden.key().root_key()).unwrap();
        let flipped = bit_flips(golden.secret()).map(|(_, secret)| secret);
        let cut = truncations(golden.secret()).map(<[u8]>::to_vec);
        let longer = [[golden.secret(), b"\0"].concat(), Vec::new()];
        for secret in flipped.chain(cut).chain(longer) {
            let refused = verify(&golden, &macaroon, &RootKey::derive_any(&secret));
            assert_eq!(refused, Err(VerifyError::BadSignature), "{}", golden.name);
        }
        // The secret itself instead of the derived key, if it has the length of one.
        if let Ok(raw) = <[u8; 32]>::try_from(golden.secret()) {
            let refused = verify(&golden, &macaroon, &RootKey::from_derived(raw));
            assert_eq!(refused, Err(VerifyError::BadSignature), "{}", golden.name);
        }
    }
}

/// The location is not signed. Everything else is, or the decoder checks it.
#[test]
fn every_bit_outside_the_location_matters_in_both_encodings() {
    for golden in vectors::golden() {
        let (bytes, key) = (golden.bytes(), golden.key().root_key());
        let location = 13..13 + golden.location.len();
        assert_eq!(&bytes[location.clone()], golden.location.as_bytes());
        let facts = golden.context();
        let mut relocated = 0;
        let verifier = Verifier::new(&facts);
        for (index, forged) in bit_flips(&bytes) {
            for text in [text::base62(&forged), text::base64url(&forged)] {
                let accepted =
                    decode(&text).is_ok_and(|token| verifier.verify(token.macaroon(), &key).is_ok());
                let may_be = location.contains(&index);
                assert!(may_be || !accepted, "{}: byte {index} was flipped unnoticed", golden.name);
                relocated += u32::from(accepted);
            }
        }
        // Seven bits of each byte, each of which leaves ASCII as ASCII.
        assert_eq!(relocated, 7 * 2 * u32::try_from(golden.location.len()).unwrap(), "{}", golden.name);
    }
}

#[test]
fn every_truncation_is_refused_and_diagnosed() {
    let options = DecodeOptions::default();
    for golden in vectors::golden() {
        for (_, whole) in golden.texts() {
            for prefix in truncations(whole.as_bytes()) {
                let prefix = str::from_utf8(prefix).unwrap();
                let error = decode(prefix).unwrap_err();
                let damage = inspect(prefix, &options).unwrap_err();
                assert_eq!(damage.error, error, "{}", golden.name);
                assert!(damage.partial.signature().is_none(), "{} cut to {}", golden.name, prefix.len());
                assert!(error.offset() <= prefix.len(), "{}: {error}", golden.name);
                let report =
                    serde_json::to_value(damage.partial.report(UnixTime::MAX).with_signature()).unwrap();
                assert_eq!(report["signature"], serde_json::Value::Null, "{}", golden.name);
                assert_eq!(report["verified"], false, "{}", golden.name);
            }
        }
        for prefix in truncations(&golden.bytes()) {
            for text in [text::base62(prefix), text::base64url(prefix)] {
                decode(&text).unwrap_err();
            }
            Macaroon::from_bytes(prefix, &options).unwrap_err();
        }
    }
}

/// The readable part of a truncated text agrees with the whole one.
#[test]
fn what_is_read_before_a_cut_is_true() {
    let options = DecodeOptions::default();
    for golden in vectors::golden() {
        for (encoding, whole) in golden.texts() {
            let mut seen = 0;
            for len in 20..whole.len() {
                let partial = inspect(whole.get(..len).unwrap(), &options).unwrap_err().partial;
                assert_eq!(partial.encoding(), Some(encoding), "{} cut to {len}", golden.name);
                assert!(
                    partial.location().is_none_or(|it| it == golden.location.as_bytes()),
                    "{}",
                    golden.name
                );
                assert!(
                    partial.identifier().is_none_or(|it| it == golden.identifier.as_bytes()),
                    "{}",
                    golden.name
                );
                assert!(partial.caveats().len() >= seen, "{} cut to {len} shows less", golden.name);
                seen = partial.caveats().len();
                for (caveat, expected) in partial.caveats().zip(&golden.caveats) {
                    assert_eq!(
                        caveat,
                        Caveat::FirstParty { predicate: expected.as_bytes() },
                        "{}",
                        golden.name
                    );
                }
            }
        }
    }
}

/// The text alone determines the encoding, and the other is never tried. So no text has two readings.
#[test]
fn the_encodings_are_told_apart() {
    let options = DecodeOptions::default();
    for golden in vectors::golden() {
        for (encoding, text) in golden.texts() {
            for prefix in ["", "opw-", "opp-"] {
                let (_, spelling) = Macaroon::from_text(&format!("{prefix}{text}"), &options).unwrap();
                assert_eq!(spelling.encoding, encoding, "{}", golden.name);
                assert_eq!(
                    spelling.service.map(|kind| kind.as_str()).unwrap_or_default(),
                    prefix.trim_end_matches('-')
                );
            }
        }
        // A text of letters and digits alone is base62 unless it shows the mark of base64.
        assert!(golden.base62.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(&golden.base64url.as_bytes()[8..16], b"Y2F0aW9u");
    }
}
