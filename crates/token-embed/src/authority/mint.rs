//! `mint`

use std::{num::NonZeroU64, time::Duration};

use serde::{Deserialize, Serialize};
use token_api::{Lifetime, MintError, MintRequest};
use token_core::{PredicateBuf, Purpose, Stamp, Subject, UnixTime};

use super::{Decision, Inner, records::Id};
use crate::{
    error::Error,
    text::{Condition, Octets, Text},
};

/// `mint`: makes a token, and its record unless it is temporary.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mint<'a> {
    #[serde(borrow, rename = "type")]
    purpose: Text<'a>,
    #[serde(borrow)]
    target: Option<Text<'a>>,
    issuer: Subject,
    decision: Decision,
    #[serde(borrow)]
    session: Option<Text<'a>>,
    modern: Option<bool>,
    temporary: Option<bool>,
    lifetime: Option<u64>,
    expires_at: Option<UnixTime>,
    forever: Option<bool>,
    uses: Option<NonZeroU64>,
    unlimited: Option<bool>,
    #[serde(borrow)]
    caveats: Option<Vec<Condition<'a>>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<Octets<'a>>,
    #[serde(borrow)]
    privileges: Option<Octets<'a>>,
}

/// `{"token":…,"id":…,"expiresAt":…}`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minted {
    token: String,
    id: Id,
    expires_at: Option<Stamp>,
}

impl From<&token_api::Minted> for Minted {
    fn from(minted: &token_api::Minted) -> Self {
        Self {
            token: minted.token.clone(),
            id: Id(minted.id.clone()),
            expires_at: minted.expires_at.map(Stamp),
        }
    }
}

impl Mint<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Minted, Error> {
        match authority.mint_decided(&self.request()?, self.decision.into()) {
            Err(MintError::NotAllowed) => Err(self.decision.refusal()),
            minted => Ok((&minted?).into()),
        }
    }

    fn request(&self) -> Result<MintRequest<'_>, Error> {
        let purpose: Purpose =
            self.purpose.parse().map_err(|_| Error::argument("type", "not the type of a token"))?;
        let issuer = self.issuer.as_deref();
        let target = || self.target.as_deref().ok_or_else(|| Error::argument("target", "it is missing"));
        let modern = self.modern == Some(true);
        let mut request = match purpose {
            Purpose::GroupSpaces => MintRequest::group_spaces(target()?, issuer),
            Purpose::SpaceSupport if modern => {
                MintRequest::invite(token_core::InviteType::SupportSpace, target()?, issuer)
            }
            Purpose::SpaceSupport => MintRequest::space_support(target()?, issuer),
            Purpose::Invite(invite) => MintRequest::invite(invite, target()?, issuer),
            Purpose::Access => match self.session.as_deref() {
                Some(session) => MintRequest::access_in(session, issuer),
                None => MintRequest::access(issuer),
            },
            Purpose::Identity => MintRequest::identity(issuer),
            _ => return Err(Error::argument("type", "not the type of a token")),
        };
        match purpose {
            Purpose::SpaceSupport => {}
            _ if modern => {
                return Err(Error::argument(
                    "modern",
                    "only a token for the support of a space has two forms",
                ));
            }
            _ => {}
        }
        match purpose {
            Purpose::Access | Purpose::Identity if self.target.is_some() => {
                return Err(Error::argument("target", "a token of this type has none"));
            }
            Purpose::Access => {}
            _ if self.session.is_some() => {
                return Err(Error::argument("session", "only an access token has one"));
            }
            _ => {}
        }
        request.lifetime = match (self.lifetime, self.expires_at, self.forever == Some(true)) {
            (None, None, false) => None,
            (Some(secs), None, false) => Some(Lifetime::For(Duration::from_secs(secs))),
            (None, Some(at), false) => Some(Lifetime::Until(at)),
            (None, None, true) => Some(Lifetime::Forever),
            _ => {
                return Err(Error::argument(
                    "lifetime",
                    "one of lifetime, expiresAt and forever can be given",
                ));
            }
        };
        request.temporary = self.temporary == Some(true);
        request.use_limit = match (self.uses, self.unlimited == Some(true)) {
            (Some(_), true) => return Err(Error::argument("uses", "either uses or unlimited can be given")),
            (Some(uses), false) => Some(uses),
            (None, true) => None,
            (None, false) if request.temporary => None,
            (None, false) => request.use_limit,
        };
        let predicate = |(index, caveat): (usize, &Condition<'_>)| {
            let text = core::str::from_utf8(caveat.as_ref()).unwrap_or_default();
            PredicateBuf::read(text).ok_or_else(|| {
                Error::argument("caveats", "no caveat that a new token can have")
                    .with(|detail| detail.index = Some(index))
            })
        };
        request.caveats =
            self.caveats.iter().flatten().enumerate().map(predicate).collect::<Result<_, Error>>()?;
        request.name = self.name.as_deref();
        request.metadata = self.metadata.as_deref().unwrap_or_default();
        request.privileges = self.privileges.as_deref().unwrap_or_default();
        Ok(request)
    }
}
