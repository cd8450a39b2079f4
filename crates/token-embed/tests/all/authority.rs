//! An authority by documents. The steps of `authority.json` are what every shell runs too.

use std::{collections::BTreeMap, thread};

use serde_json::{Value, json};
use token_embed::authority::{Authority, VERBS};

use crate::errors::assert_listed;

fn call(authority: &Authority, verb: &str, request: &Value) -> Result<Value, Value> {
    let answer = authority.call(verb, request.to_string().as_bytes());
    let document = |json: Vec<u8>| serde_json::from_slice(&json).unwrap();
    answer.map(document).map_err(document)
}

fn open(request: &Value) -> Result<Authority, Value> {
    Authority::open_json(request.to_string().as_bytes())
        .map_err(|error| serde_json::from_slice(&error.to_json()).unwrap())
}

/// Puts in what was saved, for strings `$name`.
fn filled(value: &Value, saved: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => saved[name].clone(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, saved)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), filled(value, saved))).collect()
        }
        other => other.clone(),
    }
}

/// Whether the answer has what is expected; objects may have further members.
fn has(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| answer.get(name).is_some_and(|found| has(found, expected)))
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer.iter().zip(expected).all(|(answer, expected)| has(answer, expected))
        }
        _ => answer == expected,
    }
}

fn run(authority: &Authority) {
    let steps: Vec<Value> = serde_json::from_str(include_str!("../authority.json")).unwrap();
    let (mut saved, mut wrong) = (BTreeMap::new(), Vec::new());
    for step in &steps {
        let (name, verb) = (step["name"].as_str().unwrap(), step["verb"].as_str().unwrap());
        match (call(authority, verb, &filled(&step["request"], &saved)), step.get("error")) {
            (Ok(answer), None) => {
                for (name, member) in step["save"].as_object().into_iter().flatten() {
                    saved.insert(name.clone(), answer[member.as_str().unwrap()].clone());
                }
                if !has(&answer, &filled(&step["has"], &saved)) {
                    wrong.push(format!("{name}: {answer}"));
                }
            }
            (Err(mut error), expected) => {
                assert_listed(&error);
                error["detail"].as_object_mut().unwrap().retain(|name, _| name != "line" && name != "column");
                if expected != Some(&error) {
                    wrong.push(format!("{name}: {error}"));
                }
            }
            (Ok(answer), Some(_)) => wrong.push(format!("{name}: {answer}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), steps.len(), wrong.join("\n"));
    let used: Vec<&Value> = steps.iter().map(|step| &step["verb"]).collect();
    for verb in VERBS {
        assert!(used.contains(&&Value::from(*verb)), "no step has the verb {verb}");
    }
}

#[test]
fn every_step_has_its_answer_in_memory() {
    run(&open(&json!({ "store": "memory:" })).unwrap());
}

#[test]
fn every_step_has_its_answer_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, keys) = (dir.path().join("store.redb"), dir.path().join("keys"));
    let store = format!("redb:{}", store.display());
    let request = json!({ "store": store, "keys": { "file": keys } });
    let error = open(&request).unwrap_err();
    assert_eq!((&error["code"], &error["detail"]["retry"]), (&json!("store_unavailable"), &json!(false)));
    let mut create = request.clone();
    create["create"] = true.into();
    let authority = open(&create).unwrap();
    run(&authority);

    let mint = json!({ "type": "access", "issuer": "usr-u1", "decision": "allowed" });
    let token = call(&authority, "mint", &mint).unwrap()["token"].clone();
    let error = open(&request).unwrap_err();
    assert_listed(&error);
    assert!(error["detail"]["reason"].is_string());
    assert_eq!((&error["code"], &error["detail"]["retry"]), (&json!("store_unavailable"), &json!(true)));
    authority.close();
    authority.close();
    assert_eq!(call(&authority, "mint", &mint).unwrap_err()["code"], "invalid_argument");

    // With `create` or without, an existing store is opened with its keys.
    for request in [&request, &create] {
        let again = open(request).unwrap();
        assert_eq!(call(&again, "check", &json!({ "token": token })).unwrap()["type"], "access");
    }
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(open(&create).unwrap_err()["detail"]["member"], "keys");
    let other = token_store::KeyRing::generate().unwrap().to_text();
    let stranger = open(&json!({ "store": store, "keys": { "text": other.as_str() } })).unwrap();
    let error = call(&stranger, "check", &json!({ "token": token })).unwrap_err();
    assert_eq!(error["code"], "store_corrupt");
}

#[test]
fn what_cannot_be_opened_says_why_and_no_secret() {
    let member = |request: Value| open(&request).unwrap_err()["detail"]["member"].clone();
    assert_eq!(member(json!({ "store": "mysql://root:hunter2@host/db" })), "store");
    assert_eq!(member(json!({ "store": "redb:" })), "store");
    assert_eq!(member(json!({ "store": "memory:", "dialect": "old" })), "dialect");
    assert_eq!(member(json!({ "store": "memory:", "keys": { "text": "hunter2" } })), "keys");
    assert_eq!(member(json!({ "store": "memory:", "keys": {} })), "keys");
    let missing = tempfile::tempdir().unwrap().path().join("keys");
    assert_eq!(member(json!({ "store": "memory:", "keys": { "file": &missing } })), "keys");
    assert!(!missing.exists());
    assert_eq!(member(json!({ "store": "memory:", "keys": { "variable": "ONETOKEN_NOT_SET" } })), "keys");
    for request in [
        json!({ "store": "postgres://root:hunter2@[", "keys": { "text": "hunter2" } }),
        json!({ "store": "mysql://root:hunter2@host/db" }),
        json!({ "store": "memory:", "keys": { "text": "hunter2" } }),
        json!({ "store": "memory:", "keys": { "file": "hunter2" } }),
        json!({ "store": "memory:", "keys": { "variable": "hunter2" } }),
        json!({ "store": "memory:", "keys": "hunter2" }),
    ] {
        assert!(!open(&request).unwrap_err().to_string().contains("hunter2"), "{request}");
    }
}

/// One use, many threads: one of them gets it, and its retry the same.
#[test]
fn one_of_many_threads_gets_the_use() {
    let authority = open(&json!({ "store": "memory:" })).unwrap();
    let mint = json!({ "type": "space-support", "target": "s1", "issuer": "usr-u1", "decision": "allowed" });
    let token = &call(&authority, "mint", &mint).unwrap()["token"];
    let consume = |claim: usize| {
        call(
            &authority,
            "consume",
            &json!({ "token": token, "expect": "space-support", "context": { "consumer": "prv-p1" },
                "decision": "allowed", "claim": format!("{claim}") }),
        )
    };
    let granted: Vec<usize> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|claim| (claim, scope.spawn(move || consume(claim)))).collect();
        let ended = threads.into_iter().map(|(claim, thread)| (claim, thread.join().unwrap()));
        ended.filter_map(|(claim, answer)| answer.is_ok().then_some(claim)).collect()
    });
    assert_eq!(granted.len(), 1);
    assert_eq!(consume(granted[0]).unwrap()["repeated"], true);
}
