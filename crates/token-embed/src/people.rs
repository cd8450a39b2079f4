//! Verbs for a page or a terminal where people read tokens: `describe`, `words` and `explain`. The shells for other languages
//! do not have them.

use alloc::{
    boxed::Box,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use token_core::{
    Bytes, Caveat, Damage, DecodeOptions, Field, Identifier, Inspection, Persistence, Predicate, Scope,
    Stretch, inspect,
};

pub use crate::pure::reason;
use crate::{
    error::Error,
    pure::{Judged, Verified, Verify},
    text::{Octets as Given, Text},
    verbs::verbs,
};

verbs! {
    (self) ()
    "describe" Describe Describe<'a> => Described,
    "words" Words Words<'a> => InWords,
    "explain" Explain Explain<'a> => Explained,
}

/// Answers a request in JSON, as [`answer_json`](crate::answer_json) does.
///
/// # Errors
/// [`Error`]
pub fn answer_json(verb: &str, request: &[u8]) -> Result<Vec<u8>, Error> {
    in_json(verb, request)
}

/// `describe`: says what a text is in words, and which of its characters spell what. Also of a text that is no token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Describe<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// `{"words":…,"caveats":[…],"fields":[…],"damage":…}`
///
/// Characters are offsets in bytes of the text. The words are for people, and may change in any release.
#[derive(Serialize)]
pub struct Described {
    words: Option<String>,
    persistence: Option<String>,
    caveats: Vec<Condition>,
    fields: Vec<Placed>,
    damage: Option<Damaged>,
}

#[derive(Serialize)]
struct Condition {
    words: String,
    /// Whether a token of this type may carry it; null if the token states no type or the caveat is not understood.
    supported: Option<bool>,
    #[serde(rename = "enforcedLater")]
    enforced_later: bool,
}

#[derive(Serialize)]
struct Damaged {
    message: String,
    hint: Option<String>,
    characters: [usize; 2],
    repaired: Option<String>,
    cut: Option<Cut>,
    tail: Option<Tail>,
}

/// What is left of the field that the text ends within.
#[derive(Serialize)]
struct Cut {
    field: &'static str,
    left: Octets,
    missing: usize,
}

/// What reads behind the damage.
#[derive(Serialize)]
struct Tail {
    fragment: Octets,
    values: Vec<Value>,
    fields: Vec<Placed>,
}

#[derive(Serialize)]
struct Value {
    field: &'static str,
    text: Octets,
    words: Option<String>,
}

struct Octets(Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(&self.0).serialize(serializer)
    }
}

struct Placed(Stretch);

impl Serialize for Placed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("field", self.0.field.as_str())?;
        if let Field::Caveat { index } = self.0.field {
            map.serialize_entry("index", &index)?;
        }
        map.serialize_entry("characters", &range(&self.0.characters))?;
        map.end()
    }
}

const fn range(characters: &Range<usize>) -> [usize; 2] {
    [characters.start, characters.end]
}

fn placed(layout: Vec<Stretch>) -> Vec<Placed> {
    layout.into_iter().map(Placed).collect()
}

impl Describe<'_> {
    /// # Errors
    /// None.
    pub fn answer(&self) -> Result<Described, Error> {
        Ok(match inspect(&self.token, &DecodeOptions::default()) {
            Ok(inspection) => described(&inspection, &self.token, None),
            Err(damage) => described(&damage.partial, &self.token, Some(&damage)),
        })
    }
}

fn described(inspection: &Inspection, text: &str, damage: Option<&Damage>) -> Described {
    let stated = inspection.token();
    let legacy = || {
        inspection.caveats().find_map(|caveat| match caveat.read()? {
            Predicate::TokenType(legacy) => Some(legacy.words().to_string()),
            _ => None,
        })
    };
    let supported = stated
        .map(|stated| stated.token_type.purpose().caveat_types(&Identifier::V2(stated), Scope::Unlimited));
    let condition = |caveat: Caveat<'_>| {
        let read = caveat.read();
        Condition {
            words: caveat.words(),
            supported: supported.zip(read).map(|(types, predicate)| types.contains(&predicate)),
            enforced_later: read.is_some_and(|predicate| predicate.is_enforced_later()),
        }
    };
    Described {
        words: stated.map(|stated| stated.words()).or_else(legacy),
        persistence: stated.map(|stated| match stated.persistence {
            Persistence::Named => "Named: it can be revoked alone".into(),
            Persistence::Temporary { generation } => alloc::format!(
                "Temporary, generation {generation}: revoked together with all temporary tokens of its subject"
            ),
        }),
        caveats: inspection.caveats().map(condition).collect(),
        fields: placed(inspection.layout(text)),
        damage: damage.map(|damage| damaged(damage, text)),
    }
}

fn damaged(damage: &Damage, text: &str) -> Damaged {
    let tail = damage.tail(text);
    let mut characters = damage.characters(text);
    // The error was noticed only at the end, and the end is whole: what is wrong is between the two readable parts.
    if let Some(whole) =
        tail.as_ref().and_then(|tail| tail.layout.first()).map(|first| first.characters.start)
        && whole <= characters.start
    {
        let read = damage.partial.layout(text).last().map_or(0, |last| last.characters.end);
        characters = read.min(whole)..whole;
    }
    Damaged {
        message: damage.error.to_string(),
        hint: damage.hint.as_ref().map(|hint| hint.to_string()),
        characters: range(&characters),
        repaired: damage.repaired(text),
        cut: damage.cut().map(|(field, left, missing)| Cut {
            field: field.as_str(),
            left: Octets(left.to_vec()),
            missing,
        }),
        tail: tail.map(|tail| Tail {
            fragment: Octets(tail.fragment),
            values: tail.fields.into_iter().map(|(field, text)| value(field, text)).collect(),
            fields: placed(tail.layout),
        }),
    }
}

fn value(field: Field, text: Vec<u8>) -> Value {
    let words = match field {
        Field::Caveat { .. } => Predicate::read(&text).map(|predicate| predicate.words()),
        Field::Identifier => {
            Identifier::read(&text).ok().and_then(|identifier| identifier.v2().map(|stated| stated.words()))
        }
        _ => None,
    };
    Value { field: field.as_str(), text: Octets(text), words }
}

/// `words`: says what a caveat asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words<'a> {
    #[serde(borrow)]
    text: Given<'a>,
}

/// `{"words":…}`
#[derive(Serialize)]
pub struct InWords {
    words: String,
}

impl Words<'_> {
    /// # Errors
    /// None.
    pub fn answer(&self) -> Result<InWords, Error> {
        Ok(InWords { words: Caveat::FirstParty { predicate: &self.text }.words() })
    }
}

/// `explain`: what a verification makes of each caveat. The request is that of `verify`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Explain<'a> {
    #[serde(borrow)]
    request: Box<Verify<'a>>,
}

/// `{"answer":…,"error":…,"caveats":[…]}`: the answer of `verify` or its error, and each caveat that was judged. None is if
/// the signature does not match.
#[derive(Serialize)]
pub struct Explained {
    answer: Option<Verified>,
    error: Option<Error>,
    caveats: Option<Vec<Judged>>,
}

impl Explain<'_> {
    /// # Errors
    /// [`Error`], if the request or a text in it cannot be read.
    pub fn answer(&self) -> Result<Explained, Error> {
        let mut caveats = None;
        let answer = self.request.judge(Some(&mut caveats))?;
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Explained { answer, error, caveats })
    }
}
