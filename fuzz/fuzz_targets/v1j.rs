//! Version-1 JSON with any values: what is read equals what another JSON parser finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use token_core::{Caveat, Format};

// The lines of the input are the raw values, in this order; the remaining lines are further caveats, three lines
// each.
fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let [location, identifier, signature] = [(); 3].map(|()| lines.next().unwrap_or("null"));
    let rest: Vec<&str> = lines.collect();
    let caveats: Vec<String> = rest
        .chunks(3)
        .map(|it| match it {
            [cid, vid, cl] => format!("{{\"cid\":{cid},\"vid\":{vid},\"cl\":{cl}}}"),
            [cid, vid] => format!("{{\"vid\":{vid},\"cid\":{cid}}}"),
            _ => format!("{{\"cid\":{}}}", it.concat()),
        })
        .collect();
    let document = format!(
        "{{\"location\":{location},\"identifier\":{identifier},\"caveats\":[{}],\"signature\":{signature}}}",
        caveats.join(",")
    );
    let Some((macaroon, format)) = token_fuzz::read_text(&document) else { return };
    assert_eq!(format, Format::V1J);
    let value: Value = serde_json::from_str(&document).expect("what is read is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    assert_eq!(macaroon.location(), text(&value["location"]));
    assert_eq!(macaroon.identifier(), text(&value["identifier"]));
    let found = value["caveats"].as_array().expect("caveats are an array");
    assert_eq!(macaroon.caveats().len(), found.len());
    for (caveat, value) in macaroon.caveats().zip(found) {
        match caveat {
            Caveat::FirstParty { predicate } => {
                assert_eq!(predicate, text(&value["cid"]));
                assert!(value["vid"].is_null());
            }
            Caveat::ThirdParty { identifier, location, .. } => {
                assert_eq!(identifier, text(&value["cid"]));
                assert_eq!(location, text(&value["cl"]));
                assert!(value["vid"].is_string());
            }
        }
    }
});
