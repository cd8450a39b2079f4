//! The verbs for people: `describe`, `words` and `explain`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use token_embed::people;
use token_test::hostile;

fn call(verb: &str, request: &Value) -> Result<Value, Value> {
    let answer = people::answer_json(verb, &serde_json::to_vec(request).unwrap());
    let document = |json: Vec<u8>| serde_json::from_slice(&json).unwrap();
    answer.map(document).map_err(|error| document(error.to_json()))
}

fn describe(token: &str) -> Value {
    call("describe", &json!({ "token": token })).unwrap()
}

const SECRET: &str = "an example secret of 32 bytes or more";

fn mint(identifier: &str, caveats: &[&str]) -> String {
    let request =
        json!({ "secret": SECRET, "location": "onezone", "identifier": identifier, "caveats": caveats });
    crate::call("mint", &request).unwrap()["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_is_described() {
    let token = mint("2/nmd/usr-u1/ssp:s1:/id1", &["time < 1496140144", "data.readonly"]);
    let described = describe(&token);
    assert_eq!(described["words"], "Lets a provider support space s1");
    assert_eq!(described["persistence"], "Named: it can be revoked alone");
    assert_eq!(
        described["caveats"],
        json!([
            { "words": "Holds until 2017-05-30T10:29:04Z", "supported": true, "enforcedLater": false },
            { "words": "Data can be read and not changed", "supported": false, "enforcedLater": true },
        ])
    );
    let fields = described["fields"].as_array().unwrap();
    let names: Vec<_> = fields.iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert_eq!(names, ["location", "identifier", "caveat", "caveat", "signature"]);
    assert_eq!(fields[3]["index"], 1);
    assert_eq!((&fields[0]["characters"][0], &fields[4]["characters"][1]), (&json!(0), &json!(token.len())));
    assert_eq!(described["damage"], Value::Null);
    assert!(!described.to_string().contains(token.get(token.len() - 40..).unwrap()));
}

#[test]
fn a_legacy_token_is_described_by_its_caveat() {
    let described = describe(&mint("opaque", &["tokenType = space_support_token"]));
    assert_eq!(described["words"], "Lets a provider support a space");
    assert_eq!(
        (&described["persistence"], &described["caveats"][0]["supported"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_damaged_tokens_of_the_documents_are_described() {
    // Altered at its beginning, cut at its end, and without its middle.
    let token = mint("id1", &["time < 1496140144"]);
    let altered = describe(&["JK", token.get(2..).unwrap()].concat());
    assert_eq!(altered["damage"]["characters"], json!([0, 2]));
    assert_eq!(altered["damage"]["repaired"], token);

    let cut =
        describe("MDAxNmxvY2F00aW9uIHJlZ2lzdHJ5CjAwM2JpZGVudGlmaWVyIHZjUGlIcGkweGZta1ZOdEp00eUNINVNvR2001Wl");
    assert_eq!(cut["damage"]["characters"], json!([89, 89]));
    assert_eq!(
        (&cut["damage"]["cut"]["field"], &cut["damage"]["cut"]["missing"]),
        (&json!("identifier"), &json!(17))
    );
    assert_eq!(cut["damage"]["cut"]["left"], "vcPiHpi0xfmkVNtJtyCH5SoGm5Z");
    assert_eq!(cut["damage"]["tail"], Value::Null);

    let spliced = describe(
        "MDAxNmxvY2F0VhdGVfdG9rZW4KMDAyZnNpZ25hdHVyZSAdVCkpV2L9A00S9Ky01TtJF1Lsne3EBUU9UAW1xOi8Iolwo",
    );
    assert_eq!(spliced["damage"]["characters"], json!([11, 13]));
    assert_eq!(spliced["damage"]["tail"]["fragment"], "te_token");
    assert_eq!(spliced["damage"]["tail"]["fields"][0]["field"], "signature");
    assert_eq!(spliced["damage"]["tail"]["values"], json!([]));
}

#[test]
fn a_caveat_alone_has_words() {
    assert_eq!(
        call("words", &json!({ "text": "asn = 322" })).unwrap()["words"],
        "Only from the network AS322"
    );
    assert_eq!(
        call("words", &json!({ "text": { "hex": "ff" } })).unwrap()["words"],
        "A condition that Onedata does not know"
    );
    assert_eq!(call("words", &json!({})).unwrap_err()["code"], "invalid_argument");
}

#[test]
fn every_caveat_is_explained() {
    let token = mint("id1", &["time < 2000", "ip = 192.0.2.7", "colour = blue"]);
    let explain = |secret: &str, now: u64| {
        let context = json!({ "now": now, "ip": "192.0.2.1" });
        call("explain", &json!({ "token": token, "secret": secret, "context": context })).unwrap()
    };
    let explained = explain(SECRET, 1999);
    assert_eq!(explained["answer"], Value::Null);
    assert_eq!(explained["error"]["code"], "token_caveat_unverified");
    let caveats = explained["caveats"].as_array().unwrap();
    let holds: Vec<_> = caveats.iter().map(|caveat| caveat["holds"].as_bool().unwrap()).collect();
    assert_eq!(holds, [true, false, false]);
    assert_eq!((&caveats[1]["fact"], &caveats[1]["discharge"]), (&json!("192.0.2.1"), &Value::Null));
    assert_eq!(caveats[2]["reason"], "it is not understood");

    // A forger learns nothing about the caveats.
    let forged = explain("another secret of 32 bytes or more", 1999);
    assert_eq!((&forged["answer"], &forged["caveats"]), (&Value::Null, &Value::Null));
    assert_eq!(forged["error"]["detail"]["reason"], "signature");
    // An error of the request is none of the token.
    let request = json!({ "token": token, "secret": SECRET, "context": { "now": 1, "ip": "x" } });
    assert_eq!(call("explain", &request).unwrap_err()["detail"]["member"], "context.ip");
}

#[test]
fn what_verify_answers_explain_answers() {
    let token = mint("id1", &["time < 2000"]);
    let request = json!({ "token": token, "secret": SECRET, "context": { "now": 1999 } });
    let explained = call("explain", &request).unwrap();
    assert_eq!(explained["answer"], crate::call("verify", &request).unwrap());
    assert_eq!(explained["error"], Value::Null);
    let request = json!({ "token": token, "secret": SECRET, "context": { "now": 2000 } });
    assert_eq!(call("explain", &request).unwrap()["error"], crate::call("verify", &request).unwrap_err());
}

#[test]
fn hostile_texts_are_described_in_time() {
    let megabyte = 1 << 20;
    let long = ["0", "MDAx", "x", "MDAwN2EgCg", "{", "é"].map(|piece| piece.repeat(megabyte / piece.len()));
    let signed = ["MDAw".repeat(megabyte / 8), mint("id1", &["time < 1"])].concat();
    for text in hostile::texts().into_iter().map(|(_, text)| text).chain(long).chain([signed]) {
        let begin = Instant::now();
        let described = match call("describe", &json!({ "token": text })) {
            Ok(described) => described,
            Err(error) => {
                assert_eq!(error["code"], "token_too_large");
                continue;
            }
        };
        assert!(begin.elapsed() < Duration::from_secs(10), "{} bytes", text.len());
        if let Some(characters) = described["damage"]["characters"].as_array() {
            let [from, to] =
                [&characters[0], &characters[1]].map(|at| usize::try_from(at.as_u64().unwrap()).unwrap());
            assert!(text.get(from..to).is_some(), "{from}..{to}");
        }
    }
}
