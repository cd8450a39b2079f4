//! The facts of a request, by which a token is judged.

use alloc::{borrow::Cow, vec::Vec};

use serde::Deserialize;
use token_core::{
    CaveatTypes, Context, Identifier, Interface, Macaroon, Purpose, Region, Scope, Service, Session, Subject,
    TokenType, UnixTime,
};

use crate::{
    error::{Code, Error},
    text::Text,
};

/// The member `context` of a request. What is missing or null is not known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Facts<'a> {
    now: Option<u64>,
    #[serde(borrow)]
    ip: Option<Text<'a>>,
    asn: Option<u32>,
    #[serde(borrow)]
    country: Option<Text<'a>>,
    #[serde(borrow)]
    regions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    service: Option<Text<'a>>,
    consumer: Option<Subject>,
    #[serde(borrow)]
    groups: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    interface: Option<Text<'a>>,
    #[serde(borrow)]
    session: Option<Text<'a>>,
    #[serde(borrow)]
    scope: Option<Text<'a>>,
    allow_data_caveats: Option<bool>,
}

impl Facts<'_> {
    /// Returns the facts, at their own time or else at this one.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] about a member.
    pub fn context(&self, now: Option<UnixTime>) -> Result<Context, Error> {
        let now = self.now.map(UnixTime::from_secs).or(now);
        let mut context = Context::at(now.ok_or_else(|| Error::argument("context.now", "it is missing"))?);
        context.peer_ip =
            fact("context.ip", self.ip.as_ref(), "not an IP address", |text| text.parse().ok())?;
        context.asn = self.asn;
        context.country = fact("context.country", self.country.as_ref(), "not two letters", |code| {
            let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_code.then(|| code.to_ascii_uppercase())
        })?;
        if let Some(names) = &self.regions {
            let region = |(index, name): (usize, &Text<'_>)| {
                let none = || Error::argument("context.regions", "not the name of a region");
                Region::from_name(name).ok_or_else(|| none().with(|detail| detail.index = Some(index)))
            };
            context.regions = Some(names.iter().enumerate().map(region).collect::<Result<_, _>>()?);
        }
        context.service = fact("context.service", self.service.as_ref(), "not a service", |text| {
            Service::read(text).map(Service::into_owned)
        })?;
        context.consumer.clone_from(&self.consumer);
        context.consumer_in_any_group = self.groups.as_ref().map(|groups| !groups.is_empty());
        context.consumer_groups =
            self.groups.as_ref().map(|groups| groups.iter().map(|group| (**group).into()).collect());
        context.interface =
            fact("context.interface", self.interface.as_ref(), "not an interface", Interface::from_name)?;
        let session = fact("context.session", self.session.as_ref(), "it is empty", |text| match text {
            "" => None,
            "any" => Some(Session::Any),
            id => Some(Session::This(id.into())),
        });
        context.session = session?.unwrap_or_default();
        let scope = fact("context.scope", self.scope.as_ref(), "not a scope", |text| match text {
            "unlimited" => Some(Scope::Unlimited),
            "identity-token" | "identity_token" => Some(Scope::IdentityToken),
            _ => None,
        });
        context.scope = scope?.unwrap_or_default();
        context.data_caveats_allowed = self.allow_data_caveats.unwrap_or(false);
        Ok(context)
    }
}

fn fact<T>(
    member: &'static str,
    text: Option<&Text<'_>>,
    reason: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(text) = text else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| Error::argument(member, reason))
}

/// What a token is used as (`onedata-tokens.md` §4.1).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Use {
    /// It acts for its subject.
    Access,
    /// It proves who its subject is.
    Identity,
    /// It is an invitation.
    Invite,
}

impl Use {
    /// Returns the types of caveats that the token may carry. An access token that proves an identity is judged as such,
    /// by the scope of the context, which this changes.
    #[must_use]
    pub fn supported(self, macaroon: &Macaroon, context: &mut Context) -> CaveatTypes {
        let identifier = Identifier::read(macaroon.identifier()).unwrap_or(Identifier::Opaque(&[]));
        let stated = identifier.v2().map(|identifier| identifier.token_type);
        match (self, stated) {
            (Self::Invite, _) => CaveatTypes::INVITE,
            (Self::Identity, Some(TokenType::Access { .. })) => {
                context.scope = Scope::IdentityToken;
                CaveatTypes::ACCESS_AS_IDENTITY
            }
            (Self::Identity, _) => CaveatTypes::IDENTITY,
            (Self::Access, _) => Purpose::Access.caveat_types(&identifier, context.scope),
        }
    }
}

impl Use {
    /// The error of a token whose identifier states another type. An access token proves an identity as well; an opaque
    /// identifier states none.
    pub(crate) fn mismatch(self, macaroon: &Macaroon) -> Option<Code> {
        let identifier = Identifier::read(macaroon.identifier()).ok()?;
        match (self, &identifier.v2()?.token_type) {
            (Self::Access | Self::Identity, TokenType::Access { .. })
            | (Self::Identity, TokenType::Identity)
            | (Self::Invite, TokenType::Invite { .. }) => None,
            (Self::Access, _) => Some(Code::NotAnAccessToken),
            (Self::Identity, _) => Some(Code::NotAnIdentityToken),
            (Self::Invite, _) => Some(Code::NotAnInviteToken),
        }
    }
}

/// Reads a list of names of types.
pub(crate) fn types(member: &'static str, names: &[Text<'_>]) -> Result<CaveatTypes, Error> {
    let mut types = CaveatTypes::NONE;
    for (index, name) in names.iter().enumerate() {
        let none = || Error::argument(member, Cow::Borrowed("not the name of a type of caveats"));
        let alone = CaveatTypes::from_name(name);
        types = types.union(alone.ok_or_else(|| none().with(|detail| detail.index = Some(index)))?);
    }
    Ok(types)
}
