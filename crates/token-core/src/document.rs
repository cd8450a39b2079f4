//! The JSON forms that other forms are made of: bytes, times and caveats, and the reading of identifiers
//! (`onedata-tokens.md` §3).

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
};
use core::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
    ser::SerializeMap,
};

use crate::{Caveat, IdentifierV2, InviteType, Persistence, Predicate, Subject, TokenType, UnixTime};

/// Bytes of a token in a document: a string, or `{"base64url":"…"}` for bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing but the bytes")]
pub struct Bytes<'a>(
    /// The bytes.
    pub &'a [u8],
);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64url", &URL_SAFE_NO_PAD.encode(self.0))?;
                map.end()
            }
        }
    }
}

/// A time in a document: RFC 3339, or the seconds for a time that RFC 3339 cannot represent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing but the time")]
pub struct Stamp(
    /// The time.
    pub UnixTime,
);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_rfc3339() {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_u64(self.0.as_secs()),
        }
    }
}

/// `{"text":…,"caveat":…}`, where `caveat` is null unless the text is in Onedata's vocabulary; for a third-party caveat
/// `{"thirdParty":true,"identifier":…,"location":…}`
impl Serialize for Caveat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match *self {
            Self::FirstParty { predicate } => {
                map.serialize_entry("text", &Bytes(predicate))?;
                map.serialize_entry("caveat", &Predicate::read(predicate))?;
            }
            Self::ThirdParty { identifier, location, .. } => {
                map.serialize_entry("thirdParty", &true)?;
                map.serialize_entry("identifier", &Bytes(identifier))?;
                map.serialize_entry("location", &Bytes(location))?;
            }
        }
        map.end()
    }
}

/// Reads an object only: serde reads a derived struct from an array as well.
struct Object<T>(PhantomData<T>, &'static str);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    from.deserialize_map(Object(PhantomData, expected))
}

/// Does not show what was found, as it may be a secret in the wrong place.
fn other<E: serde::de::Error>(expected: &'static str) -> E {
    E::invalid_value(Unexpected::Other("something else"), &expected)
}

const SUBJECT: &str = "a subject: usr-ID, prv-ID, grp-ID, nobody, or an object with type and id";

struct SubjectVisitor;

impl<'de> Visitor<'de> for SubjectVisitor {
    type Value = Subject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SUBJECT)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Subject, E> {
        Subject::read(text).map(Subject::into_owned).ok_or_else(|| other(SUBJECT))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Subject, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            r#type: String,
            id: Option<String>,
        }
        let Members { r#type, id } = Members::deserialize(MapAccessDeserializer::new(map))?;
        let make = match (r#type.as_str(), &id) {
            ("user", Some(_)) => Subject::User,
            ("oneprovider", Some(_)) => Subject::Provider,
            ("group", Some(_)) => Subject::Group,
            ("nobody", None) => return Ok(Subject::Nobody),
            _ => return Err(other(SUBJECT)),
        };
        // With the rules of the text, so that it is written as it reads.
        self.visit_str(&make(id.unwrap_or_default()).to_string())
    }
}

/// From `usr-ID`, or from `{"type":"user","id":"…"}` and its kin.
impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SubjectVisitor)
    }
}

const PERSISTENCE: &str = "named, or an object with temporary, the number of a generation";

struct PersistenceVisitor;

impl<'de> Visitor<'de> for PersistenceVisitor {
    type Value = Persistence;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PERSISTENCE)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Persistence, E> {
        if text == "named" { Ok(Persistence::Named) } else { Err(other(PERSISTENCE)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Persistence, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            temporary: u64,
        }
        let Members { temporary } = Members::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Persistence::Temporary { generation: temporary })
    }
}

/// From `"named"` or `{"temporary":7}`
impl<'de> Deserialize<'de> for Persistence {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PersistenceVisitor)
    }
}

/// A member that is read from an object only.
struct Only<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Only<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        object(from, TYPE).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Access {
    session_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Types {
    access_token: Option<Only<Access>>,
    identity_token: Option<Only<Empty>>,
    invite_token: Option<Members>,
}

/// A member of an invitation: the name of its type, the id of its target, or its parameters, which have none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Text(String),
    Parameters(Only<Empty>),
}

/// The members of an invitation, each once.
struct Members(BTreeMap<String, Member>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(INVITE)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, member)) = map.next_entry()? {
                    if members.insert(name, member).is_some() {
                        return Err(A::Error::duplicate_field("inviteToken"));
                    }
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Once)
    }
}

const TYPE: &str = "the type of a token: accessToken, identityToken or inviteToken";
const INVITE: &str = "an invitation with inviteType and the id of its target";

fn invitation(Members(mut members): Members) -> Option<TokenType> {
    let mut take = |name: &str| match members.remove(name) {
        Some(Member::Text(text)) => Some(text),
        _ => None,
    };
    let invite = InviteType::from_name(&take("inviteType")?)?;
    let target = take(invite.target_key())?;
    let parameters = members.remove("parameters");
    let is_all = members.is_empty() && matches!(parameters, None | Some(Member::Parameters(Only(Empty {}))));
    is_all.then_some(TokenType::Invite { invite, target })
}

/// From `{"accessToken":{}}` and its kin. The parameters of an invitation may be left out.
impl<'de> Deserialize<'de> for TokenType {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match object(from, TYPE)? {
            Types {
                access_token: Some(Only(Access { session_id })),
                identity_token: None,
                invite_token: None,
            } => Ok(Self::Access { session: session_id }),
            Types { access_token: None, identity_token: Some(Only(Empty {})), invite_token: None } => {
                Ok(Self::Identity)
            }
            Types { access_token: None, identity_token: None, invite_token: Some(members) } => {
                invitation(members).ok_or_else(|| other(INVITE))
            }
            _ => Err(D::Error::invalid_value(Unexpected::Other("not one type"), &TYPE)),
        }
    }
}

/// From the form that it is serialized to; `version` may be left out.
impl<'de> Deserialize<'de> for IdentifierV2 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            version: Option<u64>,
            persistence: Persistence,
            subject: Subject,
            r#type: TokenType,
            id: String,
        }
        let Members { version, persistence, subject, r#type: token_type, id } =
            object(from, "an identifier of version 2: an object with persistence, subject, type and id")?;
        match version {
            None | Some(2) => Ok(Self { persistence, subject, token_type, id }),
            Some(_) => Err(other("version 2")),
        }
    }
}
