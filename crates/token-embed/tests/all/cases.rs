//! The cases of `cases.json`, which every shell runs.

use serde_json::Value;

use crate::{call, errors::assert_listed};

#[test]
fn every_case_has_its_answer() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../cases.json")).unwrap();
    assert!(cases.len() > 40, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (name, verb) = (case["name"].as_str().unwrap(), case["verb"].as_str().unwrap());
        if cfg!(not(feature = "keys")) && matches!(verb, "seal" | "open") {
            continue;
        }
        let answer = match case.get("json") {
            Some(json) => {
                let document = |json: Vec<u8>| serde_json::from_slice(&json).unwrap();
                token_embed::call(verb, json.as_str().unwrap().as_bytes()).map(document).map_err(document)
            }
            None => call(verb, &case["request"]),
        };
        match answer {
            Ok(answer) if case.get("answer") == Some(&answer) => {}
            Err(mut error) => {
                assert_listed(&error);
                // Where it is depends on how the request is written.
                if case.get("json").is_none() {
                    error["detail"]
                        .as_object_mut()
                        .unwrap()
                        .retain(|name, _| name != "line" && name != "column");
                }
                if case.get("error") != Some(&error) {
                    wrong.push(format!("{name}: {error}"));
                }
            }
            Ok(answer) => wrong.push(format!("{name}: {answer}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
