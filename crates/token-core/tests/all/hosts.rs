//! What a host asks of a verification besides its answer: sessions, ignored caveats, facts to look up, explanations.

use token_core::{
    CaveatKey, CaveatNonce, CaveatTypes, Context, Macaroon, Place, Region, RootKey, Session, Subject,
    UnixTime, Unmet, Verifier, VerifyError,
};

fn key() -> RootKey {
    RootKey::from_derived([7; 32])
}

fn token(identifier: &str, caveats: &[&str]) -> Macaroon {
    let mut macaroon = Macaroon::mint(&key(), "onezone", identifier.as_bytes()).unwrap();
    caveats.iter().for_each(|caveat| macaroon.attenuate(caveat).unwrap());
    macaroon
}

fn now(secs: u64) -> Context {
    Context::at(UnixTime::from_secs(secs))
}

fn unmet(index: usize, why: Unmet) -> VerifyError {
    VerifyError::CaveatUnmet { at: Place { discharge: None, index }, why }
}

#[test]
fn a_token_bound_to_a_session_is_refused_in_another() {
    let mut context = now(1);
    let mut answers = |session: Session, identifier: &str| {
        context.session = session;
        let macaroon = token(identifier, &["time < 2"]);
        let verifier = Verifier::new(&context);
        (verifier.verify(&macaroon, &key()).map(drop), verifier.preflight(&macaroon))
    };
    let this = |id: &str| Session::This(id.into());
    let bound = "2/nmd/usr-u/act:s1/id";
    let wrong = VerifyError::WrongSession;
    assert_eq!(answers(Session::Any, bound), (Ok(()), None));
    assert_eq!(answers(this("s1"), bound), (Ok(()), None));
    for other in ["s2", "s", "s1/", "s11", ""] {
        assert_eq!(answers(this(other), bound), (Err(wrong.clone()), Some(wrong.clone())), "{other:?}");
    }
    // A holder of the token may know the session that the issuer will see.
    assert_eq!(answers(Session::None, bound), (Err(wrong.clone()), None));
    // A token that is bound to no session is for requests outside of sessions.
    let free = "2/nmd/usr-u/act/id";
    assert_eq!(answers(Session::None, free), (Ok(()), None));
    assert_eq!(answers(Session::Any, free), (Ok(()), None));
    assert_eq!(answers(this("s1"), free), (Err(wrong.clone()), Some(wrong)));
    // Only access tokens have a session, also when others look alike.
    for unbound in [
        "2/tmp-1/usr-u/idn/id",
        "2/nmd/usr-u/ssp:act:s1/id",
        "2/nmd/usr-act:s1/idn/id",
        "2/nmd/usr-u/idn/act:s1",
        "act:s1",
        "id",
    ] {
        for session in [Session::None, this("s2"), Session::Any] {
            assert_eq!(answers(session, unbound), (Ok(()), None), "{unbound}");
        }
    }
}

/// As Onedata does: caveats first, then the session; and nothing before the signature.
#[test]
fn the_session_is_judged_last() {
    let context = now(5);
    let verifier = Verifier::new(&context);
    let macaroon = token("2/nmd/usr-u/act:s1/id", &["time < 5"]);
    let expired = Unmet::Expired { valid_until: UnixTime::from_secs(5) };
    assert_eq!(verifier.verify(&macaroon, &key()).map(drop), Err(unmet(0, expired)));
    let forged = verifier.verify(&macaroon, &RootKey::from_derived([8; 32])).map(drop);
    assert_eq!(forged, Err(VerifyError::BadSignature));
}

#[test]
fn a_time_that_never_was_is_over() {
    for text in ["time < -5", "time < 0", "time < -99999999999999999999999"] {
        let expired = Unmet::Expired { valid_until: UnixTime::from_secs(0) };
        let answer = Verifier::new(&now(0)).verify(&token("id", &[text]), &key()).map(drop);
        assert_eq!(answer, Err(unmet(0, expired)), "{text}");
    }
    let context = now(5);
    let macaroon = token("id", &["time < 99999999999999999999999"]);
    let verified = Verifier::new(&context).verify(&macaroon, &key()).unwrap();
    assert_eq!(verified.expires_at(), Some(UnixTime::MAX));
}

/// What no request has is known, and holds for none; in a blacklist it excludes none.
#[test]
fn values_that_no_request_has() {
    let mut context = now(5);
    context.asn = Some(u32::MAX);
    context.country = Some("PL".into());
    context.regions = Some([Region::Europe].into());
    context.service = "opw-p".parse().ok();
    context.consumer = Some(Subject::User("u".into()));
    context.consumer_groups = Some(Vec::new());
    for caveat in [
        "asn = -1",
        "asn = -4294967295",
        "asn = 4294967296",
        "asn = 18446744073709551616",
        "asn = 79228162514264337593543950335",
        "geo.country = pl|POL|P|",
        "geo.region = europe|Mars",
        "service = opw-",
        "consumer = usr-|grp-|prv-|nobody|usr-u/",
    ] {
        let answer = Verifier::new(&context).verify(&token("id", &[caveat]), &key()).map(drop);
        assert_eq!(answer, Err(unmet(0, Unmet::Refuted)), "{caveat}");
    }
    for caveat in ["geo.country != pl|", "geo.region != europe", "asn = -1|+04294967295"] {
        Verifier::new(&context).verify(&token("id", &[caveat]), &key()).unwrap();
    }
}

/// Each type alone, with a caveat that no fact satisfies.
#[test]
fn only_the_types_that_the_host_names_are_ignored() {
    let cases = [
        (CaveatTypes::TIME, "time < 1"),
        (CaveatTypes::IP, "ip = 10.0.0.1/32"),
        (CaveatTypes::ASN, "asn = 1"),
        (CaveatTypes::GEO_COUNTRY, "geo.country = PL"),
        (CaveatTypes::GEO_REGION, "geo.region = EU"),
        (CaveatTypes::SERVICE, "service = opw-p"),
        (CaveatTypes::CONSUMER, "consumer = usr-u"),
        (CaveatTypes::INTERFACE, "interface = rest"),
        (CaveatTypes::DATA_READONLY, "data.readonly"),
        (CaveatTypes::DATA_PATH, "data.path = L2E="),
        (CaveatTypes::DATA_OBJECT_ID, "data.objectid = 00"),
        (CaveatTypes::IDENTITY_SCOPE, "authorization = none"),
    ];
    let context = now(5);
    let at = Place { discharge: None, index: 0 };
    for (ignored, _) in cases {
        let verifier = Verifier::new(&context).ignoring(ignored);
        for (kind, caveat) in cases {
            let answer = verifier.verify(&token("id", &[caveat]), &key()).map(drop);
            assert_eq!(answer.is_ok(), kind == ignored, "{caveat} by {verifier:?}");
        }
        // Unsupported and unknown caveats are refused all the same.
        for (kind, caveat) in cases.into_iter().filter(|(kind, _)| *kind == ignored) {
            let narrow = verifier.supporting(CaveatTypes::ALL.without(kind));
            let answer = narrow.verify(&token("id", &[caveat]), &key()).map(drop);
            assert_eq!(answer, Err(VerifyError::CaveatUnsupported { at }), "{caveat}");
        }
    }
    let all = Verifier::new(&context).ignoring(CaveatTypes::ALL);
    for unknown in ["colour = blue", "ignored = ip", "time < infinity"] {
        let answer = all.verify(&token("id", &[unknown]), &key()).map(drop);
        assert_eq!(answer, Err(VerifyError::CaveatUnknown { at }), "{unknown}");
    }
    // A token has one legacy type, and expires when it says.
    let macaroon = token("id", &["time < 1", "tokenType = space_support_token"]);
    let verified = all.verify(&macaroon, &key()).unwrap();
    assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(1)));
    let types = ["tokenType = space_support_token", "tokenType = space_create_token"];
    assert_eq!(all.verify(&token("id", &types), &key()).map(drop), Err(unmet(1, Unmet::Refuted)));
    // Nor does it reach what a host would have to enforce in a discharge.
    let (macaroon, discharge) = discharged("data.readonly");
    let answer = all.verify_with(&macaroon, &[discharge], &key()).map(drop);
    let at = Place { discharge: Some(0), index: 0 };
    assert_eq!(answer, Err(VerifyError::CaveatUnenforced { at }));
}

/// A macaroon with a third-party caveat, and its discharge with this caveat.
fn discharged(caveat: &str) -> (Macaroon, Macaroon) {
    let shared = CaveatKey::from_derived([9; 32]);
    let mut macaroon = token("id", &["asn = 1"]);
    macaroon.add_third_party("elsewhere", b"third", &shared, CaveatNonce::from_random([1; 24])).unwrap();
    macaroon.attenuate("time < 9").unwrap();
    let mut discharge = Macaroon::discharge(&shared, "elsewhere", b"third").unwrap();
    discharge.attenuate(caveat).unwrap();
    let bound = macaroon.bind_discharge(&discharge);
    (macaroon, bound)
}

#[test]
fn a_host_looks_up_only_what_a_caveat_asks_for() {
    let none = token("id", &["time < 9", "ip = 10.0.0.1/32", "consumer = usr-u|prv-*", "colour = blue"]);
    let needs = none.needs();
    assert_eq!((needs.asn, needs.country, needs.regions, needs.any_group), (false, false, false, false));
    assert!(needs.groups.is_empty());

    let asks = |caveat: &str| {
        let macaroon = token("id", &[caveat]);
        let needs = macaroon.needs();
        (needs.asn, needs.country, needs.regions, needs.any_group, needs.groups.len())
    };
    assert_eq!(asks("asn = 1"), (true, false, false, false, 0));
    assert_eq!(asks("geo.country != PL"), (false, true, false, false, 0));
    assert_eq!(asks("geo.region = EU"), (false, false, true, false, 0));
    assert_eq!(asks("consumer = usr-u|grp-*"), (false, false, false, true, 0));

    let groups = token("id", &["consumer = grp-b|grp-a|usr-u", "consumer = grp-a"]);
    assert_eq!(groups.needs().groups, ["a", "b"]);
}

#[test]
fn every_caveat_is_explained() {
    let mut context = now(5);
    context.asn = Some(1);
    context.consumer = Some(Subject::User("u".into()));
    context.consumer_groups = Some(vec!["g".into()]);
    let caveats = [
        "time < 9",
        "time < 5",
        "ip = 10.0.0.1/32",
        "consumer = grp-h",
        "colour = blue",
        "api = all/all/*.*.*:*",
        "asn = 2",
    ];
    let macaroon = token("2/nmd/usr-u/act:s1/id", &caveats);
    let verifier = Verifier::new(&context);
    let explained = verifier.explain(&macaroon, &[], &key()).unwrap();
    let at = |index| Place { discharge: None, index };
    let expired = Unmet::Expired { valid_until: UnixTime::from_secs(5) };
    let shown: Vec<_> =
        explained.findings.iter().map(|it| (it.verdict.clone(), it.fact.as_deref())).collect();
    assert_eq!(
        shown,
        [
            (Ok(()), Some("1970-01-01T00:00:05Z")),
            (Err(unmet(1, expired.clone())), Some("1970-01-01T00:00:05Z")),
            (Err(unmet(2, Unmet::NotKnown)), None),
            (Err(unmet(3, Unmet::Refuted)), Some("usr-u, groups: 1")),
            (Err(VerifyError::CaveatUnknown { at: at(4) }), None),
            (Ok(()), None),
            (Err(unmet(6, Unmet::Refuted)), Some("1")),
        ]
    );
    assert!(explained.findings.iter().map(|it| it.caveat).eq(caveats.iter().map(|it| it.as_bytes())));
    assert_eq!(explained.answer, Err(unmet(1, expired)));
    assert_eq!(explained.answer, verifier.verify(&macaroon, &key()).map(drop));

    // The session answers if all caveats hold.
    let macaroon = token("2/nmd/usr-u/act:s1/id", &["asn = 1"]);
    let explained = verifier.explain(&macaroon, &[], &key()).unwrap();
    assert_eq!(explained.findings.iter().filter(|it| it.verdict.is_ok()).count(), 1);
    assert_eq!(explained.answer, Err(VerifyError::WrongSession));

    // A forger learns nothing.
    let refused = verifier.explain(&macaroon, &[], &RootKey::from_derived([8; 32]));
    assert_eq!(refused, Err(VerifyError::BadSignature));
}

#[test]
fn the_caveats_of_discharges_are_explained_too() {
    let mut context = now(5);
    context.asn = Some(1);
    let (macaroon, discharge) = discharged("time < 3");
    let discharges = [discharge];
    let explained = Verifier::new(&context).explain(&macaroon, &discharges, &key()).unwrap();
    let places: Vec<_> = explained.findings.iter().map(|it| (it.at.discharge, it.at.index)).collect();
    assert_eq!(places, [(None, 0), (None, 2), (Some(0), 0)]);
    assert!(explained.findings.iter().take(2).all(|it| it.verdict.is_ok()));
    assert_eq!(Some(&explained.answer), explained.findings.last().map(|it| &it.verdict));
    assert!(explained.answer.is_err());
    let missing = Verifier::new(&context).explain(&macaroon, &[], &key());
    assert!(matches!(missing, Err(VerifyError::DischargeMissing { .. })));
}
