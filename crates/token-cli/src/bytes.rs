//! Members of documents, and bytes of a token for people.

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Members of a document, in their order. They are encoded, since a [`serde_json::Value`] would sort what is in them.
#[derive(Debug, Default)]
pub(crate) struct Members(Vec<(&'static str, Box<RawValue>)>);

impl Members {
    /// Adds a member, or replaces it.
    pub(crate) fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.0.retain(|(present, _)| *present != name);
        // Only a map with keys other than strings would fail.
        self.0.push((name, to_raw_value(&value).unwrap_or_default()));
        self
    }

    /// Adds no member without a value.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(present, _)| *present == name)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A document of two, whose members are not the same.
#[derive(Serialize)]
pub(crate) struct Both<A, B> {
    #[serde(flatten)]
    pub(crate) first: A,
    #[serde(flatten)]
    pub(crate) then: B,
}

/// Escaped bytes of a token, for people: the author of the token must not steer the terminal.
pub(crate) struct Plain<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                // Quotes and backslashes do no harm; `escape_debug` knows what does not print.
                let mut escaped = character.escape_debug();
                match (escaped.len(), character) {
                    (1, _) | (_, '"' | '\'' | '\\') => f.write_char(character)?,
                    _ => escaped.try_for_each(|part| f.write_char(part))?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let inner = Members::default().with("b", 1).with("a", [2]).with_some("c", None::<()>);
        let outer = Members::default().with("z", 0).with("y", inner).with("z", "again");
        assert_eq!(serde_json::to_string(&outer).unwrap(), r#"{"y":{"b":1,"a":[2]},"z":"again"}"#);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = "a\u{1b}[2J\u{202e}b\n\u{7}\u{9b}é".as_bytes();
        assert_eq!(Plain(hostile).to_string(), r"a\u{1b}[2J\u{202e}b\n\u{7}\u{9b}é");
        assert_eq!(Plain(b"path = \"a\\b\" \xff").to_string(), r#"path = "a\b" \xff"#);
    }
}
