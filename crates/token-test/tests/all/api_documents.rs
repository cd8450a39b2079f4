//! The sample tokens of the API documents: the reports on the damaged ones, and that the restored ones decode.

use token_core::{Caveat, Damage, DecodeOptions, Encoding, Hint, Problem, Token, UnixTime, inspect};
use token_test::{hex, vectors};

fn document(id: &str) -> vectors::ApiDocument {
    vectors::api_documents().into_iter().find(|document| document.id == id).unwrap()
}

fn damage(text: &str) -> Damage {
    let options = DecodeOptions::default();
    let damage = inspect(text, &options).unwrap_err();
    assert_eq!(Token::decode(text, &options).unwrap_err(), damage.error);
    assert!(!damage.to_string().contains(text), "a token is no part of a message");
    damage
}

fn says(damage: &Damage, words: &[&str]) {
    let message = damage.to_string();
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

#[test]
fn the_group_sample_has_a_piece_torn_out() {
    let sample = document("seed000.curl");
    let damage = damage(&sample.text);
    assert_eq!(
        (damage.error.stage(), damage.error.offset(), damage.error.unit()),
        ("base62", 11, "character")
    );
    assert_eq!(damage.error.problem(), &Problem::Escape('V'));
    assert_eq!(damage.hint, Some(Hint::EndIsWhole));
    says(&damage, &["`0V`", "character 11", "escape", "complete signature", "missing or altered"]);
    assert_eq!(damage.partial.encoding(), Some(Encoding::Base62));
    // Eight characters spell `0016lo`, the last whole group before the joint.
    assert_eq!((damage.partial.len(), damage.partial.location()), (6, None));
    assert!(damage.partial.signature().is_none(), "a signature without its token means nothing");
}

#[test]
fn the_space_sample_is_cut_17_bytes_short_inside_the_identifier() {
    let sample = document("seed002.curl");
    let cut = sample.truncated_packet.unwrap();
    let damage = damage(&sample.text);
    assert_eq!((damage.error.stage(), damage.error.unit()), ("packet", "byte"));
    let missing = cut.declared_length - cut.available;
    assert_eq!(
        damage.error.problem(),
        &Problem::Cut { field: Some("identifier"), begin: 22, declared: cut.declared_length, missing }
    );
    assert_eq!(damage.error.offset(), 22 + cut.available);
    says(&damage, &["cut 17 bytes short inside the identifier packet", "byte 22", "59 bytes", "byte 64"]);
    assert_eq!(damage.partial.encoding(), Some(Encoding::Base62));
    assert_eq!(damage.partial.len(), 64);
    assert_eq!(damage.partial.location(), sample.complete_packets[0].value.as_deref().map(str::as_bytes));
    assert_eq!((damage.partial.identifier(), damage.partial.caveats().len()), (None, 0));
}

#[test]
fn the_response_sample_has_its_first_two_characters_altered() {
    let sample = document("seed.response200");
    let damage = damage(&sample.text);
    assert_eq!((damage.error.stage(), damage.error.offset(), damage.error.unit()), ("packet", 0, "byte"));
    assert_eq!(damage.error.problem(), &Problem::LengthField(0));
    let expected = Hint::FirstCharactersChanged { count: 2, expected: "MD".into(), rest_is_whole: true };
    assert_eq!(damage.hint, Some(expected));
    says(
        &damage,
        &["length field of the first packet", "hexadecimal", "first two characters", "`MD`", "reads whole"],
    );
    assert_eq!(damage.partial.encoding(), Some(Encoding::Base64Url));
    assert_eq!(damage.partial.location(), None);
}

#[test]
fn a_second_damage_is_told_from_the_first() {
    let damage = damage(&document("extra.swagger_damaged_sed").text);
    assert_eq!(damage.error.problem(), &Problem::LengthField(0));
    let expected = Hint::FirstCharactersChanged { count: 2, expected: "MD".into(), rest_is_whole: false };
    assert_eq!(damage.hint, Some(expected));
    says(&damage, &["`MD`", "the damage goes on"]);
}

#[test]
fn whole_samples_hold_the_packets_that_are_listed() {
    let restored = document("seed.response200");
    let swagger = document("extra.swagger_client_tokens");
    let base64url = restored.restored.as_deref().unwrap();
    let base62 = restored.restored_base62.as_deref().unwrap();
    for (text, packets, encoding) in [
        (base64url, &restored.restored_packets, Encoding::Base64Url),
        (base62, &restored.restored_packets, Encoding::Base62),
        (&swagger.text, &swagger.packets, Encoding::Base62),
        (swagger.unescaped.as_deref().unwrap(), &swagger.packets, Encoding::Base64Url),
    ] {
        let options = DecodeOptions::default();
        let token = Token::decode(text, &options).unwrap();
        assert_eq!(token.encode().unwrap(), text);
        assert_eq!(token.encoding(), encoding);
        let value = |index: usize| packets[index].value.as_deref().unwrap().as_bytes();
        let macaroon = token.macaroon();
        assert_eq!((macaroon.location(), macaroon.identifier()), (value(0), value(1)));
        assert_eq!(macaroon.caveats().collect::<Vec<_>>(), [Caveat::FirstParty { predicate: value(2) }]);
        assert_eq!(Some(hex::encode(macaroon.signature().expose())), packets[3].hex);
    }
}

#[test]
fn the_restored_sample_expired_in_2017() {
    let restored = document("seed.response200").restored.unwrap();
    let inspection = inspect(&restored, &DecodeOptions::default()).unwrap();
    let at = UnixTime::from_secs(1_496_140_144);
    assert_eq!(inspection.expires_at(), Some(at));
    let report = serde_json::to_value(inspection.report(at)).unwrap();
    assert_eq!(
        (report["expiresAt"].as_str(), report["expired"].as_bool()),
        (Some("2017-05-30T10:29:04Z"), Some(true))
    );
    let report = serde_json::to_value(inspection.report(UnixTime::from_secs(1_496_140_143))).unwrap();
    assert_eq!(report["expired"], false);
    assert_eq!(report["signature"], serde_json::Value::Null);
    assert_eq!(report["caveats"][0]["caveat"]["validUntil"], 1_496_140_144);
}
