//! Sealed root keys, for a host that keeps its own records.

use serde_json::{Value, json};
use token_store::KeyRing;

use crate::call;

const SECRET: &str = "an example secret of 32 bytes or more";

fn open(keys: &KeyRing, owner: &Value, sealed: &Value) -> Result<Value, Value> {
    call("open", &json!({ "keys": keys.to_text().as_str(), "owner": owner, "sealed": sealed }))
}

#[test]
fn a_sealed_key_opens_for_its_owner_under_its_ring_alone() {
    let keys = KeyRing::generate().unwrap();
    let token = json!({ "id": "t1", "type": "access", "issuer": "usr-u1", "createdAt": 1 });
    let limited = json!({ "id": "t1", "type": "access", "issuer": "usr-u1", "createdAt": 1, "useLimit": 1 });
    let named = json!({ "id": { "hex": "00ff" }, "type": "space-support", "issuer": { "type": "user", "id": "u1" },
        "createdAt": 1, "expiresAt": 2, "resource": { "type": "space", "id": "s1" }, "body": "b" });
    let first = json!({ "subject": "usr-u1", "generation": 1 });
    let second = json!({ "subject": "usr-u1", "generation": 2 });
    let owners = [&token, &limited, &named, &first, &second];
    for mine in owners {
        let request = json!({ "keys": keys.to_text().as_str(), "owner": mine, "secret": SECRET });
        let sealed = &call("seal", &request).unwrap()["sealed"];
        assert_ne!(sealed, &call("seal", &request).unwrap()["sealed"]);
        for theirs in owners {
            match open(&keys, theirs, sealed) {
                Ok(opened) => {
                    assert_eq!(mine, theirs);
                    // The key is that of the secret.
                    let mint = |key: &str, value: &Value| {
                        call("mint", &json!({ key: value, "location": "", "identifier": "i" })).unwrap()
                    };
                    assert_eq!(mint("rootKey", &opened["rootKey"]), mint("secret", &json!(SECRET)));
                }
                Err(error) => {
                    assert_ne!(mine, theirs);
                    assert_eq!(error["code"], "store_corrupt");
                }
            }
        }
        let stranger = KeyRing::generate().unwrap();
        assert_eq!(open(&stranger, mine, sealed).unwrap_err()["code"], "store_corrupt");
        let damaged = json!(sealed.as_str().unwrap().replacen('A', "B", 1));
        assert_eq!(open(&keys, mine, &damaged).unwrap_err()["code"], "store_corrupt");
    }
}

#[test]
fn an_owner_is_a_token_or_a_generation() {
    let keys = KeyRing::generate().unwrap();
    for owner in [
        json!({}),
        json!({ "subject": "usr-u1" }),
        json!({ "subject": "usr-u1", "generation": 1, "id": "t1" }),
        json!({ "id": "t1", "type": "access", "issuer": "usr-u1" }),
        json!({ "id": "", "type": "access", "issuer": "usr-u1", "createdAt": 1 }),
        json!({ "id": "t1", "type": "colour", "issuer": "usr-u1", "createdAt": 1 }),
    ] {
        let request = json!({ "keys": keys.to_text().as_str(), "owner": owner, "secret": SECRET });
        assert_eq!(call("seal", &request).unwrap_err()["code"], "invalid_argument", "{owner}");
    }
}
