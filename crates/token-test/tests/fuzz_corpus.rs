//! The inputs that the fuzz targets start from are the vectors. To write them anew:
//! `WRITE_FUZZ_CORPUS=1 cargo test -p token-test --test fuzz_corpus`
#![allow(clippy::panic, clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use token_core::{DecodeOptions, Macaroon, Predicate};
use token_test::{text, vectors};

/// File names and contents by fuzz target.
type Corpus = BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>;

fn corpus() -> Corpus {
    let mut corpus = Corpus::new();
    let mut add = |target, name: &str, bytes: &[u8]| {
        corpus.entry(target).or_default().insert(name.replace(['/', ' '], "_"), bytes.to_vec());
    };
    let modern = vectors::onedata()
        .into_iter()
        .map(|it| (it.name, it.identifier, it.caveats, it.serialized_base62, it.serialized_base64url));
    let legacy = vectors::onedata_legacy()
        .into_iter()
        .map(|it| (it.name, it.identifier, it.caveats, it.serialized_base62, it.serialized_base64url));
    for (name, identifier, caveats, base62, base64url) in modern.chain(legacy) {
        for target in ["text", "inspect"] {
            add(target, &format!("{name}.base62"), base62.as_bytes());
            add(target, &format!("{name}.base64url"), format!("opw-{base64url}").as_bytes());
        }
        let bytes = text::bytes(&base64url);
        add("v1", &name, &bytes);
        add("identifier", &name, identifier.as_bytes());
        for caveat in &caveats {
            let predicate = Predicate::read(caveat.as_bytes()).unwrap();
            let kind = caveat.split(' ').next().unwrap();
            add("caveat", &format!("{name}.{kind}.txt"), caveat.as_bytes());
            add("caveat", &format!("{name}.{kind}.json"), &serde_json::to_vec(&predicate).unwrap());
        }
        for (letter, request) in ["a", "b"].into_iter().zip([[0, 0xff, 0x31, 7, 1], [9, 0, 0, 0, 0]]) {
            add(
                "verify",
                &format!("{name}.{letter}"),
                &[&request[..], caveats.join("\n").as_bytes()].concat(),
            );
        }
        add("verify", &format!("{name}.bytes"), &[&[0, 0xff, 0, 7, 0][..], &bytes].concat());
    }
    let key = [&[3][..], &[7; 12], &[48], &[9; 48]].concat();
    let issuer = b"\x04user\x02u1";
    add("record", "least", &[&b"\x01\x01k\0"[..], issuer, &key, b"\0\0\0\0\0\0"].concat());
    let (kind, resource) = (b"\x01\x0dspace-support\x01", b"\x05space\x02s1");
    let counts = b"\x80\xa4\x8c\xab\x06\x01\x80\xa5\x8c\xab\x06\x01\x05\x02\x01\x01\x04name";
    add("record", "most", &[&kind[..], resource, issuer, &key, counts].concat());
    add("record", "generation", &[&[1, 7][..], &key].concat());
    add("record", "newer", &[2]);
    for document in vectors::api_documents() {
        add("inspect", &document.id, document.text.as_bytes());
    }
    for vector in vectors::macaroons().iter().filter(|it| it.format == Some(vectors::Format::V1)) {
        let Some(text) = vector.text() else { continue };
        add("inspect", &vector.name, text.as_bytes());
        if let Ok((macaroon, _)) = Macaroon::from_text(text, &DecodeOptions::default()) {
            add("v1", &vector.name, &macaroon.to_bytes(token_core::Format::V1).unwrap());
        }
    }
    corpus
}

#[test]
fn the_committed_corpus_is_that_of_the_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, files) in corpus() {
        let directory = root.join(target);
        if std::env::var_os("WRITE_FUZZ_CORPUS").is_some() {
            fs::create_dir_all(&directory).unwrap();
            files.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).unwrap());
        }
        for (name, bytes) in files {
            let committed =
                fs::read(directory.join(&name)).unwrap_or_else(|error| panic!("{target}/{name}: {error}"));
            assert_eq!(committed, bytes, "{target}/{name}");
        }
    }
}
