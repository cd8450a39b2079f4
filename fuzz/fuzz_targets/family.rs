//! Each family of caveats with any value: read or refused, shown unchanged, and judged without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Context, Interface, Macaroon, Predicate, Region, RootKey, UnixTime, Verifier};
use token_test::FAMILIES;

// The first byte is the family, the rest is the value.
fuzz_target!(|bytes: &[u8]| {
    let Some((which, value)) = bytes.split_first() else { return };
    let text = [FAMILIES[usize::from(*which) % FAMILIES.len()].as_bytes(), value].concat();
    let Some(predicate) = Predicate::read(&text) else { return };
    let written = predicate.to_string();
    serde_json::to_vec(&predicate).expect("a caveat has a JSON form");

    // The caveat as Onedata writes it holds exactly if the caveat does.
    let key = RootKey::from_derived([7; 32]);
    let holds = |text: &[u8], context: &Context| {
        let mut macaroon = Macaroon::mint(&key, "", b"id").expect("an identifier of two bytes");
        macaroon.attenuate(text).expect("a caveat that is not empty");
        Verifier::new(context).verify(&macaroon, &key).map(drop)
    };
    let nothing = Context::at(UnixTime::from_secs(9));
    let mut all = Context::at(UnixTime::from_secs(9));
    all.peer_ip = Some([192, 0, 2, 7].into());
    all.asn = Some(9);
    all.country = Some("PL".into());
    all.regions = Some([Region::ALL[0]].into());
    all.service = "opw-p1".parse().ok();
    all.consumer = "usr-u1".parse().ok();
    all.interface = Some(Interface::Rest);
    all.data_caveats_allowed = true;
    for context in [&nothing, &all] {
        assert_eq!(holds(&text, context), holds(written.as_bytes(), context));
    }
});
