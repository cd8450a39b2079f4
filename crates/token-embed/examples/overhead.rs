//! What the documents of a verb cost over the call that they stand for, in nanoseconds: the least of many rounds.
//!
//! `cargo run --release -p onetoken-embed --example overhead`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a measurement"
)]

use std::{hint::black_box, time::Instant};

use token_core::{
    Context, DecodeOptions, Identifier, IdentifierV2, Macaroon, Persistence, Predicate, RootKey, Subject,
    Token, TokenType, UnixTime, Verifier,
};
use token_embed::{Request, call};

const SECRET: &str = "an example secret of 32 bytes or more";
const CAVEATS: [&str; 8] = [
    "time < 8374891234",
    "ip = 172.98.11.23/32",
    "asn = 322",
    "geo.country = PL|FR",
    "interface = rest",
    "consumer = usr-user-id|grp-group-id",
    "geo.region = Asia|EU",
    "service = ozw-onezone",
];
const ALL_FACTS: &str = r#""ip":"172.98.11.23","asn":322,"country":"PL","interface":"rest","consumer":"usr-user-id","regions":["EU"],"service":"ozw-onezone","groups":["g1"],"#;

fn time(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 500;
    (0..40)
        .map(|_| {
            let begun = Instant::now();
            (0..CALLS).for_each(|_| call());
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .fold(f64::INFINITY, f64::min)
}

fn row(name: &str, rust: f64, json: f64) {
    println!("{name:<28}{rust:>8.0}{json:>8.0}{:>8.0}", json - rust);
}

fn main() {
    println!("{:<28}{:>8}{:>8}{:>8}", "", "Rust", "JSON", "over");
    for count in [1, 8] {
        let caveats = CAVEATS.get(..count).unwrap();
        let identifier = IdentifierV2 {
            persistence: Persistence::Named,
            subject: Subject::User("user-id"),
            token_type: TokenType::Access { session: None },
            id: "1234567890example-id",
        };
        let mint = || {
            let key = RootKey::derive_any(black_box(SECRET.as_bytes()));
            let mut token = Token::mint(&key, "onezone.example.com", &identifier).unwrap();
            caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
            token.encode().unwrap()
        };
        let text = mint();
        let options = DecodeOptions::default();

        let facts = if count == 1 { "" } else { ALL_FACTS };
        let request =
            format!(r#"{{"token":"{text}","secret":"{SECRET}","context":{{{facts}"now":1700000000}}}}"#);
        let context = || {
            let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
            if count > 1 {
                context.peer_ip = Some([172, 98, 11, 23].into());
                context.asn = Some(322);
                context.country = Some("PL".to_owned());
                context.interface = Some(token_core::Interface::Rest);
                context.consumer = Some(Subject::User("user-id".to_owned()));
                context.regions = Some(vec![token_core::Region::Eu]);
                context.service = Some("ozw-onezone".parse().unwrap());
                context.consumer_groups = Some(vec!["g1".to_owned()]);
            }
            context
        };
        let rust = time(|| {
            let key = RootKey::derive_any(black_box(SECRET.as_bytes()));
            let (macaroon, _) = Macaroon::from_text(black_box(&text), &options).unwrap();
            let context = context();
            let verified = Verifier::new(&context).verify(&macaroon, &key).unwrap();
            black_box((verified.subject(), verified.token_type(), verified.expires_at()));
        });
        let json = time(|| {
            black_box(call("verify", black_box(request.as_bytes())).unwrap());
        });
        row(&format!("verify, {count} caveats"), rust, json);
        let read = time(|| {
            let mut json = serde_json::Deserializer::from_slice(black_box(request.as_bytes()));
            drop(black_box(Request::read("verify", &mut json).unwrap()));
        });
        let mut json = serde_json::Deserializer::from_slice(request.as_bytes());
        let parsed = Request::read("verify", &mut json).unwrap();
        let answer = time(|| drop(black_box(parsed.answer().unwrap())));
        let answered = parsed.answer().unwrap();
        let write = time(|| drop(black_box(serde_json::to_vec(&answered).unwrap())));
        println!("  read {read:.0}, answer {answer:.0}, write {write:.0}");

        let list = caveats.iter().map(|caveat| format!("\"{caveat}\"")).collect::<Vec<_>>().join(",");
        let request = format!(
            r#"{{"secret":"{SECRET}","location":"onezone.example.com","identifier":"{}","caveats":[{list}]}}"#,
            identifier.write().unwrap()
        );
        let rust = time(|| drop(black_box(mint())));
        let json = time(|| drop(black_box(call("mint", black_box(request.as_bytes())).unwrap())));
        row(&format!("mint, {count} caveats"), rust, json);

        let request = format!(r#"{{"token":"{text}","caveats":["interface = rest"]}}"#);
        let rust = time(|| {
            let mut token = Token::decode(black_box(&text), &options).unwrap();
            token.attenuate("interface = rest").unwrap();
            drop(black_box(token.encode().unwrap()));
        });
        let json = time(|| drop(black_box(call("confine", black_box(request.as_bytes())).unwrap())));
        row(&format!("confine, {count} caveats"), rust, json);

        let request = format!(r#"{{"token":"{text}"}}"#);
        let rust = time(|| {
            let token = Token::decode(black_box(&text), &options).unwrap();
            black_box(matches!(token.identifier(), Identifier::V2(_)));
        });
        let json = time(|| drop(black_box(call("inspect", black_box(request.as_bytes())).unwrap())));
        row(&format!("inspect, {count} caveats"), rust, json);

        let rust = time(|| {
            let (macaroon, _) = Macaroon::from_text(black_box(&text), &options).unwrap();
            black_box(macaroon.needs());
        });
        let json = time(|| drop(black_box(call("needs", black_box(request.as_bytes())).unwrap())));
        row(&format!("needs, {count} caveats"), rust, json);

        let request = format!(r#"{{"token":"{text}","context":{{{facts}"now":1700000000}}}}"#);
        let rust = time(|| {
            let (macaroon, _) = Macaroon::from_text(black_box(&text), &options).unwrap();
            let context = context();
            black_box(Verifier::new(&context).preflight(&macaroon));
        });
        let json = time(|| drop(black_box(call("preflight", black_box(request.as_bytes())).unwrap())));
        row(&format!("preflight, {count} caveats"), rust, json);

        let request = format!(r#"{{"root":"{text}","discharge":"{text}"}}"#);
        let rust = time(|| {
            let (root, _) = Macaroon::from_text(black_box(&text), &options).unwrap();
            let (discharge, spelling) = Macaroon::from_text(black_box(&text), &options).unwrap();
            drop(black_box(root.bind_discharge(&discharge).spell(spelling).unwrap()));
        });
        let json = time(|| drop(black_box(call("bind", black_box(request.as_bytes())).unwrap())));
        row(&format!("bind, {count} caveats"), rust, json);
    }
    let request = r#"{"text":"time < 8374891234"}"#;
    let rust = time(|| {
        let caveat = Predicate::read(black_box(b"time < 8374891234")).unwrap();
        drop(black_box(caveat.to_string()));
    });
    let json = time(|| drop(black_box(call("caveat", black_box(request.as_bytes())).unwrap())));
    row("caveat, 1 caveats", rust, json);
}
