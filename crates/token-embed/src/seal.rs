//! `seal` and `open`: root keys at rest, for a host that keeps its own records.

use std::num::NonZeroU64;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use token_core::{Purpose, RootKey, Subject, UnixTime};
use token_store::{Entity, Generation, KeyRing, Owner, Record, StoreError, Terms, TokenId};
use zeroize::Zeroizing;

use crate::{
    error::{Code, Error},
    text::{Octets, Text, object, root_key},
};

/// What a root key is sealed for: the temporary tokens of a subject at one generation, or one token. It opens for this
/// owner alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OwnerDocument<'a> {
    subject: Option<Subject>,
    generation: Option<u64>,
    #[serde(borrow)]
    id: Option<Octets<'a>>,
    #[serde(borrow, rename = "type")]
    purpose: Option<Text<'a>>,
    #[serde(default, deserialize_with = "crate::text::some_object")]
    resource: Option<EntityDocument>,
    issuer: Option<Subject>,
    created_at: Option<u64>,
    expires_at: Option<u64>,
    use_limit: Option<NonZeroU64>,
    #[serde(borrow)]
    body: Option<Octets<'a>>,
}

/// `{"type":"space","id":"…"}`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityDocument {
    r#type: String,
    id: String,
}

impl From<EntityDocument> for Entity {
    fn from(EntityDocument { r#type, id }: EntityDocument) -> Self {
        Self { kind: r#type.into(), id }
    }
}

/// The subject as the store names it.
pub(crate) fn entity(subject: &Subject) -> Entity {
    Entity { kind: subject.kind().into(), id: subject.id().unwrap_or_default().to_owned() }
}

enum OwnerParts {
    Generation { subject: Entity, number: u64 },
    Token(Box<TokenParts>),
}

struct TokenParts {
    id: TokenId,
    purpose: Purpose,
    resource: Option<Entity>,
    issuer: Entity,
    created: UnixTime,
    expires: Option<UnixTime>,
    use_limit: Option<NonZeroU64>,
    body: Vec<u8>,
}

impl TokenParts {
    fn terms(&self) -> Terms<'_> {
        Terms {
            id: &self.id,
            purpose: self.purpose,
            resource: self.resource.as_ref(),
            issuer: &self.issuer,
            created: self.created,
            expires: self.expires,
            use_limit: self.use_limit,
            body: &self.body,
        }
    }
}

impl OwnerDocument<'_> {
    fn parts(&self) -> Result<OwnerParts, Error> {
        match self {
            Self { subject: Some(subject), generation: Some(number), id: None, .. } => {
                Ok(OwnerParts::Generation { subject: entity(subject), number: *number })
            }
            Self {
                subject: None,
                generation: None,
                id: Some(id),
                purpose: Some(purpose),
                issuer: Some(issuer),
                created_at: Some(created),
                ..
            } => Ok(OwnerParts::Token(Box::new(TokenParts {
                id: TokenId::new(&**id).map_err(|error| Error::argument("owner.id", error.to_string()))?,
                purpose: purpose.parse().map_err(|_| Error::argument("owner.type", "no type of a token"))?,
                resource: self.resource.clone().map(Entity::from),
                issuer: entity(issuer),
                created: UnixTime::from_secs(*created),
                expires: self.expires_at.map(UnixTime::from_secs),
                use_limit: self.use_limit,
                body: self.body.as_deref().unwrap_or_default().to_vec(),
            }))),
            _ => {
                let reason =
                    "either subject and generation are needed, or id, type, issuer and createdAt of a token";
                Err(Error::argument("owner", reason))
            }
        }
    }
}

/// Reads the text of a key ring.
pub(crate) fn key_ring(text: &[u8]) -> Result<KeyRing, Error> {
    let not_keys = || Error::argument("keys", "not the text of a key ring");
    KeyRing::from_text(str::from_utf8(text).map_err(|_| not_keys())?).map_err(|_| not_keys())
}

/// `seal`: seals a root key for its owner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Seal<'a> {
    #[serde(borrow)]
    keys: Octets<'a>,
    #[serde(borrow, deserialize_with = "object")]
    owner: OwnerDocument<'a>,
    #[serde(borrow)]
    secret: Option<Octets<'a>>,
    #[serde(borrow)]
    root_key: Option<Octets<'a>>,
}

/// `{"sealed":"…"}`: the text to keep in the record.
#[derive(Serialize)]
pub struct Sealed {
    sealed: String,
}

impl Seal<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Sealed, Error> {
        let keys = key_ring(&self.keys)?;
        let key = root_key(self.secret.as_ref(), self.root_key.as_ref())?;
        let no_random = |_| {
            Error::because(Code::StoreUnavailable, "the operating system gives no random bytes")
                .with(|detail| detail.retry = Some(true))
        };
        let too_large = |error: StoreError| Error::argument("owner", error.to_string());
        let bytes = match self.owner.parts()? {
            OwnerParts::Generation { subject, number } => {
                let owner = Owner::Generation { subject: &subject, number };
                let root_key = keys.seal(&key, owner).map_err(no_random)?;
                Generation { number, root_key }.to_bytes(&subject).map_err(too_large)?
            }
            OwnerParts::Token(parts) => {
                let record = Record::new(parts.terms(), &key, &keys).map_err(no_random)?;
                record.to_bytes().map_err(too_large)?
            }
        };
        Ok(Sealed { sealed: URL_SAFE_NO_PAD.encode(bytes) })
    }
}

/// `open`: opens a sealed root key for its owner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open<'a> {
    #[serde(borrow)]
    keys: Octets<'a>,
    #[serde(borrow, deserialize_with = "object")]
    owner: OwnerDocument<'a>,
    #[serde(borrow)]
    sealed: Text<'a>,
}

/// `{"rootKey":{"hex":"…"}}`: a secret.
pub struct Opened(RootKey);

impl Serialize for Opened {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Hex<'a>(&'a RootKey);

        impl Serialize for Hex<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = Zeroizing::new(String::with_capacity(RootKey::LEN.saturating_mul(2)));
                for byte in self.0.expose() {
                    for half in [byte >> 4, byte & 15] {
                        text.extend(char::from_digit(half.into(), 16));
                    }
                }
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", text.as_str())?;
                map.end()
            }
        }

        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("rootKey", &Hex(&self.0))?;
        map.end()
    }
}

impl Open<'_> {
    /// # Errors
    /// [`Error`], [`Code::StoreCorrupt`] if the key is damaged, or was sealed for another owner or under another ring.
    pub fn answer(&self) -> Result<Opened, Error> {
        let keys = key_ring(&self.keys)?;
        let corrupt = |reason: &'static str| Error::because(Code::StoreCorrupt, reason);
        let damaged = |_| corrupt("the sealed key is damaged, or another owner's");
        let bytes =
            URL_SAFE_NO_PAD.decode(&*self.sealed).map_err(|_| corrupt("the sealed key is damaged"))?;
        let opened = match self.owner.parts()? {
            OwnerParts::Generation { subject, number } => {
                let sealed = Generation::from_bytes(&subject, &bytes).map_err(damaged)?;
                keys.open(&sealed.root_key, Owner::Generation { subject: &subject, number })
            }
            OwnerParts::Token(parts) => {
                let record = Record::from_bytes(parts.id.clone(), &bytes).map_err(damaged)?;
                keys.open(&record.root_key, Owner::Token(parts.terms()))
            }
        };
        opened.map(Opened).map_err(|error| Error::because(Code::StoreCorrupt, error.to_string()))
    }
}
