//! A request and a token from the same bytes: nothing verifies without the key, and attenuation never widens.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use token_core::{
    CaveatTypes, Context, DecodeOptions, Interface, Macaroon, Predicate, Region, RootKey, Scope, UnixTime,
    Verifier, VerifyError,
};

const SUPPORTED: [CaveatTypes; 5] = [
    CaveatTypes::ALL,
    CaveatTypes::ACCESS,
    CaveatTypes::ACCESS_AS_IDENTITY,
    CaveatTypes::IDENTITY,
    CaveatTypes::INVITE,
];

// The first bytes are the request, the rest is a token as bytes and as lines of caveats.
fuzz_target!(|bytes: &[u8]| {
    let Some((&[time, facts, which, place, split], rest)) = bytes.split_first_chunk::<5>() else { return };
    let mut context = Context::at(UnixTime::from_secs(u64::from(time)));
    let known = |bit: u8| facts >> bit & 1 == 1;
    context.peer_ip = known(0).then(|| match place % 3 {
        0 => IpAddr::from([192, 0, 2, place]),
        1 => IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0200 | u16::from(place)]),
        _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(place)]),
    });
    context.asn = known(1).then_some(u32::from(place));
    context.country = known(1).then(|| "PL".into());
    context.regions = known(2).then(|| [Region::ALL[usize::from(place % 8)]].into());
    context.service = if known(3) { "opw-p1" } else { "" }.parse().ok();
    context.consumer = ["", "usr-u1", "prv-p1", "nobody"][usize::from(facts >> 4 & 3)].parse().ok();
    context.consumer_groups = known(6).then(|| ["g1".into(), "g2".into()].into());
    context.consumer_in_any_group = known(6).then_some(known(4));
    context.interface = known(7).then_some(Interface::Rest);
    context.data_caveats_allowed = which & 0x10 != 0;
    context.scope = if which & 0x20 != 0 { Scope::IdentityToken } else { Scope::Unlimited };
    let supported = SUPPORTED[usize::from(which & 0xf) % SUPPORTED.len()];
    let verifier = Verifier::new(&context).supporting(supported);
    let key = RootKey::from_derived([7; 32]);

    if let Ok((stranger, _)) = Macaroon::from_bytes(rest, &DecodeOptions::default()) {
        assert_eq!(verifier.verify(&stranger, &key).map(drop), Err(VerifyError::BadSignature));
        let _: Option<VerifyError> = verifier.preflight(&stranger);
    }

    let caveats: Vec<&[u8]> =
        rest.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(16).collect();
    let (kept, added) = caveats.split_at(usize::from(split).min(caveats.len()));
    let mut wide = Macaroon::mint(&key, "onezone", b"id").expect("an identifier of two bytes");
    kept.iter().for_each(|caveat| wide.attenuate(caveat).expect("a line that is not empty"));
    let mut narrow = wide.clone();
    added.iter().for_each(|caveat| narrow.attenuate(caveat).expect("a line that is not empty"));
    let answers = [verifier.verify(&wide, &key), verifier.verify(&narrow, &key)];
    match &answers {
        [Ok(wide), Ok(narrow)] => {
            assert!(wide.expires_at().is_none_or(|it| narrow.expires_at().is_some_and(|by| by <= it)));
            assert!(caveats.iter().all(|caveat| Predicate::read(caveat).is_some()), "unknown and accepted");
            assert_eq!(verifier.preflight(narrow.macaroon()), None);
        }
        [Err(wide), Ok(_)] => panic!("refused before it was narrowed: {wide}"),
        [Err(wide), Err(narrow)] => assert_eq!(wide, narrow),
        [Ok(_), Err(error)] => assert_ne!(*error, VerifyError::BadSignature),
    }
    let other = RootKey::from_derived([8; 32]);
    assert_eq!(verifier.verify(&narrow, &other).map(drop), Err(VerifyError::BadSignature));
});
