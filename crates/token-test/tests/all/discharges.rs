//! Third-party caveats and their discharges: what is accepted, what is refused, and where the refusal points.

use std::cell::RefCell;

use token_core::{
    BuildError, Caveat, CaveatKey, CaveatNonce, CaveatTypes, Context, DecodeOptions, Format, Judge, Judgment,
    Limits, Macaroon, Place, RootKey, UnixTime, Unmet, Verifier, VerifyError,
};
use token_test::vectors;

fn root_key() -> RootKey {
    RootKey::from_derived([0xff; 32])
}

fn key(number: u8) -> CaveatKey {
    CaveatKey::from_derived([number; 32])
}

fn root() -> Macaroon {
    Macaroon::mint(&root_key(), "onezone", b"root").unwrap()
}

/// A caveat that asks for the discharge of this number under the key of this number.
fn ask(macaroon: &mut Macaroon, number: u8) {
    macaroon
        .add_third_party("third", &[number], &key(number), CaveatNonce::from_random([number; 24]))
        .unwrap();
}

fn asking(numbers: &[u8]) -> Macaroon {
    let mut macaroon = root();
    numbers.iter().for_each(|number| ask(&mut macaroon, *number));
    macaroon
}

fn discharge(number: u8) -> Macaroon {
    Macaroon::discharge(&key(number), "third", &[number]).unwrap()
}

fn at(secs: u64) -> Context {
    Context::at(UnixTime::from_secs(secs))
}

fn verify(root: &Macaroon, discharges: &[Macaroon]) -> Result<(), VerifyError> {
    Verifier::new(&at(5)).verify_with(root, discharges, &root_key()).map(drop)
}

const fn in_root(index: usize) -> Place {
    Place { discharge: None, index }
}

const fn within(discharge: usize, index: usize) -> Place {
    Place { discharge: Some(discharge), index }
}

#[test]
fn a_caveat_is_added_discharged_bound_and_verified() {
    let root = asking(&[1]);
    let Some(Caveat::ThirdParty { identifier, vid, location }) = root.caveats().next() else { panic!() };
    assert_eq!((identifier, vid.len(), location), (&[1][..], 72, &b"third"[..]));
    assert_eq!(&vid[..24], [1; 24]);
    assert_eq!(verify(&root, &[root.bind_discharge(&discharge(1))]), Ok(()));
    assert_eq!(verify(&root, &[]), Err(VerifyError::DischargeMissing { at: in_root(0) }));
    assert_eq!(Verifier::new(&at(5)).verify(&root, &root_key()).map(drop), verify(&root, &[]));
}

/// `primitives.json` has the macaroon of libmacaroons' README step by step; its vid has a nonce of zeros.
#[test]
fn a_sealed_key_and_a_bound_signature_are_those_of_the_vector() {
    let steps = vectors::primitives().hmac_chain;
    let step = |index: usize| token_test::hex::decode(&steps[index].hex);
    let vector =
        vectors::macaroons().into_iter().find(|it| it.name == "readme_third_party_bound_v1").unwrap();
    let mut root =
        Macaroon::mint(&vector.key().unwrap().root_key(), "http://mybank/", vector.identifier().unwrap())
            .unwrap();
    root.attenuate(vector.caveats[0].cid()).unwrap();
    let vid = vector.caveats[1].vid.clone().unwrap();
    assert_eq!(vid, step(4));
    let caveat_key = CaveatKey::derive_any(b"4; guaranteed random by a fair toss of the dice");
    let nonce = vid[..24].try_into().unwrap();
    root.add_third_party(
        "http://auth.mybank/",
        vector.caveats[1].cid(),
        &caveat_key,
        CaveatNonce::from_random(nonce),
    )
    .unwrap();
    let Some(Caveat::ThirdParty { vid: sealed, .. }) = root.caveats().nth(1) else { panic!() };
    assert_eq!(sealed, vid);
    assert_eq!(root.signature().expose()[..], step(7));
    assert_eq!(vector.signature.unwrap()[..], step(7));
}

#[test]
fn a_discharge_is_attenuated_before_it_is_bound_and_not_after() {
    let root = asking(&[1]);
    let mut narrowed = discharge(1);
    narrowed.attenuate("time < 6").unwrap();
    assert_eq!(verify(&root, &[root.bind_discharge(&narrowed)]), Ok(()));
    let mut late = root.bind_discharge(&discharge(1));
    late.attenuate("time < 6").unwrap();
    assert_eq!(verify(&root, &[late]), Err(VerifyError::BadDischarge { discharge: 0 }));

    // The root cannot be attenuated after a discharge was bound to it either.
    let bound = root.bind_discharge(&discharge(1));
    let mut narrower = root;
    narrower.attenuate("time < 6").unwrap();
    assert_eq!(
        verify(&narrower, std::slice::from_ref(&bound)),
        Err(VerifyError::BadDischarge { discharge: 0 })
    );
    assert_eq!(verify(&narrower, &[narrower.bind_discharge(&discharge(1))]), Ok(()));
}

#[test]
fn a_discharge_is_bound_to_the_root_it_comes_with() {
    let root = asking(&[1]);
    let bad = Err(VerifyError::BadDischarge { discharge: 0 });
    assert_eq!(verify(&root, &[discharge(1)]), bad, "not bound");
    assert_eq!(verify(&root, &[asking(&[1, 2]).bind_discharge(&discharge(1))]), bad, "bound to another root");
    assert_eq!(
        verify(&root, &[root.bind_discharge(&root.bind_discharge(&discharge(1)))]),
        bad,
        "bound twice"
    );
    let of_another_key = Macaroon::discharge(&key(2), "third", &[1]).unwrap();
    assert_eq!(verify(&root, &[root.bind_discharge(&of_another_key)]), bad, "another key");
    // A discharge's discharge is bound to the root as well, not to its parent.
    let root = asking(&[1]);
    let mut parent = discharge(1);
    ask(&mut parent, 2);
    let to_parent = parent.bind_discharge(&discharge(2));
    let (parent, to_root) = (root.bind_discharge(&parent), root.bind_discharge(&discharge(2)));
    assert_eq!(verify(&root, &[parent.clone(), to_root]), Ok(()));
    assert_eq!(verify(&root, &[parent, to_parent]), Err(VerifyError::BadDischarge { discharge: 1 }));
}

#[test]
fn discharges_are_there_once_and_used_once() {
    let root = asking(&[1, 2]);
    let [one, two, three] = [1, 2, 3].map(|number| root.bind_discharge(&discharge(number)));
    let missing = |index| Err(VerifyError::DischargeMissing { at: in_root(index) });
    assert_eq!(verify(&root, std::slice::from_ref(&one)), missing(1));
    assert_eq!(verify(&root, std::slice::from_ref(&two)), missing(0));
    let all = [one.clone(), three.clone(), two.clone()];
    assert_eq!(verify(&root, &all), Err(VerifyError::DischargeUnused { discharge: 1 }));
    let context = at(5);
    let lenient = Verifier::new(&context).ignoring_unused_discharges();
    assert!(lenient.verify_with(&root, &all, &root_key()).is_ok());
    assert!(lenient.verify_with(&root, &all[..2], &root_key()).is_err(), "missing is not unused");
    // A discharge that no caveat asks for is not inspected.
    let mut stale = discharge(3);
    stale.attenuate("time < 1").unwrap();
    let all = [one.clone(), two.clone(), root.bind_discharge(&stale)];
    assert!(lenient.verify_with(&root, &all, &root_key()).is_ok());

    let twice = [one.clone(), two.clone(), one.clone()];
    assert_eq!(verify(&root, &twice), Err(VerifyError::DischargeAmbiguous { discharge: 2 }));
    assert!(lenient.verify_with(&root, &twice, &root_key()).is_err(), "ambiguous is not unused");
    // Two caveats with one identifier need two discharges with that identifier, which are interchangeable.
    let root = asking(&[1, 1]);
    let one = root.bind_discharge(&discharge(1));
    assert_eq!(verify(&root, std::slice::from_ref(&one)), missing(1));
    assert_eq!(verify(&root, &[one.clone(), one]), Err(VerifyError::DischargeAmbiguous { discharge: 1 }));
    // Nor does a discharge discharge itself.
    let root = asking(&[1]);
    let mut circular = discharge(1);
    ask(&mut circular, 1);
    let answer = verify(&root, &[root.bind_discharge(&circular)]);
    assert_eq!(answer, Err(VerifyError::DischargeMissing { at: within(0, 0) }));
}

/// A root macaroon under a caveat's key would be a discharge. The two kinds of keys are two types, so the test takes
/// the same 32 bytes twice.
#[test]
fn a_root_macaroon_is_no_discharge_and_a_discharge_no_root() {
    let mut asks = root();
    ask(&mut asks, 1);
    let stranger = Macaroon::mint(&root_key(), "", &[1]).unwrap();
    let bad = Err(VerifyError::BadDischarge { discharge: 0 });
    assert_eq!(verify(&asks, std::slice::from_ref(&stranger)), bad);
    assert_eq!(verify(&asks, &[asks.bind_discharge(&stranger)]), bad);
    assert_eq!(
        verify(&asks, std::slice::from_ref(&asks)),
        Err(VerifyError::DischargeMissing { at: in_root(0) })
    );
    assert_eq!(verify(&discharge(1), &[]), Err(VerifyError::BadSignature));
    assert_eq!(verify(&asks.bind_discharge(&discharge(1)), &[]), Err(VerifyError::BadSignature));
}

#[test]
fn a_key_that_was_sealed_under_another_signature_opens_for_nobody() {
    // The holder copies a caveat of one token into another, which only a holder of the key can sign.
    let mut first = root();
    first.attenuate("time < 9").unwrap();
    ask(&mut first, 1);
    let Some(Caveat::ThirdParty { vid, .. }) = first.caveats().nth(1) else { panic!() };
    let vid = vid.to_vec();
    let bytes = asking(&[1]).to_bytes(Format::V2).unwrap();
    let place = bytes.windows(72).position(|it| it[..24] == [1; 24]).unwrap();
    let mut moved = bytes.clone();
    moved[place..place + 72].copy_from_slice(&vid);
    let read = |bytes: Vec<u8>| Macaroon::from_bytes(bytes, &DecodeOptions::default()).unwrap().0;
    assert_eq!(verify(&read(moved.clone()), &[]), Err(VerifyError::BadSignature));
    // Under the signature made with the issuer's key.
    let sig0 = *root().signature().expose();
    let link = |key: &[u8; 32], message: &[u8]| {
        *Macaroon::mint(&RootKey::from_derived(*key), "", message).unwrap().signature().expose()
    };
    let signature = link(&sig0, [link(&sig0, &vid), link(&sig0, &[1])].as_flattened());
    let end = moved.len();
    moved[end - 32..].copy_from_slice(&signature);
    let moved = read(moved);
    let bound = moved.bind_discharge(&discharge(1));
    let unreadable = Err(VerifyError::CaveatKeyUnreadable { at: in_root(0) });
    assert_eq!(verify(&moved, &[bound]), unreadable);
    assert_eq!(verify(&moved, &[]), unreadable);
}

/// A chain of discharges, each asked for by the one before.
fn chain(depth: u8) -> (Macaroon, Vec<Macaroon>) {
    let root = asking(&[1]);
    let links = (1..=depth).map(|number| {
        let mut link = discharge(number);
        if number < depth {
            ask(&mut link, number + 1);
        }
        root.bind_discharge(&link)
    });
    let links = links.collect();
    (root, links)
}

#[test]
fn discharges_go_thirty_two_deep_and_no_deeper() {
    let (root, discharges) = chain(32);
    assert_eq!(verify(&root, &discharges), Ok(()));
    let (root, mut discharges) = chain(33);
    assert_eq!(verify(&root, &discharges), Err(VerifyError::TooDeep { max: 32 }));
    discharges.reverse();
    assert_eq!(verify(&root, &discharges), Err(VerifyError::TooDeep { max: 32 }));

    let mut limits = Limits::ONEDATA;
    let context = at(5);
    limits.depth = 33;
    let deeper = Verifier::new(&context).within(limits);
    assert!(deeper.verify_with(&root, &discharges, &root_key()).is_ok());
    limits.depth = 0;
    let (root, discharges) = chain(1);
    let none = Verifier::new(&context).within(limits);
    assert_eq!(
        none.verify_with(&root, &discharges, &root_key()).map(drop),
        Err(VerifyError::TooDeep { max: 0 })
    );
}

#[test]
fn sixty_four_discharges_are_taken_and_no_more() {
    let numbers: Vec<u8> = (1..=65).collect();
    let bound = |root: &Macaroon, numbers: &[u8]| -> Vec<Macaroon> {
        numbers.iter().map(|number| root.bind_discharge(&discharge(*number))).collect()
    };
    let root = asking(&numbers[..64]);
    assert_eq!(verify(&root, &bound(&root, &numbers[..64])), Ok(()));
    assert_eq!(verify(&root, &bound(&root, &numbers)), Err(VerifyError::TooManyDischarges { max: 64 }));
    let root = asking(&numbers);
    assert_eq!(verify(&root, &bound(&root, &numbers)), Err(VerifyError::TooManyDischarges { max: 64 }));
    let (context, mut limits) = (at(5), Limits::HTTP);
    limits.discharges = 65;
    let more = Verifier::new(&context).within(limits);
    assert!(more.verify_with(&root, &bound(&root, &numbers), &root_key()).is_ok());
    // Too many discharges are refused before any work; the sender could count them. The error about a forgery with
    // fewer says only that it is a forgery.
    let forged = RootKey::from_derived([0xfe; 32]);
    let strict = Verifier::new(&context);
    let answer = |discharges: &[Macaroon]| strict.verify_with(&root, discharges, &forged).map(drop);
    assert_eq!(answer(&bound(&root, &numbers)), Err(VerifyError::TooManyDischarges { max: 64 }));
    assert_eq!(answer(&bound(&root, &numbers[..64])), Err(VerifyError::BadSignature));
}

#[test]
fn refusals_point_into_the_discharge() {
    let root = asking(&[1, 2]);
    let mut second = discharge(2);
    second.attenuate("time < 9").unwrap();
    second.attenuate("colour = blue").unwrap();
    ask(&mut second, 3);
    let [first, second] = [discharge(1), second].map(|it| root.bind_discharge(&it));
    let third = |caveats: &[&str]| {
        let mut third = discharge(3);
        caveats.iter().for_each(|caveat| third.attenuate(caveat).unwrap());
        root.bind_discharge(&third)
    };
    let missing = verify(&root, &[second.clone(), first.clone()]).unwrap_err();
    assert_eq!(missing, VerifyError::DischargeMissing { at: within(0, 2) });
    assert_eq!(missing.to_string(), "caveat 2 of discharge 0 has to be discharged by a third party");
    let unknown = verify(&root, &[first.clone(), second.clone(), third(&[])]);
    assert_eq!(unknown, Err(VerifyError::CaveatUnknown { at: within(1, 1) }));

    let context = at(5);
    let blue = Verifier::new(&context).exact(&[b"colour = blue"]);
    let answer = |caveats: &[&str], verifier: Verifier<'_>| {
        let discharges = [third(caveats), second.clone(), first.clone()];
        verifier.verify_with(&root, &discharges, &root_key()).map(|it| it.expires_at())
    };
    assert_eq!(answer(&[], blue), Ok(Some(UnixTime::from_secs(9))));
    assert_eq!(answer(&["time < 7", "time < 8"], blue), Ok(Some(UnixTime::from_secs(7))));
    let unmet = VerifyError::CaveatUnmet {
        at: within(0, 1),
        why: Unmet::Expired { valid_until: UnixTime::from_secs(5) },
    };
    assert_eq!(answer(&["time < 9", "time < 5"], blue), Err(unmet));
    let unsupported = VerifyError::CaveatUnsupported { at: within(0, 0) };
    assert_eq!(answer(&["data.readonly"], blue.supporting(CaveatTypes::IDENTITY)), Err(unsupported));
}

/// All signatures are checked before any caveat, in the root and in discharges.
#[test]
fn nothing_is_judged_before_every_signature_is_confirmed() {
    let judged = RefCell::new(Vec::new());
    let check = |predicate: &[u8]| {
        judged.borrow_mut().push(predicate.to_vec());
        Judgment::Satisfied
    };
    let checks: &[&dyn Judge] = &[&check];
    let context = at(5);
    let verifier = Verifier::new(&context).judges(checks);
    let mut root = root();
    root.attenuate("a").unwrap();
    ask(&mut root, 1);
    root.attenuate("b").unwrap();
    let mut good = discharge(1);
    good.attenuate("c").unwrap();
    let good = root.bind_discharge(&good);
    let forged = RootKey::from_derived([0xfe; 32]);
    for (discharges, key) in [
        (vec![], &root_key()),
        (vec![discharge(1)], &root_key()),
        (vec![good.clone(), root.bind_discharge(&discharge(2))], &root_key()),
        (vec![good.clone(), good.clone()], &root_key()),
        (vec![good.clone()], &forged),
    ] {
        assert!(verifier.verify_with(&root, &discharges, key).is_err());
        assert!(judged.borrow().is_empty(), "{:?}", judged.borrow());
    }
    assert!(verifier.verify_with(&root, &[good], &root_key()).is_ok());
    assert_eq!(*judged.borrow(), [b"a", b"b", b"c"]);
}

#[test]
fn checks_come_after_what_is_exact_and_before_the_vocabulary() {
    let asked = RefCell::new(Vec::new());
    let first = |predicate: &[u8]| {
        asked.borrow_mut().push(1);
        match predicate {
            b"yes" | b"time < 1" => Judgment::Satisfied,
            b"no" | b"time < 9" => Judgment::NotSatisfied("for a reason".into()),
            _ => Judgment::NotMine,
        }
    };
    let second = |predicate: &[u8]| {
        asked.borrow_mut().push(2);
        match predicate {
            b"no" | b"later" | b"data.readonly" => Judgment::Satisfied,
            b"yes" | b"never" => Judgment::NotSatisfied("for another".into()),
            _ => Judgment::NotMine,
        }
    };
    let checks: &[&dyn Judge] = &[&first, &second];
    let context = at(5);
    let judge = |caveat: &str, exact: &[&[u8]]| {
        let mut macaroon = root();
        macaroon.attenuate(caveat).unwrap();
        let verifier = Verifier::new(&context).exact(exact).judges(checks).supporting(CaveatTypes::IDENTITY);
        let verified = verifier.verify(&macaroon, &root_key()).map(|it| it.expires_at());
        let order = asked.take();
        let preflight = verifier.preflight(&macaroon);
        assert_eq!(asked.take(), order, "{caveat}");
        assert_eq!(preflight.is_none(), verified.is_ok(), "{caveat}");
        assert_eq!(preflight, verified.clone().err());
        (verified, order)
    };
    let unmet = |why: &str| Err(VerifyError::CaveatUnmet { at: in_root(0), why: Unmet::Other(why.into()) });
    assert_eq!(judge("yes", &[]), (Ok(None), vec![1]));
    assert_eq!(judge("no", &[]), (unmet("for a reason"), vec![1]));
    assert_eq!(judge("later", &[]), (Ok(None), vec![1, 2]));
    assert_eq!(judge("never", &[]), (unmet("for another"), vec![1, 2]));
    assert_eq!(judge("never", &[b"never"]), (Ok(None), vec![]));
    let unknown = Err(VerifyError::CaveatUnknown { at: in_root(0) });
    assert_eq!(judge("neither", &[]), (unknown.clone(), vec![1, 2]));
    // Exact is to the byte.
    for near in [&b"neither "[..], b" neither", b"Neither", b"neithe", b""] {
        assert_eq!(judge("neither", &[near]).0, unknown, "{near:?}");
    }
    // A check overrides the vocabulary in both directions. The end of a token's life is still the one in its text.
    assert_eq!(judge("time < 9", &[]), (unmet("for a reason"), vec![1]));
    assert_eq!(judge("time < 1", &[]), (Ok(Some(UnixTime::from_secs(1))), vec![1]));
    assert_eq!(judge("time < 8", &[]), (Ok(Some(UnixTime::from_secs(8))), vec![1, 2]));
    // An identity token supports no caveat on data, unless a check says that it holds.
    assert_eq!(judge("data.readonly", &[]), (Ok(None), vec![1, 2]));
}

#[test]
fn third_party_caveats_take_the_fields_that_others_take() {
    let mut macaroon = root();
    let before = *macaroon.signature().expose();
    let long = "x".repeat((1 << 20) + 1);
    let too_long = Err(BuildError::TooLong { len: long.len() });
    let nonce = || CaveatNonce::from_random([0; 24]);
    assert_eq!(macaroon.add_third_party("", b"", &key(1), nonce()), Err(BuildError::Empty));
    assert_eq!(macaroon.add_third_party(&long, b"x", &key(1), nonce()), too_long);
    assert_eq!(macaroon.add_third_party("", long.as_bytes(), &key(1), nonce()), too_long);
    assert_eq!((macaroon.caveats().len(), *macaroon.signature().expose()), (0, before));
    let max = "x".repeat(1 << 20);
    macaroon.add_third_party(&max, max.as_bytes(), &key(1), nonce()).unwrap();
    assert_eq!(Macaroon::discharge(&key(1), "", b"").map(drop), Err(BuildError::Empty));
    assert_eq!(Macaroon::mint(&root_key(), &long, b"x").map(drop), too_long);
    assert_eq!(format!("{:?}", key(1)), "CaveatKey(..)");
}

/// A host enforces `api` and similar caveats for each operation and reads them from the macaroon that it verified. It
/// never sees those of a discharge, so there they would restrict nothing.
#[test]
fn a_discharge_carries_nothing_that_is_enforced_later() {
    let mut context = at(5);
    context.data_caveats_allowed = true;
    context.service = Some(token_core::Service::ONEZONE.into_owned());
    context.interface = Some(token_core::Interface::Oneclient);
    let verifier = Verifier::new(&context);
    for caveat in [
        "api = all/get/op_space.s1.*:*",
        "data.readonly",
        "data.path = L3MxL2E=",
        "data.objectid = 00ff",
        "service = ozw-onezone",
        "interface = oneclient",
    ] {
        let mut root = asking(&[1]);
        root.attenuate(caveat).unwrap();
        let bound = root.bind_discharge(&discharge(1));
        verifier.verify_with(&root, &[bound], &root_key()).unwrap();

        let root = asking(&[1]);
        let mut narrow = discharge(1);
        narrow.attenuate(caveat).unwrap();
        let bound = [root.bind_discharge(&narrow)];
        let refused = verifier.verify_with(&root, &bound, &root_key()).unwrap_err();
        assert_eq!(refused, VerifyError::CaveatUnenforced { at: within(0, 0) }, "{caveat}");
        // A check that judges the caveat takes responsibility for it.
        let judged: [&[u8]; 1] = [caveat.as_bytes()];
        verifier.exact(&judged).verify_with(&root, &bound, &root_key()).unwrap();
    }
}
