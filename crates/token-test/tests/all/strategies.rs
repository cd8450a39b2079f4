//! Strategies of property tests.
//!
//! Caveats and requests are drawn from one small world of times, addresses and ids, so that a caveat holds in a
//! request often enough for both outcomes to be tested.

use std::net::IpAddr;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use token_core::{
    CaveatTypes, Context, IdentifierV2, Interface, InviteType, LegacyType, Macaroon, Persistence, Region,
    RootKey, Scope, ServiceKind, Subject, TokenType, UnixTime,
};

const IDS: &[&str] = &["a", "b", "*", "p-1", "8f2c"];
const ADDRESSES: &[&str] = &["192.0.2.7", "192.0.2.8", "10.1.2.3", "0.0.0.0", "255.255.255.255"];
const COUNTRIES: &[&str] = &["PL", "FR", "DE", "UK"];
const LEGACY: &[LegacyType] = &[
    LegacyType::GroupInvite,
    LegacyType::GroupInviteUser,
    LegacyType::GroupInviteGroup,
    LegacyType::SpaceCreate,
    LegacyType::SpaceInviteUser,
    LegacyType::SpaceInviteGroup,
    LegacyType::SpaceSupport,
    LegacyType::ProviderRegistration,
];

fn list(items: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec(items, 1..4).prop_map(|items| items.join("|"))
}

fn id() -> impl Strategy<Value = String> {
    select(IDS).prop_map(String::from)
}

fn service_text() -> impl Strategy<Value = String> {
    (select(&["ozw", "ozp", "opw", "opp"][..]), id()).prop_map(|(code, id)| format!("{code}-{id}"))
}

fn subject_text() -> impl Strategy<Value = String> {
    (select(&["usr", "prv", "grp"][..]), id()).prop_map(|(code, id)| format!("{code}-{id}"))
}

/// A caveat of Onedata's vocabulary, `tokenType` apart, as Onedata writes it.
pub(crate) fn predicate() -> impl Strategy<Value = String> {
    let filtered = |name: &'static str, items: BoxedStrategy<String>| {
        (select(&["=", "!="][..]), list(items))
            .prop_map(move |(filter, list)| format!("{name} {filter} {list}"))
    };
    let named = |name: &'static str, items: BoxedStrategy<String>| {
        list(items).prop_map(move |list| format!("{name} = {list}"))
    };
    let mask = (select(ADDRESSES), select(&[0_u8, 1, 8, 24, 31, 32][..]))
        .prop_map(|(ip, bits)| format!("{ip}/{bits}"));
    let path = vec("[a-c]{1,2}", 1..4).prop_map(|parts| {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.encode(format!("/{}", parts.join("/")))
    });
    let pattern = (
        select(&["all", "ozw", "opp"][..]),
        select(&["all", "create", "get", "update", "delete"][..]),
        select(&["*.*.*:*", "space.s1.instance:private", "file.*.aspect,arg:private"][..]),
    );
    prop_oneof![
        2 => prop_oneof![0..8_u64, Just(u64::MAX)].prop_map(|until| format!("time < {until}")),
        1 => named("ip", mask.boxed()),
        1 => named("asn", prop_oneof![0..4_u32, Just(u32::MAX)].prop_map(|asn| asn.to_string()).boxed()),
        1 => filtered("geo.country", select(COUNTRIES).prop_map(String::from).boxed()),
        1 => filtered("geo.region", select(&Region::ALL[..]).prop_map(|region| region.as_str().into()).boxed()),
        1 => named("service", service_text().boxed()),
        2 => named("consumer", subject_text().boxed()),
        1 => select(&["rest", "oneclient", "graphsync"][..]).prop_map(|name| format!("interface = {name}")),
        1 => named("api", pattern.prop_map(|(at, does, what)| format!("{at}/{does}/{what}")).boxed()),
        1 => Just("data.readonly".into()),
        1 => named("data.path", path.boxed()),
        1 => named("data.objectid", "([0-9A-F]{2}){1,4}".boxed()),
        1 => Just("authorization = none".into()),
    ]
}

/// `tokenType = T`
pub(crate) fn token_type_predicate() -> impl Strategy<Value = String> {
    select(LEGACY).prop_map(|legacy| format!("tokenType = {legacy}"))
}

/// Any text caveat: mostly known ones, some near misses, some unknown.
pub(crate) fn caveat() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => predicate(),
        1 => token_type_predicate(),
        1 => near_predicate(),
        1 => "[ -~]{1,20}",
        1 => "\\PC{1,12}",
    ]
}

/// A known caveat with one small thing changed in it.
pub(crate) fn near_predicate() -> impl Strategy<Value = String> {
    (prop_oneof![predicate(), token_type_predicate()], any::<Index>(), "[ |/=!<0-9a-zA-Z*.+-]?").prop_map(
        |(text, at, with)| {
            let at = at.index(text.len());
            let mut changed = text;
            changed.replace_range(at..=at, &with);
            if changed.is_empty() { "x".into() } else { changed }
        },
    )
}

fn identifier_of(part: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = IdentifierV2> {
    let parts = (option::of(any::<u64>()), (0..4_usize, part.clone()), (0..17_usize, part.clone()), part);
    parts.prop_map(|(generation, (subject, subject_id), (token_type, target), id)| IdentifierV2 {
        persistence: generation
            .map_or(Persistence::Named, |generation| Persistence::Temporary { generation }),
        subject: match subject {
            0 => Subject::User(subject_id),
            1 => Subject::Provider(subject_id),
            2 => Subject::Group(subject_id),
            _ => Subject::Nobody,
        },
        token_type: match token_type {
            0 => TokenType::Access { session: None },
            1 => TokenType::Access { session: Some(target) },
            2 => TokenType::Identity,
            invite => TokenType::Invite { invite: InviteType::all().nth(invite - 3).unwrap(), target },
        },
        id,
    })
}

/// An identifier of version 2 whose parts hold anything but separators.
pub(crate) fn identifier() -> impl Strategy<Value = IdentifierV2> {
    identifier_of(prop_oneof![3 => "[0-9a-zA-Z_-]{1,12}", 1 => "[^/|:\\x00*]{1,6}"])
}

/// An identifier of version 2 whose parts hold anything at all.
pub(crate) fn wild_identifier() -> impl Strategy<Value = IdentifierV2> {
    identifier_of(prop_oneof!["[a:/|*]{0,4}", "\\PC{0,6}"])
}

/// The id of a legacy token (before 20.02).
pub(crate) fn opaque_id() -> impl Strategy<Value = String> {
    "[0-9A-Za-z_-]{32,43}"
}

/// The parts from which a token is minted.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// The secret of the root key: test data.
    pub(crate) secret: Vec<u8>,
    pub(crate) location: String,
    /// The identifier, of either version.
    pub(crate) identifier: String,
    pub(crate) caveats: Vec<String>,
}

impl Recipe {
    /// Derives the root key.
    pub(crate) fn key(&self) -> RootKey {
        RootKey::derive_any(&self.secret)
    }

    /// Mints the token.
    pub(crate) fn mint(&self) -> Macaroon {
        let mut macaroon = Macaroon::mint(&self.key(), &self.location, self.identifier.as_bytes()).unwrap();
        self.caveats.iter().for_each(|caveat| macaroon.attenuate(caveat).unwrap());
        macaroon
    }
}

/// A token with text caveats, some of them unknown.
pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let identifier = prop_oneof![opaque_id(), identifier().prop_map(|it| it.write().unwrap())];
    (vec(any::<u8>(), 0..80), "\\PC{0,20}", identifier, vec(caveat(), 0..6))
        .prop_map(|(secret, location, identifier, caveats)| Recipe { secret, location, identifier, caveats })
}

/// A request in the world that [`predicate`] draws from.
pub(crate) fn facts() -> impl Strategy<Value = Context> {
    let address = prop_oneof![
        4 => select(ADDRESSES).prop_map(|ip| ip.parse().unwrap()),
        1 => Just(IpAddr::from([0_u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7])),
        1 => Just(IpAddr::from([0x20_u8, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
    ];
    let place = (
        option::weighted(0.8, address),
        option::weighted(0.8, 0..4_u32),
        option::weighted(0.8, select(COUNTRIES).prop_map(String::from)),
        option::weighted(0.8, btree_set(0..Region::ALL.len(), 0..3)),
    );
    let consumer = prop_oneof![4 => subject_text(), 1 => Just("nobody".into())];
    let who = (
        option::weighted(0.8, service_text()),
        option::weighted(0.8, consumer),
        vec(id(), 0..3),
        any::<bool>(),
    );
    let interface = select(&[Interface::Rest, Interface::Oneclient, Interface::Graphsync][..]);
    let scope = prop_oneof![Just(Scope::Unlimited), Just(Scope::IdentityToken)];
    (0..6_u64, place, who, option::weighted(0.8, interface), prop::bool::weighted(0.8), scope).prop_map(
        |(now, place, who, interface, data_caveats_allowed, scope)| {
            let mut context = Context::at(UnixTime::from_secs(now));
            (context.peer_ip, context.asn, context.country) = (place.0, place.1, place.2);
            context.regions = place.3.map(|all| all.into_iter().map(|index| Region::ALL[index]).collect());
            context.service = who.0.map(|text| text.parse().unwrap());
            context.consumer = who.1.map(|text| text.parse().unwrap());
            context.consumer_groups = Some(who.2);
            context.consumer_in_any_group = Some(who.3);
            context.interface = interface;
            context.data_caveats_allowed = data_caveats_allowed;
            context.scope = scope;
            context
        },
    )
}

/// A row of the table of `onedata-tokens.md` §4.1, or every type of caveat.
pub(crate) fn caveat_types() -> impl Strategy<Value = CaveatTypes> {
    let rows =
        [CaveatTypes::ACCESS, CaveatTypes::ACCESS_AS_IDENTITY, CaveatTypes::IDENTITY, CaveatTypes::INVITE];
    prop_oneof![Just(CaveatTypes::ALL), select(rows.to_vec())]
}

/// A type of legacy tokens (before 20.02).
pub(crate) fn legacy_type() -> impl Strategy<Value = LegacyType> {
    select(LEGACY)
}

/// The service codes that may stand before a token's text.
pub(crate) fn prefix() -> impl Strategy<Value = Option<ServiceKind>> {
    option::of(select(&[ServiceKind::OpWorker, ServiceKind::OpPanel][..]))
}

/// A corruption of a message, applied by [`Damage::apply`].
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Change(Index, u8),
    Drop(Index),
    Insert(Index, u8),
    Swap(Index, Index),
    Cut(Index),
    /// Repeats a piece.
    Repeat(Index, Index),
}

impl Damage {
    /// Returns the corrupted message, which may equal the original.
    pub(crate) fn apply(&self, message: &[u8]) -> Vec<u8> {
        let mut message = message.to_vec();
        let len = message.len();
        if len == 0 {
            return message;
        }
        match self {
            Self::Change(at, byte) => message[at.index(len)] = *byte,
            Self::Drop(at) => drop(message.remove(at.index(len))),
            Self::Insert(at, byte) => message.insert(at.index(len + 1), *byte),
            Self::Swap(a, b) => message.swap(a.index(len), b.index(len)),
            Self::Cut(at) => message.truncate(at.index(len)),
            Self::Repeat(a, b) => {
                let (a, b) = (a.index(len), b.index(len));
                let piece = message[a.min(b)..a.max(b)].to_vec();
                message.splice(b..b, piece);
            }
        }
        message
    }
}

/// Corruption that inserts the bytes that `byte` draws.
pub(crate) fn damage(byte: impl Strategy<Value = u8> + Clone + 'static) -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Change(at, byte)),
        any::<Index>().prop_map(Damage::Drop),
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<(Index, Index)>().prop_map(|(a, b)| Damage::Swap(a, b)),
        any::<Index>().prop_map(Damage::Cut),
        any::<(Index, Index)>().prop_map(|(a, b)| Damage::Repeat(a, b)),
    ]
}

/// Text that looks like a token and is one only by chance.
pub(crate) fn token_like_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("MDAxNWxvY2F00aW9uIG9uZXpvbmUK".to_owned()),
        Just("MDAxNWxvY2F0aW9uIG9uZXpvbmUK".to_owned()),
        Just("MDAyZnNpZ25hdHVyZSA".to_owned()),
        Just("opw-".to_owned()),
        Just("0a".to_owned()),
        Just("05".to_owned()),
        "[0-9a-zA-Z_-]{1,8}",
        "[-_+/=0 \\n]{1,3}",
        "\\PC{1,3}",
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}
