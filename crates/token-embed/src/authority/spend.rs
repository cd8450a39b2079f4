//! `check`, `consume` and `refund`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use token_api::{Accepted, Prepared, Question, Spent};
use token_core::{Bytes, Context, DecodeOptions, Purpose, Service, Stamp, Subject, Token};
use token_store::{ClaimId, GrantId, TokenId};

use super::{
    Decision, Inner,
    error::accepting,
    records::{Id, Named, Outcome},
};
use crate::{
    error::{Code, Error},
    facts::Facts,
    text::{Octets, Text, some_object},
    token::{Texts, damaged},
};

/// A token and the request that presents it.
struct Presented {
    token: Token,
    expect: Option<Purpose>,
    context: Context,
}

impl Presented {
    fn new(
        token: &str,
        expect: Option<&Text<'_>>,
        context: Option<&Facts<'_>>,
        authority: &Inner,
    ) -> Result<Self, Error> {
        let options = DecodeOptions::default();
        let token = Token::decode(token, &options).map_err(|_| damaged(token, &options, None, false))?;
        let no_type = |_| Error::argument("expect", "not the type of a token");
        let expect = expect.map(|name| name.parse().map_err(no_type)).transpose()?;
        let now = authority.now();
        let context = context.map_or_else(|| Ok(Context::at(now)), |facts| facts.context(Some(now)))?;
        Ok(Self { token, expect, context })
    }

    fn prepare(&self, authority: &Inner) -> Result<Prepared, Error> {
        authority
            .prepare(&self.token, self.expect, &self.context)
            .map_err(|error| accepting(error, &self.token, self.expect))
    }
}

/// `check`: verifies a token up to the decision of the host, or with it, and spends nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    expect: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "some_object")]
    context: Option<Facts<'a>>,
    decision: Option<Decision>,
}

/// What is known of a token, and the questions that the host has to decide before it acts on it. No questions are left
/// once the host has decided.
pub struct Checked {
    accepted: Box<Accepted>,
    questions: Vec<Asked>,
    has_caveats: bool,
}

/// A question that only the host can answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "question")]
enum Asked {
    /// Does the subject exist, is it not blocked, and may it use the service?
    Subject { subject: Subject, service: Option<String> },
    /// Does the resource exist, and may the issuer still issue such a token about it?
    Grant {
        issuer: Subject,
        #[serde(rename = "type")]
        purpose: &'static str,
        resource: Named,
    },
}

impl Asked {
    /// Fails for a question that this version does not know: without it, the host would decide less than it has to.
    fn new(question: Question<'_>) -> Result<Self, Error> {
        match question {
            Question::Subject { subject, service } => {
                let service = service.map(|service: Service<&str>| service.to_string());
                Ok(Self::Subject { subject: subject.into_owned(), service })
            }
            Question::Grant { issuer, purpose, resource } => {
                let purpose = purpose.as_str();
                Ok(Self::Grant { issuer: issuer.into_owned(), purpose, resource: resource.into() })
            }
            _ => Err(Error::new(Code::Panic)),
        }
    }
}

/// The answer of `check` after the host's decision.
impl From<Accepted> for Checked {
    fn from(accepted: Accepted) -> Self {
        Self { accepted: Box::new(accepted), questions: Vec::new(), has_caveats: true }
    }
}

impl Checked {
    /// The same without the member `caveats`, for a caller that has its own in its place.
    #[must_use]
    pub fn without_caveats(self) -> Self {
        Self { has_caveats: false, ..self }
    }

    /// Returns the token, with what the authority knows of it.
    #[must_use]
    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }
}

impl Serialize for Checked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { accepted, questions, has_caveats } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &Bytes(accepted.id.as_bytes()))?;
        map.serialize_entry("type", accepted.purpose.as_str())?;
        map.serialize_entry("resource", &accepted.resource.as_ref().map(Named::from))?;
        map.serialize_entry("issuer", &accepted.issuer)?;
        map.serialize_entry("expiresAt", &accepted.expires_at.map(Stamp))?;
        map.serialize_entry("stored", &accepted.stored)?;
        map.serialize_entry("usesLeft", &accepted.uses_left)?;
        map.serialize_entry("privileges", &Bytes(&accepted.privileges))?;
        if *has_caveats {
            map.serialize_entry("caveats", &Texts(accepted.token.macaroon()))?;
        }
        map.serialize_entry("questions", questions)?;
        map.end()
    }
}

impl Check<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Checked, Error> {
        let presented = Presented::new(&self.token, self.expect.as_ref(), self.context.as_ref(), authority)?;
        let prepared = presented.prepare(authority)?;
        let questions = match self.decision {
            Some(_) => Vec::new(),
            None => prepared.questions().map(Asked::new).collect::<Result<_, _>>()?,
        };
        // Without a decision, this refuses what no decision could make valid.
        let decision = self.decision.unwrap_or(Decision::Allowed).into();
        let accepted = authority
            .accept_prepared(prepared, decision)
            .map_err(|error| accepting(error, &presented.token, presented.expect))?;
        Ok(Checked { questions, ..accepted.into() })
    }
}

/// `consume`: spends one use of a token for the consumer of the context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consume<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    expect: Text<'a>,
    #[serde(borrow, deserialize_with = "crate::text::object")]
    context: Facts<'a>,
    decision: Decision,
    #[serde(borrow)]
    claim: Octets<'a>,
}

/// `{"consumed":true,"id":…,"type":…,"resource":…,"issuer":…,"usesLeft":…,"repeated":…,"refund":…}`, where `refund` is the
/// text that gives the use back, or null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumed {
    consumed: bool,
    id: Id,
    r#type: &'static str,
    resource: Option<Named>,
    issuer: Subject,
    uses_left: Option<u64>,
    repeated: bool,
    refund: Option<String>,
}

impl From<Spent> for Consumed {
    fn from(spent: Spent) -> Self {
        let refund = spent.use_taken().map(|(claim, grant)| Taken::write(&spent.accepted.id, claim, grant));
        let accepted = spent.accepted;
        Self {
            consumed: true,
            id: Id(accepted.id),
            r#type: accepted.purpose.as_str(),
            resource: accepted.resource.as_ref().map(Named::from),
            issuer: accepted.issuer,
            uses_left: spent.uses_left,
            repeated: spent.repeated,
            refund,
        }
    }
}

impl Consume<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Consumed, Error> {
        let claim =
            ClaimId::new(&*self.claim).map_err(|error| Error::argument("claim", error.to_string()))?;
        let presented = Presented::new(&self.token, Some(&self.expect), Some(&self.context), authority)?;
        let prepared = presented.prepare(authority)?;
        authority
            .spend_prepared(prepared, self.decision.into(), &claim)
            .map(Consumed::from)
            .map_err(|error| accepting(error, &presented.token, presented.expect))
    }
}

/// `refund`: gives a use back. The host vouches that it has not acted on it and will not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund<'a> {
    #[serde(borrow)]
    refund: Text<'a>,
}

impl Refund<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Outcome, Error> {
        let none = || Error::argument("refund", "not the refund of a use");
        let Taken { id, claim, grant } = Taken::read(&self.refund).ok_or_else(none)?;
        let outcome = match authority.refund_grant(&id, &claim, grant)? {
            token_api::Refund::Refunded => "refunded",
            token_api::Refund::Kept => "kept",
            token_api::Refund::NotClaimed => "not-claimed",
            token_api::Refund::Absent => "absent",
        };
        Ok(Outcome::new(id, outcome))
    }
}

/// A use that was taken: the grant, the length of the claim's key, that key, and the id of the token.
struct Taken {
    id: TokenId,
    claim: ClaimId,
    grant: GrantId,
}

impl Taken {
    fn write(id: &TokenId, claim: &ClaimId, grant: GrantId) -> String {
        // A claim's key has at most 64 bytes.
        let len = u8::try_from(claim.as_bytes().len()).unwrap_or(u8::MAX);
        URL_SAFE_NO_PAD.encode([&grant.to_bytes(), &[len][..], claim.as_bytes(), id.as_bytes()].concat())
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (grant, rest) = bytes.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first()?;
        let (claim, id) = rest.split_at_checked(usize::from(*len))?;
        Some(Self {
            id: TokenId::new(id).ok()?,
            claim: ClaimId::new(claim).ok()?,
            grant: GrantId::from_bytes(*grant),
        })
    }
}
