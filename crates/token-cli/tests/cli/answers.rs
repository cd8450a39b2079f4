//! The answers are those of the library for other languages, token-embed: its cases, and verbs of a store through both.

use serde_json::{Map, Value, json};
use token_embed::authority::Authority;

use crate::run::{Home, Outcome, onetoken};

const CASES: &str = include_str!("../../../token-embed/tests/cases.json");

/// A command line; `None` if the command has no option for a member of the request.
struct Line(Vec<String>);

impl Line {
    fn new(command: &[&str]) -> Self {
        Self(command.iter().map(ToString::to_string).collect())
    }

    fn add(&mut self, option: &str, value: &Value) -> Option<()> {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        self.0.push(format!("{option}={value}"));
        Some(())
    }

    fn add_if(&mut self, option: &str, value: &Value) -> Option<()> {
        if value.as_bool()? {
            self.0.push(option.to_owned());
        }
        Some(())
    }

    fn add_each(&mut self, option: &str, values: &Value, prefix: &str) -> Option<()> {
        let mut values = values.as_array()?.iter();
        values.try_for_each(|value| self.add(option, &json!(format!("{prefix}{}", value.as_str()?))))
    }

    /// The texts of caveats, also of those that are documents.
    fn add_caveats(&mut self, caveats: &Value) -> Option<()> {
        caveats.as_array()?.iter().try_for_each(|caveat| match caveat {
            Value::String(_) => self.add("--caveat", caveat),
            document => {
                let request = json!({ "caveat": document }).to_string();
                let read = token_embed::call("caveat", request.as_bytes()).ok()?;
                self.add("--caveat", &serde_json::from_slice::<Value>(&read).unwrap()["text"])
            }
        })
    }

    fn add_context(&mut self, context: &Value) -> Option<()> {
        context.as_object()?.iter().try_for_each(|(name, value)| match name.as_str() {
            _ if value.is_null() => Some(()),
            "now" => self.add("--at", value),
            "regions" => self.add_each("--region", value, ""),
            "groups" => self.add_each("--group", value, "grp-"),
            "allowDataCaveats" => self.add_if("--allow-data-caveats", value),
            "ip" | "asn" | "country" | "service" | "consumer" | "interface" | "session" | "scope" => {
                self.add(&format!("--{name}"), value)
            }
            _ => None,
        })
    }
}

/// The command line for a request of a verb.
fn line(verb: &str, request: &Map<String, Value>) -> Option<Vec<String>> {
    let mut line = match verb {
        "mint" => Line::new(&["mint", "raw", "--json"]),
        "inspect" | "confine" | "verify" | "bind" => Line::new(&[verb, "--json"]),
        _ => return None,
    };
    let mut tokens = Vec::new();
    for (name, value) in request {
        match (name.as_str(), value) {
            ("token" | "root" | "discharge", Value::String(token)) => tokens.push(token.clone()),
            ("now", now) => line.add("--at", now)?,
            ("signature", signature) => line.add_if("--show-signature", signature)?,
            ("compat", compat) => line.add_if("--compat", compat)?,
            ("caveats", caveats) => line.add_caveats(caveats)?,
            ("secret", Value::String(_)) => line.add("--secret", value)?,
            ("secret", secret) => line.add("--secret-hex", &secret["hex"])?,
            ("rootKey", key) => {
                line.add("--secret-hex", &key["hex"])?;
                line.0.push("--raw-key".to_owned());
            }
            ("context", context) => line.add_context(context)?,
            ("exact", exact) => line.add_each("--exact", exact, "")?,
            ("discharges", discharges) => line.add_each("--discharge", discharges, "")?,
            ("location" | "identifier" | "format" | "encoding" | "as", value) => {
                line.add(&format!("--{name}"), value)?;
            }
            _ => return None,
        }
    }
    // The root comes before the discharge.
    if verb == "bind" {
        tokens.reverse();
    }
    line.0.push("--".to_owned());
    Some(line.0.into_iter().chain(tokens).collect())
}

#[test]
fn each_case_of_the_library_has_its_answer() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let (mut answered, mut refused, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let (name, verb) = (&case["name"], case["verb"].as_str().unwrap());
        let Some(mut line) = case["request"].as_object().and_then(|request| line(verb, request)) else {
            continue;
        };
        // Nothing would be read from the terminal.
        if line.last().is_some_and(|last| last == "--") {
            line.pop();
        }
        let run = onetoken(&line);
        match (case["answer"].as_object(), case["error"]["code"].as_str()) {
            // The command has the time of the clock.
            (Some(answer), _) if answer.get("expired").is_some_and(Value::is_null) => {}
            // It has nothing to do.
            (Some(_), _) if case["request"]["caveats"] == json!([]) => assert_eq!(run.error(2), "usage"),
            (Some(answer), _) => {
                let mut found = run.done().json();
                if verb == "verify" {
                    assert!(found.as_object_mut().unwrap().remove("location").is_some());
                }
                if found != Value::from(answer.clone()) {
                    wrong.push(format!("{name}: {found}"));
                }
                answered += 1;
            }
            // A raw macaroon may have any identifier.
            (None, _) if name == "mint an identifier that no reader reads" => drop(run.done()),
            // `--as` only says which types of caveats the token may carry.
            (None, Some("not_an_access_token" | "not_an_identity_token" | "not_an_invite_token")) => {}
            (None, code) => {
                let codes: &[i32] = match code.unwrap() {
                    "bad_token" | "token_too_large" => &[3],
                    "invalid_argument" => &[2, 3],
                    _ => &[1],
                };
                // Without a time, the command has that of the clock.
                if case["error"]["detail"]["member"] != "context.now" {
                    if !codes.contains(&run.code) {
                        wrong.push(format!("{name}: {run:?}"));
                    }
                    refused += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answered >= 15 && refused >= 30, "{answered} {refused}");
}

/// A home, and the same store through token-embed.
struct Both(Home, String);

impl Both {
    fn command(&self, line: &[&str]) -> Value {
        self.run(line).done().json()
    }

    fn run(&self, line: &[&str]) -> Outcome {
        self.0.run(line.iter().chain(&["--json"]))
    }

    fn embedded(&self, verb: &str, request: &Value) -> Value {
        let open = json!({ "store": self.1, "keys": { "file": self.0.path().join("keys") } });
        let authority = Authority::open_json(open.to_string().as_bytes()).unwrap();
        let answer = authority.call(verb, request.to_string().as_bytes()).map_err(String::from_utf8);
        serde_json::from_slice(&answer.unwrap()).unwrap()
    }
}

/// Takes the members that only the command has.
#[track_caller]
fn without(mut answer: Value, members: &[(&str, Value)]) -> Value {
    for (name, value) in members {
        assert_eq!(answer.as_object_mut().unwrap().remove(*name).as_ref(), Some(value), "{name}");
    }
    answer
}

fn names(answer: &Value) -> Vec<&String> {
    answer.as_object().unwrap().keys().collect()
}

#[test]
fn the_store_answers_both_alike() {
    let home = Home::over("redb");
    let url = format!("redb:{}", home.path().join("store").display());
    let both = Both(home, url);

    let mint = ["mint", "space-support", "s1", "--issuer", "usr-u1"];
    let minted = both.command(&mint);
    let (token, id) = (minted["token"].as_str().unwrap(), minted["id"].as_str().unwrap());
    let request =
        json!({ "type": "space-support", "target": "s1", "issuer": "usr-u1", "decision": "allowed" });
    let another = both.embedded("mint", &request);
    assert_eq!(names(&minted), names(&another));
    let cursor = both.command(&["events"])["next"].clone();
    let begin = both.embedded("events", &json!({}))["next"].clone();

    let verified = both.command(&["verify", token, "--expect", "space-support", "--consumer", "prv-p1"]);
    let context = json!({ "consumer": "prv-p1" });
    let mut request =
        json!({ "token": token, "expect": "space-support", "context": context, "decision": "allowed" });
    let known =
        [("valid", json!(true)), ("identifier", minted["id"].clone()), ("location", json!("onezone"))];
    assert_eq!(without(verified, &known), both.embedded("check", &request));

    let spent = both.0.consume(token, &["--claim", "c1"]).done().json();
    request["claim"] = json!("c1");
    let mut repeated = both.embedded("consume", &request);
    assert_eq!(repeated["repeated"], true);
    repeated["repeated"] = json!(false);
    assert!(spent["refund"].is_string());
    assert_eq!(spent, repeated);

    let revoke = ["revoke", id, "--reversible", "--by", "usr-u1", "--reason", "lost"];
    let revoked = both.command(&revoke);
    let request = json!({ "id": id, "reversible": true, "by": "usr-u1", "reason": "lost" });
    assert_eq!(without(revoked, &[("revoked", json!(true))]), both.embedded("revoke", &request));
    let listed = both.command(&["list", "--issuer", "usr-u1"]);
    assert_eq!(listed, both.embedded("list", &json!({ "issuer": "usr-u1" })));
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    let reinstated = both.command(&["reinstate", id]);
    let unrevoked = both.embedded("unrevoke", &json!({ "id": id }));
    assert_eq!(without(reinstated, &[("reinstated", json!(true))]), unrevoked);
    let deleted = both.command(&["delete", id]);
    let gone = both.embedded("delete", &json!({ "id": another["id"] }));
    assert_eq!(deleted["outcome"], gone["outcome"]);
    assert_eq!(names(&without(deleted, &[("deleted", json!(true))])), names(&gone));
    assert_eq!(both.run(&["delete", id]).error(1), "unknown-token");

    let voided = both.command(&["revoke", "--temporary", "usr-u1"]);
    let known = [("revoked", json!(true)), ("subject", json!("usr-u1"))];
    let next = both.embedded("void_temporary", &json!({ "subject": "usr-u1" }));
    assert_eq!(without(voided, &known)["generation"].as_u64().map(|it| it + 1), next["generation"].as_u64());
    both.command(&["revoke", "--before", "2020-01-01"]);

    let after = both.command(&["events", "--after", cursor.as_str().unwrap()]);
    let same = both.embedded("events", &json!({ "after": begin }));
    assert_eq!(after["events"], same["events"]);
    assert!(after["events"].as_array().unwrap().len() >= 7, "{after}");
    assert_eq!(names(&after), names(&same));
    // The command's cursor has the time of the listing before it.
    assert_eq!(after["next"].as_str().unwrap().split_once('-').unwrap().1, same["next"]);

    assert_eq!(both.command(&["purge"]), both.embedded("purge", &json!({})));
}
