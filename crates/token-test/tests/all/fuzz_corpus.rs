//! The vectors are the seed inputs of the fuzz targets. To regenerate them:
//! `WRITE_FUZZ_CORPUS=1 cargo test -p token-test --test all fuzz_corpus`

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use token_core::Predicate;
use token_test::FAMILIES;
use token_test::{SplitMix64, hex, text, vectors};

/// The verbs without a store, in the order of the fuzz target.
const VERBS: [&str; 11] = [
    "inspect",
    "confine",
    "caveat",
    "needs",
    "preflight",
    "mint",
    "verify",
    "bind",
    "seal",
    "open",
    "version",
];

/// File names and contents by fuzz target.
type Corpus = BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>;

/// A byte string and the rest, in the layout of libFuzzer's inputs: the length of the first is at the end.
fn for_base62(identifier: &[u8], text: &str) -> Vec<u8> {
    let len = u8::try_from(identifier.len()).unwrap();
    [identifier, text.as_bytes(), &[len]].concat()
}

/// The values of a v1J document as lines, in the order of the fuzz target.
fn v1j_values(document: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(document).ok()?;
    let mut lines = vec![&document["location"], &document["identifier"], &document["signature"]];
    for caveat in document["caveats"].as_array()? {
        lines.extend([&caveat["cid"], &caveat["vid"], &caveat["cl"]]);
    }
    Some(lines.into_iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn v1j_of(vector: &vectors::MacaroonVector) -> Option<String> {
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(serde_json::Value::from);
    let caveats = vector.caveats.iter().map(|caveat| {
        let vid = caveat.vid.as_ref().map(text::base64url);
        Some(serde_json::json!({"cid": string(caveat.cid())?, "vid": vid, "cl": caveat.cl}))
    });
    let document = serde_json::json!({
        "location": vector.location,
        "identifier": string(vector.identifier()?)?,
        "caveats": caveats.collect::<Option<Vec<_>>>()?,
        "signature": hex::encode(vector.signature?),
    });
    v1j_values(document.to_string().as_bytes())
}

/// Bytes from which the fuzz target draws requests of some size.
fn discharge_requests() -> Vec<Vec<u8>> {
    let mut random = SplitMix64::new(8);
    (0..16).map(|number| random.bytes(32 << (number % 4))).collect()
}

fn corpus() -> Corpus {
    let mut corpus = Corpus::new();
    let mut add = |target, name: &str, bytes: &[u8]| {
        corpus.entry(target).or_default().insert(name.replace(['/', ' '], "_"), bytes.to_vec());
    };
    for vectors::Golden { name, identifier, caveats, base62, base64url, .. } in vectors::golden() {
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
            for (family, prefix) in FAMILIES.iter().enumerate() {
                if let Some(value) = caveat.strip_prefix(prefix) {
                    let input = [&[u8::try_from(family).unwrap()], value.as_bytes()].concat();
                    add("family", &format!("{name}.{kind}"), &input);
                    break;
                }
            }
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
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../token-embed/tests/cases.json")).unwrap();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let Some(verb) = VERBS.iter().position(|verb| case["verb"] == *verb) else { continue };
        let request = match case["json"].as_str() {
            Some(json) => json.as_bytes().to_vec(),
            None => serde_json::to_vec(&case["request"]).unwrap(),
        };
        add("embed", name, &[&[u8::try_from(verb).unwrap()][..], &request].concat());
    }
    let key = [&[3][..], &[7; 12], &[48], &[9; 48]].concat();
    let issuer = b"\x04user\x02u1";
    add("record", "least", &[&b"\x02\x01k\0"[..], issuer, &key, b"\0\0\0\0\0\0"].concat());
    let (kind, resource) = (b"\x02\x0dspace-support\x01", b"\x05space\x02s1");
    let counts = b"\x80\xa4\x8c\xab\x06\x01\x80\xa5\x8c\xab\x06\x01\x05\x02\x01\x01\x04name";
    add("record", "most", &[&kind[..], resource, issuer, &key, counts].concat());
    add("record", "generation", &[&[1, 7][..], &key].concat());
    add("record", "newer", &[3]);
    for document in vectors::api_documents() {
        add("inspect", &document.id, document.text.as_bytes());
    }
    for vector in vectors::macaroons() {
        let name = &vector.name;
        if let Some(text) = vector.text() {
            add("inspect", name, text.as_bytes());
            add("text", name, text.as_bytes());
            if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                add("base62", name, &for_base62(name.as_bytes(), text));
            }
        }
        let binary = vector.text().map_or_else(|| Some(vector.wire().to_vec()), text::any_base64);
        match vector.format {
            Some(vectors::Format::V1) => {
                add("v1", name, binary.as_deref().unwrap_or(vector.wire()));
                add("differential", name, binary.as_deref().unwrap_or(vector.wire()));
            }
            Some(vectors::Format::V2) => {
                if let Some(binary) = binary {
                    add("v2", name, binary.strip_prefix(&[2]).unwrap_or(&binary));
                    add("differential", name, &binary);
                }
            }
            Some(vectors::Format::V2J) => {
                add("v2j", name, vector.wire().strip_prefix(b"{").unwrap_or(vector.wire()));
            }
            Some(vectors::Format::V1J) => {
                if let Some(values) = v1j_values(vector.wire()) {
                    add("v1j", name, values.as_bytes());
                }
                add("v2j", name, vector.wire().strip_prefix(b"{").unwrap_or(vector.wire()));
            }
            None => {}
        }
        // Every accepted macaroon as v1J.
        if let Some(values) = v1j_of(&vector) {
            add("v1j", &format!("{name}.v1j"), values.as_bytes());
        }
    }
    for (index, request) in discharge_requests().iter().enumerate() {
        add("discharge", &format!("request.{index}"), request);
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
