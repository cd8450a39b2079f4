//! Verification: the meaning of each caveat, the tokens that may carry it, and the order of errors.

use core::net::{IpAddr, Ipv4Addr};

use token_core::{
    CaveatTypes, Context, Identifier, Interface, InviteType, LegacyType, Macaroon, Place, Predicate, Purpose,
    Region, RootKey, Scope, Service, Subject, UnixTime, Unmet, Verifier, VerifyError,
};

fn key() -> RootKey {
    RootKey::from_derived([7; 32])
}

fn token(caveats: &[&str]) -> Macaroon {
    let mut macaroon = Macaroon::mint(&key(), "onezone", b"id").unwrap();
    caveats.iter().for_each(|caveat| macaroon.attenuate(caveat).unwrap());
    macaroon
}

fn verify(verifier: Verifier<'_>, caveats: &[&str]) -> Result<(), VerifyError> {
    verifier.verify(&token(caveats), &key()).map(drop)
}

fn now(secs: u64) -> Context {
    Context::at(UnixTime::from_secs(secs))
}

/// Judges a single caveat.
fn judged(caveat: &str, context: &Context) -> Result<(), Unmet> {
    match verify(Verifier::new(context), &[caveat]) {
        Ok(()) => Ok(()),
        Err(VerifyError::CaveatUnmet { at: Place { discharge: None, index: 0 }, why }) => Err(why),
        Err(other) => panic!("{caveat:?}: {other}"),
    }
}

const HELD: Result<(), Unmet> = Ok(());
const REFUTED: Result<(), Unmet> = Err(Unmet::Refuted);
const NOT_KNOWN: Result<(), Unmet> = Err(Unmet::NotKnown);

/// The purpose of a token, whether it is a legacy token, and the scope of the request.
const USES: [(Purpose, bool, Scope); 5] = [
    (Purpose::Access, false, Scope::Unlimited),
    (Purpose::Access, false, Scope::IdentityToken),
    (Purpose::Identity, false, Scope::Unlimited),
    (Purpose::Invite(InviteType::UserJoinSpace), false, Scope::Unlimited),
    (Purpose::SpaceSupport, true, Scope::Unlimited),
];

/// Sets what a verifier expects of a token with this use.
fn expecting<'a>(
    verifier: Verifier<'a>,
    (purpose, is_legacy, scope): (Purpose, bool, Scope),
) -> Verifier<'a> {
    let identifier: &[u8] = if is_legacy { b"id" } else { b"2/nmd/usr-u/idn/id" };
    let identifier = Identifier::read(identifier).unwrap();
    verifier.supporting(purpose.caveat_types(&identifier, scope)).stating(purpose.legacy_type(&identifier))
}

/// `onedata-tokens.md` §4.1 and, for legacy tokens, §4.3: which token may carry which caveat, in the order of [`USES`].
#[rustfmt::skip]
const SUPPORT: [(&str, [bool; 5]); 16] = [
    //                                       access identity-use identity invite legacy
    ("time < 9",                            [true,  true,        true,    true,  true]),
    ("ip = 192.0.2.7/32",                   [true,  true,        true,    true,  true]),
    ("asn = 322",                           [true,  true,        true,    true,  true]),
    ("geo.country = PL",                    [true,  true,        true,    true,  true]),
    ("geo.country != FR",                   [true,  true,        true,    true,  true]),
    ("geo.region = Asia",                   [true,  true,        true,    true,  true]),
    ("geo.region != EU",                    [true,  true,        true,    true,  true]),
    ("consumer = usr-u",                    [true,  true,        true,    true,  true]),
    ("interface = rest",                    [true,  true,        true,    false, false]),
    ("service = ozw-onezone",               [true,  false,       false,   false, false]),
    ("api = all/all/*.*.*:*",               [true,  false,       false,   false, false]),
    ("data.readonly",                       [true,  false,       false,   false, false]),
    ("data.path = L2E=",                    [true,  false,       false,   false, false]),
    ("data.objectid = 00FF",                [true,  false,       false,   false, false]),
    ("authorization = none",                [false, true,        false,   false, false]),
    ("tokenType = space_support_token",     [false, false,       false,   false, true]),
];

/// A request in which every caveat of [`SUPPORT`] holds.
fn all_hold() -> Context {
    let mut context = now(1);
    context.peer_ip = Some(Ipv4Addr::new(192, 0, 2, 7).into());
    context.asn = Some(322);
    context.country = Some("PL".into());
    context.regions = Some([Region::Asia].into());
    context.consumer = Some(Subject::User("u".into()));
    context.interface = Some(Interface::Rest);
    context.service = Some(Service::ONEZONE.into_owned());
    context.data_caveats_allowed = true;
    context.scope = Scope::IdentityToken;
    context
}

#[test]
fn each_use_supports_what_the_table_says() {
    let context = all_hold();
    for (caveat, row) in SUPPORT {
        assert_eq!(judged(caveat, &context), HELD);
        for (token_use, supported) in USES.into_iter().zip(row) {
            let verifier = expecting(Verifier::new(&context), token_use);
            // The first caveat of a legacy token states its type.
            let (caveats, index): (&[&str], _) = match token_use {
                (_, true, _) => (&["tokenType = space_support_token", caveat], 1),
                _ => (&[caveat], 0),
            };
            let expected = if supported {
                Ok(())
            } else {
                Err(VerifyError::CaveatUnsupported { at: Place { discharge: None, index } })
            };
            assert_eq!(verify(verifier, caveats), expected, "{caveat:?} by {token_use:?}");
        }
    }
}

#[test]
fn every_kind_of_caveat_is_in_the_table() {
    let mut kinds = Vec::new();
    for (caveat, _) in SUPPORT {
        let kind = core::mem::discriminant(&Predicate::read(caveat.as_bytes()).unwrap());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    assert_eq!(kinds.len(), 14);
}

#[test]
fn time_is_before_and_not_at() {
    let until = |secs| Err(Unmet::Expired { valid_until: UnixTime::from_secs(secs) });
    assert_eq!(judged("time < 1000", &now(999)), HELD);
    assert_eq!(judged("time < 1000", &now(1000)), until(1000));
    assert_eq!(judged("time < 1000", &now(1001)), until(1000));
    assert_eq!(judged("time < 0", &now(0)), until(0));
    assert_eq!(judged("time < 18446744073709551615", &now(u64::MAX - 1)), HELD);
    assert_eq!(judged("time < 18446744073709551615", &now(u64::MAX)), until(u64::MAX));
}

#[test]
fn the_least_of_all_times_counts() {
    let context = now(1);
    let macaroon = token(&["time < 30", "time < 10", "data.readonly", "time < 20"]);
    let mut allowed = context.clone();
    allowed.data_caveats_allowed = true;
    let verified = Verifier::new(&allowed).verify(&macaroon, &key()).unwrap();
    assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(10)));
    let answer = verify(Verifier::new(&now(15)), &["time < 30", "time < 10", "time < 20"]);
    let why = Unmet::Expired { valid_until: UnixTime::from_secs(10) };
    assert_eq!(answer, Err(VerifyError::CaveatUnmet { at: Place { discharge: None, index: 1 }, why }));
    // A `time` caveat that is accepted as exact bytes still determines the expiry.
    let exact: &[&[u8]] = &[b"time < 10"];
    let macaroon = token(&["time < 10"]);
    let late = now(15);
    let verified = Verifier::new(&late).exact(exact).verify(&macaroon, &key()).unwrap();
    assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(10)));
}

#[test]
fn addresses_are_matched_by_their_leading_bits() {
    let from = |peer: &str| {
        let mut context = now(0);
        context.peer_ip = Some(peer.parse::<IpAddr>().unwrap());
        context
    };
    for (caveat, peer, expected) in [
        ("ip = 192.0.2.7/32", "192.0.2.7", HELD),
        ("ip = 192.0.2.7/32", "192.0.2.6", REFUTED),
        ("ip = 192.0.2.7", "192.0.2.7", HELD),
        ("ip = 192.0.2.7", "192.0.2.8", REFUTED),
        ("ip = 192.0.2.7/31", "192.0.2.6", HELD),
        ("ip = 192.0.2.7/31", "192.0.2.8", REFUTED),
        ("ip = 192.0.2.7/24", "192.0.2.255", HELD),
        ("ip = 192.0.2.7/24", "192.0.3.0", REFUTED),
        ("ip = 128.0.0.0/1", "255.255.255.255", HELD),
        ("ip = 128.0.0.0/1", "127.255.255.255", REFUTED),
        ("ip = 0.0.0.0/0", "0.0.0.0", HELD),
        ("ip = 255.255.255.255/0", "0.0.0.0", HELD),
        ("ip = 10.0.0.1/32|192.0.2.0/24", "192.0.2.9", HELD),
        ("ip = 10.0.0.1/32|192.0.2.0/24", "10.0.0.2", REFUTED),
        // An IPv4-mapped IPv6 address is IPv4. No other IPv6 address is in any network, not even in all of IPv4.
        ("ip = 192.0.2.7/32", "::ffff:192.0.2.7", HELD),
        ("ip = 192.0.2.7/32", "::ffff:192.0.2.8", REFUTED),
        ("ip = 0.0.0.0/0", "2001:db8::1", REFUTED),
        ("ip = 0.0.0.0/0", "::", REFUTED),
        ("ip = 0.0.0.0/0", "::1", REFUTED),
        ("ip = 0.0.0.0/0", "::192.0.2.7", REFUTED),
    ] {
        assert_eq!(judged(caveat, &from(peer)), expected, "{caveat:?} from {peer}");
    }
    assert_eq!(judged("ip = 0.0.0.0/0", &now(0)), NOT_KNOWN);
}

/// If the peer's facts are unknown, a blacklist does not admit it either.
#[test]
fn places_and_networks() {
    let mut context = now(0);
    for caveat in
        ["asn = 322", "geo.country = PL", "geo.country != PL", "geo.region = EU", "geo.region != EU"]
    {
        assert_eq!(judged(caveat, &context), NOT_KNOWN, "{caveat:?}");
    }
    context.asn = Some(322);
    context.country = Some("PL".into());
    context.regions = Some([Region::Europe, Region::Eu].into());
    for (caveat, expected) in [
        ("asn = 322", HELD),
        ("asn = 1|322", HELD),
        ("asn = 32|3222", REFUTED),
        ("geo.country = FR|PL", HELD),
        ("geo.country = FR", REFUTED),
        ("geo.country = pl", REFUTED),
        ("geo.country != FR|PL", REFUTED),
        ("geo.country != FR", HELD),
        ("geo.region = Asia|EU", HELD),
        ("geo.region = Asia", REFUTED),
        ("geo.region != Asia|EU", REFUTED),
        ("geo.region != Asia", HELD),
    ] {
        assert_eq!(judged(caveat, &context), expected, "{caveat:?}");
    }
    // The address is known to be in no region.
    context.regions = Some([].into());
    assert_eq!(judged("geo.region = EU", &context), REFUTED);
    assert_eq!(judged("geo.region != EU", &context), HELD);
}

#[test]
fn services_are_one_or_all_of_a_kind() {
    let mut context = now(0);
    assert_eq!(judged("service = opw-*", &context), NOT_KNOWN);
    context.service = "opw-p1".parse().ok();
    for (caveat, expected) in [
        ("service = opw-p1", HELD),
        ("service = opw-*", HELD),
        ("service = ozw-onezone|opw-p1", HELD),
        ("service = opw-p2", REFUTED),
        ("service = opw-p", REFUTED),
        ("service = opw-p1x", REFUTED),
        ("service = opp-p1", REFUTED),
        ("service = opp-*|ozw-*", REFUTED),
    ] {
        assert_eq!(judged(caveat, &context), expected, "{caveat:?}");
    }
}

#[test]
fn consumers_are_themselves_or_members() {
    let mut context = now(0);
    for caveat in ["consumer = usr-*", "consumer = grp-g1", "consumer = prv-p1"] {
        assert_eq!(judged(caveat, &context), NOT_KNOWN, "{caveat:?}");
    }
    context.consumer = Some(Subject::User("u1".into()));
    for (caveat, expected) in [
        ("consumer = grp-g1", NOT_KNOWN),
        ("consumer = usr-u2|grp-g1", NOT_KNOWN),
        ("consumer = grp-*", NOT_KNOWN),
        ("consumer = grp-g1|usr-u1", HELD),
        ("consumer = usr-u2", REFUTED),
    ] {
        assert_eq!(judged(caveat, &context), expected, "{caveat:?}: the user's groups are not known");
    }
    context.consumer_groups = Some(["g1".into(), "g2".into()].into());
    context.consumer_in_any_group = Some(false);
    for (caveat, expected) in [
        ("consumer = usr-u1", HELD),
        ("consumer = usr-*", HELD),
        ("consumer = usr-u2", REFUTED),
        ("consumer = usr-u", REFUTED),
        ("consumer = prv-u1|prv-*", REFUTED),
        ("consumer = grp-g2", HELD),
        ("consumer = grp-g3", REFUTED),
        ("consumer = grp-u1", REFUTED),
        // Effective membership in one group is not direct membership in any.
        ("consumer = grp-*", REFUTED),
        ("consumer = prv-p|usr-u2|grp-g1", HELD),
    ] {
        assert_eq!(judged(caveat, &context), expected, "{caveat:?}");
    }
    context.consumer_groups = Some([].into());
    context.consumer_in_any_group = Some(true);
    assert_eq!(judged("consumer = grp-*", &context), HELD);
    assert_eq!(judged("consumer = grp-g1", &context), REFUTED);

    // Only users are members of groups.
    context.consumer = Some(Subject::Provider("p1".into()));
    context.consumer_groups = Some(["g1".into()].into());
    for (caveat, expected) in [
        ("consumer = prv-p1", HELD),
        ("consumer = prv-*", HELD),
        ("consumer = prv-p2", REFUTED),
        ("consumer = usr-*", REFUTED),
        ("consumer = grp-g1", REFUTED),
        ("consumer = grp-*", REFUTED),
    ] {
        assert_eq!(judged(caveat, &context), expected, "{caveat:?}");
    }
    context.consumer = Some(Subject::Nobody);
    for caveat in ["consumer = usr-*|prv-*|grp-*", "consumer = grp-g1"] {
        assert_eq!(judged(caveat, &context), REFUTED, "{caveat:?}");
    }
}

#[test]
fn interface_data_and_scope() {
    let mut context = now(0);
    assert_eq!(judged("interface = rest", &context), NOT_KNOWN);
    context.interface = Some(Interface::Oneclient);
    assert_eq!(judged("interface = oneclient", &context), HELD);
    assert_eq!(judged("interface = rest", &context), REFUTED);

    // The service enforces it later, operation by operation.
    assert_eq!(judged("api = ozw/get/user.*.*", &context), HELD);

    for caveat in ["data.readonly", "data.path = L2E=", "data.objectid = 00"] {
        context.data_caveats_allowed = false;
        assert_eq!(judged(caveat, &context), REFUTED, "{caveat:?}");
        context.data_caveats_allowed = true;
        assert_eq!(judged(caveat, &context), HELD, "{caveat:?}");
    }

    assert_eq!(judged("authorization = none", &context), REFUTED);
    context.scope = Scope::IdentityToken;
    assert_eq!(judged("authorization = none", &context), HELD);
}

#[test]
fn nothing_is_said_of_caveats_before_the_signature() {
    let other = RootKey::from_derived([8; 32]);
    let context = now(5);
    for caveats in [
        &["time < 1"][..],
        &["colour = blue"],
        &["interface = rest"],
        &["tokenType = space_support_token"],
        &[],
    ] {
        for token_use in USES {
            let verifier = expecting(Verifier::new(&context), token_use);
            let answer = verifier.verify(&token(caveats), &other).map(drop);
            assert_eq!(answer, Err(VerifyError::BadSignature), "{caveats:?}");
        }
    }
}

#[test]
fn the_first_caveat_that_does_not_hold_is_named() {
    let context = now(5);
    let invite = Verifier::new(&context).supporting(CaveatTypes::INVITE);
    let expired = Unmet::Expired { valid_until: UnixTime::from_secs(1) };
    for (caveats, expected) in [
        (
            &["time < 9", "colour = blue", "time < 1"][..],
            VerifyError::CaveatUnknown { at: Place { discharge: None, index: 1 } },
        ),
        (
            &["time < 1", "colour = blue"],
            VerifyError::CaveatUnmet { at: Place { discharge: None, index: 0 }, why: expired },
        ),
        (
            &["interface = rest", "colour = blue"],
            VerifyError::CaveatUnsupported { at: Place { discharge: None, index: 0 } },
        ),
        (
            &["colour = blue", "interface = rest"],
            VerifyError::CaveatUnknown { at: Place { discharge: None, index: 0 } },
        ),
        (
            &["time < 9", "consumer = usr-u"],
            VerifyError::CaveatUnmet { at: Place { discharge: None, index: 1 }, why: Unmet::NotKnown },
        ),
        // Unsupported whether it holds or not.
        (&["data.readonly"], VerifyError::CaveatUnsupported { at: Place { discharge: None, index: 0 } }),
        (
            &["api = all/all/*.*.*"],
            VerifyError::CaveatUnsupported { at: Place { discharge: None, index: 0 } },
        ),
        // Unknown because of one space.
        (&["time < 9", "time <  9"], VerifyError::CaveatUnknown { at: Place { discharge: None, index: 1 } }),
        (
            &["time < 9", "time < infinity"],
            VerifyError::CaveatUnknown { at: Place { discharge: None, index: 1 } },
        ),
    ] {
        assert_eq!(verify(invite, caveats), Err(expected), "{caveats:?}");
    }
}

#[test]
fn a_caveat_can_be_accepted_word_for_word() {
    let context = now(5);
    let exact: &[&[u8]] = &[b"colour = blue", b"time < 1"];
    let verifier = Verifier::new(&context).exact(exact);
    assert_eq!(verify(verifier, &["colour = blue", "time < 1", "time < 9"]), Ok(()));
    for caveat in ["colour = blue ", "colour = red", "Colour = blue", "colour", "blue"] {
        assert_eq!(
            verify(verifier, &[caveat]),
            Err(VerifyError::CaveatUnknown { at: Place { discharge: None, index: 0 } }),
            "{caveat:?}"
        );
    }
    assert!(matches!(
        verify(verifier, &["time < 2"]),
        Err(VerifyError::CaveatUnmet { at: Place { discharge: None, index: 0 }, .. })
    ));
}

/// Caveats are adjacent in the buffer. A character must not combine the end of one with the beginning of the next, and
/// a caveat that is not UTF-8 must not affect the others.
#[test]
fn each_caveat_is_text_by_itself() {
    let mut context = now(4);
    context.consumer = Some(Subject::User("\u{e9}".into()));
    let mut macaroon = token(&["time < 9", "consumer = usr-\u{e9}"]);
    let halves: [&[u8]; 2] = [b"\xc3", b"\xa9"];
    halves.iter().for_each(|half| macaroon.attenuate(half).unwrap());
    let verify = |macaroon: &Macaroon, exact: &[&[u8]]| {
        let verified = Verifier::new(&context).exact(exact).verify(macaroon, &key())?;
        Ok(verified.expires_at())
    };
    let at = |index| Place { discharge: None, index };
    assert_eq!(verify(&macaroon, &[]), Err(VerifyError::CaveatUnknown { at: at(2) }));
    assert_eq!(verify(&macaroon, &halves), Ok(Some(UnixTime::from_secs(9))));

    ["time < 8".as_bytes(), b"\xff", b"time < 3"]
        .iter()
        .for_each(|caveat| macaroon.attenuate(caveat).unwrap());
    let expired = Unmet::Expired { valid_until: UnixTime::from_secs(3) };
    assert_eq!(
        verify(&macaroon, &[b"\xc3", b"\xa9", b"\xff"]),
        Err(VerifyError::CaveatUnmet { at: at(6), why: expired })
    );
}

#[test]
fn a_legacy_token_has_one_type_and_keeps_it() {
    let (support, create) = ("tokenType = space_support_token", "tokenType = space_create_token");
    let context = now(0);
    let wrong = |stated| Err(VerifyError::WrongType { stated });
    let contradicted =
        Err(VerifyError::CaveatUnmet { at: Place { discharge: None, index: 1 }, why: Unmet::Refuted });
    for (caveats, as_support, as_any) in [
        (&[support][..], Ok(()), Ok(())),
        (&[support, support], Ok(()), Ok(())),
        (&[support, "time < 9"], Ok(()), Ok(())),
        // A caveat grants nothing: a token without one has the type in its issuer's record.
        (&[], Ok(()), Ok(())),
        (&["time < 9"], Ok(()), Ok(())),
        (&[create], wrong(LegacyType::SpaceCreate), Ok(())),
        (&[support, create], wrong(LegacyType::SpaceCreate), contradicted.clone()),
        (&[create, support], wrong(LegacyType::SpaceCreate), contradicted),
    ] {
        assert_eq!(verify(expecting(Verifier::new(&context), USES[4]), caveats), as_support, "{caveats:?}");
        assert_eq!(verify(Verifier::new(&context), caveats), as_any, "{caveats:?}");
    }
    let macaroon = token(&[support]);
    let verified = Verifier::new(&context).verify(&macaroon, &key()).unwrap();
    assert_eq!(verified.legacy_type(), Some(LegacyType::SpaceSupport));
    assert_eq!((verified.subject(), verified.token_type()), (None, None));
}

#[test]
fn preflight_refutes_what_is_known_to_fail() {
    let mut context = now(5);
    context.peer_ip = Some(Ipv4Addr::new(192, 0, 2, 7).into());
    context.interface = Some(Interface::Rest);
    let invite = Verifier::new(&context).supporting(CaveatTypes::INVITE);
    let any = Verifier::new(&context);
    let at = |index| Place { discharge: None, index };
    let unmet = |index, why| Some(VerifyError::CaveatUnmet { at: at(index), why });
    let expired = Unmet::Expired { valid_until: UnixTime::from_secs(5) };
    for (verifier, caveats, expected) in [
        (any, &["time < 5"][..], unmet(0, expired.clone())),
        (any, &["time < 6", "ip = 10.0.0.0/8"], unmet(1, Unmet::Refuted)),
        (any, &["interface = oneclient"], unmet(0, Unmet::Refuted)),
        (any, &["colour = blue"], Some(VerifyError::CaveatUnknown { at: at(0) })),
        (invite, &["time < 6", "interface = rest"], Some(VerifyError::CaveatUnsupported { at: at(1) })),
        (
            expecting(Verifier::new(&context), USES[4]),
            &["tokenType = space_create_token"],
            Some(VerifyError::WrongType { stated: LegacyType::SpaceCreate }),
        ),
        (
            any,
            &["tokenType = space_support_token", "tokenType = space_create_token"],
            unmet(1, Unmet::Refuted),
        ),
        (any, &["tokenType = space_support_token", "tokenType = space_support_token"], None),
        // The first of several refuted caveats.
        (any, &["time < 5", "colour = blue"], unmet(0, expired)),
    ] {
        assert_eq!(verifier.preflight(&token(caveats)), expected, "{caveats:?}");
    }
}

/// A preflight never confirms a token: a token that is not refuted is undecided, even if it is forged.
#[test]
fn preflight_never_says_that_a_token_is_good() {
    let context = all_hold();
    let good = token(&["time < 9", "consumer = usr-u"]);
    assert!(Verifier::new(&context).verify(&good, &key()).is_ok());
    assert_eq!(Verifier::new(&context).preflight(&good), None);
    let forged = Macaroon::mint(&RootKey::from_derived([0; 32]), "onezone", b"id").unwrap();
    assert_eq!(Verifier::new(&context).preflight(&forged), None);
    // The issuer may know a fact that is unknown here.
    let blank = now(1);
    for caveat in [
        "ip = 10.0.0.0/8",
        "asn = 1",
        "geo.country != PL",
        "service = opw-p",
        "consumer = usr-u",
        "interface = rest",
    ] {
        assert_eq!(Verifier::new(&blank).preflight(&token(&[caveat])), None, "{caveat:?}");
    }
}

/// A server may log a verifier: `Debug` shows its configuration, but not its judges.
#[test]
fn a_verifier_shows_what_it_judges_by() {
    let context = now(5);
    let shown = format!("{:?}", Verifier::new(&context).supporting(CaveatTypes::INVITE));
    for part in ["Verifier", "geo.region", "judges: 0"] {
        assert!(shown.contains(part), "{shown}");
    }
}

/// The groups are sorted once a token has named a few, and the answers stay the same.
#[test]
fn a_long_list_of_groups_is_judged_as_a_short_one() {
    let groups: Vec<String> = (0..100).rev().map(|n| format!("g{n}")).collect();
    let mut context = now(5);
    context.consumer = Some(Subject::User("u1".into()));
    context.consumer_groups = Some(groups);
    let strangers = |count: usize| (0..count).map(|n| format!("grp-x{n}|")).collect::<String>();
    for count in [0, 1, 14, 15, 16, 17, 18, 1000] {
        let strangers = strangers(count);
        for group in ["g0", "g50", "g99"] {
            assert_eq!(judged(&format!("consumer = {strangers}grp-{group}"), &context), HELD, "{count}");
        }
        assert_eq!(judged(&format!("consumer = {strangers}grp-g100"), &context), REFUTED, "{count}");
        assert_eq!(judged(&format!("consumer = {strangers}usr-u1"), &context), HELD, "{count}");
    }
    // The same over many caveats as in one.
    let caveats = vec!["consumer = grp-x|grp-g7"; 20];
    assert_eq!(verify(Verifier::new(&context), &caveats), Ok(()));
    let index = caveats.len();
    let refused = verify(Verifier::new(&context), &[&caveats[..], &["consumer = grp-x"]].concat());
    let at = Place { discharge: None, index };
    assert_eq!(refused, Err(VerifyError::CaveatUnmet { at, why: Unmet::Refuted }));
}
