//! The cost of the operations of token-core.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up stops")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use token_bench::works::{CAVEATS, DOMAIN, IDENTIFIER};
use token_core::{Context, DecodeOptions, Encoding, Format, RootKey, Token, UnixTime, Verifier, inspect};
use token_test::vectors;

fn key() -> RootKey {
    RootKey::derive_any(b"verySecretSecret5")
}

fn token(caveats: usize) -> Token {
    let mut token = Token::mint(&key(), DOMAIN, &IDENTIFIER).unwrap();
    CAVEATS.iter().take(caveats).for_each(|caveat| token.attenuate(caveat).unwrap());
    token
}

fn context() -> Context {
    let mut context = Context::at(UnixTime::from_secs(1));
    context.peer_ip = Some([172, 98, 11, 23].into());
    context.asn = Some(322);
    context.country = Some("PL".into());
    context.regions = Some([token_core::Region::Eu].into());
    context.consumer = Some(token_core::Subject::User("user-id".into()));
    context.interface = Some(token_core::Interface::Graphsync);
    context
}

fn verbs(criterion: &mut Criterion) {
    let (key, options) = (key(), DecodeOptions::default());
    criterion.bench_function("derive a key", |bencher| {
        bencher.iter(|| RootKey::derive_any(black_box(b"verySecretSecret5")));
    });
    criterion.bench_function("mint, caveats: 0", |bencher| {
        bencher.iter(|| Token::mint(&key, DOMAIN, black_box(&IDENTIFIER)).unwrap());
    });
    criterion.bench_function("mint to text, caveats: 1", |bencher| {
        bencher.iter(|| {
            let mut token = Token::mint(&key, DOMAIN, black_box(&IDENTIFIER)).unwrap();
            token.attenuate(CAVEATS[0]).unwrap();
            token.encode().unwrap()
        });
    });

    let context = context();
    let verifier = Verifier::new(&context);
    for caveats in [1, 8] {
        let token = token(caveats);
        criterion.bench_function(&format!("verify, caveats: {caveats}"), |bencher| {
            bencher.iter(|| verifier.verify(black_box(token.macaroon()), &key).unwrap());
        });
    }
    let token = token(1);
    let other = RootKey::derive_any(b"another secret");
    criterion.bench_function("refuse a forgery", |bencher| {
        bencher.iter(|| verifier.verify(black_box(token.macaroon()), &other).unwrap_err());
    });

    for encoding in [Encoding::Base62, Encoding::Base64Url] {
        let text = token.clone().written_as(Format::V1, encoding).encode().unwrap();
        criterion.bench_function(&format!("decode {}", encoding.as_str()), |bencher| {
            bencher.iter(|| Token::decode(black_box(&text), &options).unwrap());
        });
    }
    let text = token.encode().unwrap();
    criterion.bench_function("attenuate text", |bencher| {
        bencher.iter(|| {
            let mut token = Token::decode(black_box(&text), &options).unwrap();
            token.attenuate("time < 1700000000").unwrap();
            token.encode().unwrap()
        });
    });
    criterion.bench_function("inspect", |bencher| {
        bencher.iter(|| inspect(black_box(&text), &options).unwrap());
    });
    criterion.bench_function("decode and verify", |bencher| {
        bencher.iter(|| {
            let token = Token::decode(black_box(&text), &options).unwrap();
            verifier.verify(token.macaroon(), &key).unwrap().expires_at()
        });
    });

    let sample = vectors::api_documents().into_iter().find(|it| it.id == "seed.response200").unwrap().text;
    criterion.bench_function("diagnose a damaged token", |bencher| {
        bencher.iter(|| inspect(black_box(&sample), &options).unwrap_err().to_string());
    });
}

criterion_group!(benches, verbs);
criterion_main!(benches);
