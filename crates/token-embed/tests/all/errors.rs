//! The list of errors is one, in `errors.json`.

use std::collections::BTreeSet;

use serde_json::Value;
use token_embed::{Code, ERRORS_JSON};

pub(crate) fn listed() -> Vec<Value> {
    serde_json::from_str(ERRORS_JSON).unwrap()
}

#[test]
fn codes_are_those_of_the_list() {
    let listed = listed();
    assert_eq!(listed.len(), Code::ALL.len());
    for (code, entry) in Code::ALL.iter().zip(&listed) {
        assert_eq!(entry["code"], code.as_str());
        assert_eq!(entry["number"], code.number());
        assert!(entry["means"].as_str().is_some_and(|means| means.ends_with('.')));
        assert!(entry["retry"].is_boolean() && entry["detail"].is_array());
    }
    let numbers: BTreeSet<u8> = Code::ALL.iter().map(|code| code.number()).collect();
    assert!(numbers.len() == listed.len() && !numbers.contains(&0));
}

/// A number or a word that was given out once stays: add to this list, and change nothing in it.
#[test]
fn numbers_stay() {
    let given: Vec<String> = Code::ALL.iter().map(|code| format!("{} {code}", code.number())).collect();
    assert_eq!(
        given.join("\n"),
        "1 bad_token\n2 token_too_large\n3 token_invalid\n4 token_revoked\n5 token_caveat_unknown\n\
         6 token_caveat_unverified\n7 token_subject_invalid\n8 token_session_invalid\n9 token_service_forbidden\n\
         10 not_an_access_token\n11 not_an_identity_token\n12 not_an_invite_token\n\
         13 invite_token_usage_limit_exceeded\n14 invite_token_consumer_invalid\n15 invite_token_target_id_invalid\n\
         16 invite_token_subject_not_authorized\n32 store_unavailable\n33 store_unknown\n34 store_corrupt\n\
         48 invalid_argument\n99 panic"
    );
}

/// The table of the document for people is the list.
#[test]
fn the_document_has_the_list() {
    let document = include_str!("../../../../docs/EMBEDDING.md");
    for entry in listed() {
        let members = entry["detail"].as_array().unwrap();
        let members: Vec<_> = members.iter().map(|it| format!("`{}`", it.as_str().unwrap())).collect();
        let (code, means) = (entry["code"].as_str().unwrap(), entry["means"].as_str().unwrap());
        let row = format!("| `{code}` | {} | {means} | {} |\n", entry["number"], members.join(", "));
        assert!(document.contains(&row), "docs/EMBEDDING.md lacks the row\n{row}");
    }
}

/// Panics unless this is a listed error with listed members.
pub(crate) fn assert_listed(error: &Value) {
    let listed = listed();
    let entry =
        listed.iter().find(|entry| entry["code"] == error["code"]).unwrap_or_else(|| panic!("{error}"));
    assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
    for member in error["detail"].as_object().unwrap().keys() {
        assert!(
            entry["detail"].as_array().unwrap().contains(&Value::from(member.as_str())),
            "{member}: {error}"
        );
    }
}
