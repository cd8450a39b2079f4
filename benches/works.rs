//! The works W1 to W9, which all benchmarks measure, and the same works with the crate `macaroon`.

use std::hint::black_box;

use macaroon::{Format as OracleFormat, Macaroon as OracleMacaroon, MacaroonKey, Verifier as OracleVerifier};
use token_api::{MintRequest, Purpose};
use token_core::{
    CaveatTypes, Context, DecodeOptions, Encoding, Format, IdentifierV2, Interface, InviteType, Kernel,
    LegacyType, Persistence, Region, RootKey, Subject, Token, TokenType, UnixTime, Verifier, VerifyError,
    inspect,
};
use token_test::world::{SPACE, START, World};

/// A secret as the authority draws it.
const SECRET: &[u8; 32] = b"\x5e\x0c\xf3\x91\x28\xb7\x4a\xd6\x13\x89\xee\x42\xa0\x7f\x35\xc8\x61\x1d\x94\xbb\x0a\xe7\x56\x2f\xd3\x78\x8c\x49\xf0\x26\xb1\x6d";
const LOCATION: &str = "onezone";
pub(crate) const ID: &str = "vcPiHpi0xfmkVNtJtyCH5SoGm5ZlwbQuzPhDE0x3hUc";
pub(crate) const CAVEAT: &str = "tokenType = space_support_token";
const ADDED: &str = "time < 1700604800";
/// The location of the invitation of W3.
pub const DOMAIN: &str = "domain.example.com";
/// The identifier of the invitation of W3.
pub const IDENTIFIER: IdentifierV2<&str> = IdentifierV2 {
    persistence: Persistence::Named,
    subject: Subject::User("invitation-sender"),
    token_type: TokenType::Invite { invite: InviteType::SupportSpace, target: "SpaceId" },
    id: "1234567890example-id1234567890e",
};
/// The caveats of W3, of the vocabulary of Onedata.
pub const CAVEATS: [&str; 8] = [
    "time < 8374891234",
    "ip = 172.98.11.23/32",
    "asn = 322",
    "geo.country = PL|FR",
    "geo.region = Asia|EU",
    "consumer = usr-user-id|grp-group-id",
    "interface = graphsync",
    "api = all/all/*.*.*:*",
];

/// A work to measure.
#[allow(missing_debug_implementations, reason = "closures")]
pub struct Work {
    /// `W1` to `W9`.
    pub name: &'static str,
    /// A description.
    pub what: &'static str,
    /// Does it once with this library. Panics if the result is wrong.
    pub ours: Box<dyn Fn()>,
    /// Does it once with the crate `macaroon`, if that can.
    pub oracle: Option<Box<dyn Fn()>>,
    /// The number of SHA-256 blocks of its chain, with the key of the key derivation precomputed; `None` if it
    /// computes no chain.
    pub blocks: Option<usize>,
}

/// The number of blocks behind the padded key for a message of this many bytes: the message, `0x80`, and its length
/// in 8 bytes (FIPS 180-4 §5.1.1).
const fn message_blocks(len: usize) -> usize {
    (len + 1 + 8).div_ceil(64)
}

/// One HMAC under a new key: the padded key twice, the message, and the inner digest.
pub(crate) const fn hmac_blocks(len: usize) -> usize {
    2 + message_blocks(len) + 1
}

fn chain_blocks(identifier: &[u8], caveats: &[&str]) -> usize {
    hmac_blocks(identifier.len()) + caveats.iter().map(|caveat| hmac_blocks(caveat.len())).sum::<usize>()
}

const DERIVE_BLOCKS: usize = message_blocks(SECRET.len()) + 1;

fn mint(location: &str, id: &str, caveats: &[&str], encoding: Encoding) -> String {
    let key = RootKey::derive(SECRET).unwrap();
    let mut token = Token::mint_legacy(&key, location, id).unwrap();
    caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
    token.written_as(Format::V1, encoding).encode().unwrap()
}

fn verify(text: &str, verifier: &Verifier<'_>) -> Result<Option<UnixTime>, VerifyError> {
    let key = RootKey::derive(SECRET).unwrap();
    let token = Token::decode(text, &DecodeOptions::default()).unwrap();
    verifier.verify(token.macaroon(), &key).map(|verified| verified.expires_at())
}

fn oracle_mint(location: &str, id: &str, caveats: &[&str]) -> String {
    let key = MacaroonKey::generate(SECRET);
    let mut token = OracleMacaroon::create(Some(location.into()), &key, id.into()).unwrap();
    caveats.iter().for_each(|caveat| token.add_first_party_caveat((*caveat).into()));
    token.serialize(OracleFormat::V1).unwrap()
}

fn oracle_verify(text: &str, verifier: &OracleVerifier) -> bool {
    let key = MacaroonKey::generate(SECRET);
    let token = OracleMacaroon::deserialize(text).unwrap();
    verifier.verify(&token, &key, Vec::new()).is_ok()
}

fn oracle_verifier(caveats: &[&str]) -> OracleVerifier {
    let mut verifier = OracleVerifier::default();
    caveats.iter().for_each(|caveat| verifier.satisfy_exact((*caveat).into()));
    verifier
}

fn context() -> Context {
    let mut context = Context::at(UnixTime::from_secs(START));
    context.peer_ip = Some([172, 98, 11, 23].into());
    context.asn = Some(322);
    context.country = Some("PL".into());
    context.regions = Some([Region::Eu].into());
    context.consumer = Some(Subject::User("user-id".into()));
    context.interface = Some(Interface::Graphsync);
    context
}

/// Verifies a legacy token that invites to support a space.
fn support(context: &Context) -> Verifier<'_> {
    Verifier::new(context).supporting(CaveatTypes::LEGACY_INVITE).stating(Some(LegacyType::SpaceSupport))
}

/// The text of W1, in base64url.
#[must_use]
pub fn text() -> String {
    mint(LOCATION, ID, &[CAVEAT], Encoding::Base64Url)
}

/// Returns all works, W1 to W9. Their common inputs are made beforehand.
#[must_use]
pub fn all() -> Vec<Work> {
    macaroon::initialize().unwrap();
    let mut works = one_caveat();
    works.insert(2, eight_caveats());
    works.push(forgery());
    works.push(authority());
    works
}

fn one_caveat() -> Vec<Work> {
    let text = text();
    let base62 = mint(LOCATION, ID, &[CAVEAT], Encoding::Base62);
    let oracle_text = oracle_mint(LOCATION, ID, &[CAVEAT]);
    assert_eq!(oracle_text.trim_end_matches('='), text);
    let chain = chain_blocks(ID.as_bytes(), &[CAVEAT]);
    let check = |text: &str| {
        let context = Context::at(UnixTime::from_secs(START));
        assert_eq!(verify(black_box(text), &support(&context)), Ok(None));
    };
    let (verified, decoded, attenuated, inspected) = (text.clone(), text.clone(), text.clone(), text.clone());
    let (oracle_verified, oracle_decoded, oracle_attenuated) =
        (oracle_text.clone(), oracle_text.clone(), oracle_text.clone());
    let verifier = oracle_verifier(&[CAVEAT]);
    let added = mint(LOCATION, ID, &[CAVEAT, ADDED], Encoding::Base64Url);
    let oracle_added = oracle_mint(LOCATION, ID, &[CAVEAT, ADDED]);
    assert_eq!(oracle_added.trim_end_matches('='), added);
    vec![
        Work {
            name: "W1",
            what: "mint, 1 caveat",
            ours: Box::new(move || {
                let minted =
                    mint(black_box(LOCATION), black_box(ID), black_box(&[CAVEAT]), Encoding::Base64Url);
                assert_eq!(minted, text);
            }),
            oracle: Some(Box::new(move || {
                assert_eq!(
                    oracle_mint(black_box(LOCATION), black_box(ID), black_box(&[CAVEAT])),
                    oracle_text
                );
            })),
            blocks: Some(DERIVE_BLOCKS + chain),
        },
        Work {
            name: "W2",
            what: "verify, 1 caveat",
            ours: Box::new(move || check(&verified)),
            oracle: Some(Box::new(move || assert!(oracle_verify(black_box(&oracle_verified), &verifier)))),
            blocks: Some(DERIVE_BLOCKS + chain),
        },
        Work {
            name: "W4",
            what: "verify, 1 caveat, from base62",
            ours: Box::new(move || check(&base62)),
            oracle: None,
            blocks: Some(DERIVE_BLOCKS + chain),
        },
        Work {
            name: "W5",
            what: "decode",
            ours: Box::new(move || {
                let token = Token::decode(black_box(&decoded), &DecodeOptions::default()).unwrap();
                assert_eq!(token.macaroon().caveats().len(), 1);
            }),
            oracle: Some(Box::new(move || {
                // Both libraries only read the whole text.
                black_box(OracleMacaroon::deserialize(black_box(&oracle_decoded)).unwrap());
            })),
            blocks: None,
        },
        Work {
            name: "W6",
            what: "attenuate a text",
            ours: Box::new(move || {
                let mut token = Token::decode(black_box(&attenuated), &DecodeOptions::default()).unwrap();
                token.attenuate(black_box(ADDED)).unwrap();
                assert_eq!(token.encode().unwrap(), added);
            }),
            oracle: Some(Box::new(move || {
                let mut token = OracleMacaroon::deserialize(black_box(&oracle_attenuated)).unwrap();
                token.add_first_party_caveat(black_box(ADDED).into());
                assert_eq!(token.serialize(OracleFormat::V1).unwrap(), oracle_added);
            })),
            blocks: Some(hmac_blocks(ADDED.len())),
        },
        Work {
            name: "W7",
            what: "inspect",
            ours: Box::new(move || {
                let inspection = inspect(black_box(&inspected), &DecodeOptions::default()).unwrap();
                assert_eq!((inspection.caveats().len(), inspection.expires_at()), (1, None));
            }),
            oracle: None,
            blocks: None,
        },
    ]
}

fn eight_caveats() -> Work {
    let key = RootKey::derive(SECRET).unwrap();
    let mut token = Token::mint(&key, DOMAIN, &IDENTIFIER).unwrap();
    let identifier = token.macaroon().identifier().to_vec();
    CAVEATS.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
    let text = token.written_as(Format::V1, Encoding::Base64Url).encode().unwrap();
    let oracle_text = oracle_mint(DOMAIN, str::from_utf8(&identifier).unwrap(), &CAVEATS);
    assert_eq!(oracle_text.trim_end_matches('='), text);
    let verifier = oracle_verifier(&CAVEATS);
    let context = context();
    Work {
        name: "W3",
        what: "verify, 8 caveats",
        ours: Box::new(move || {
            let verifier = Verifier::new(&context).supporting(CaveatTypes::ACCESS);
            let until = UnixTime::from_secs(8_374_891_234);
            assert_eq!(verify(black_box(&text), &verifier), Ok(Some(until)));
        }),
        oracle: Some(Box::new(move || assert!(oracle_verify(black_box(&oracle_text), &verifier)))),
        blocks: Some(DERIVE_BLOCKS + chain_blocks(&identifier, &CAVEATS)),
    }
}

/// Flips one bit of the signature.
fn forgery() -> Work {
    let text = text();
    let (rest, end) = text.split_at(text.len() - 5);
    let (flipped, tail) = end.split_at(1);
    let text = [rest, if flipped == "A" { "B" } else { "A" }, tail].concat();
    let padded = format!("{text}{}", "=".repeat(text.len().wrapping_neg() % 4));
    let verifier = oracle_verifier(&[CAVEAT]);
    Work {
        name: "W8",
        what: "refuse a forgery",
        ours: Box::new(move || {
            let context = Context::at(UnixTime::from_secs(START));
            assert_eq!(verify(black_box(&text), &support(&context)), Err(VerifyError::BadSignature));
        }),
        oracle: Some(Box::new(move || assert!(!oracle_verify(black_box(&padded), &verifier)))),
        blocks: Some(DERIVE_BLOCKS + chain_blocks(ID.as_bytes(), &[CAVEAT])),
    }
}

/// Verifies this many stored tokens at once, by this kernel. Panics if one is refused.
pub fn many(kernel: Option<Kernel>, tokens: usize) -> impl Fn() + Sync {
    let world = World::new();
    let request = MintRequest::space_support(SPACE, Subject::User("owner"));
    let texts: Vec<_> = (0..tokens).map(|_| world.authority.mint(&request).unwrap().token).collect();
    move || {
        let context = world.authority.context();
        let (texts, expect) = (black_box(&texts), Some(Purpose::SpaceSupport));
        let answers = world.authority.verify_many_by(kernel, texts, expect, &context);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), tokens);
    }
}

/// Everything that a server does: draw the id and the secret, seal and store them; then look up, open and verify.
fn authority() -> Work {
    let work = |world: &World| {
        let request = MintRequest::space_support(SPACE, Subject::User("owner"));
        let minted = world.authority.mint(&request).unwrap();
        let context = world.authority.context();
        let accepted = world.authority.verify(&minted.token, Some(Purpose::SpaceSupport), &context).unwrap();
        assert_eq!(accepted.uses_left, Some(1));
        accepted
    };
    let world = World::new();
    let accepted = work(&world);
    let macaroon = accepted.token.macaroon();
    let links = macaroon.caveats().map(|caveat| match caveat {
        token_core::Caveat::FirstParty { predicate } => hmac_blocks(predicate.len()),
        token_core::Caveat::ThirdParty { .. } => 0,
    });
    let chain = hmac_blocks(macaroon.identifier().len()) + links.sum::<usize>();
    Work {
        name: "W9",
        what: "authority: mint and verify, in memory",
        ours: Box::new(move || drop(black_box(work(&world)))),
        oracle: None,
        blocks: Some(DERIVE_BLOCKS + 2 * chain),
    }
}
