//! What a verification made of each caveat, for an operator.

use serde::{Serialize, Serializer};
use token_core::{Bytes, Finding};
use token_embed::people::reason;

use crate::{
    bytes::Plain,
    output::{Style, Terminal},
};

#[derive(Serialize)]
pub(crate) struct Explained {
    #[serde(skip_serializing_if = "Option::is_none")]
    discharge: Option<usize>,
    index: usize,
    #[serde(serialize_with = "bytes")]
    caveat: Vec<u8>,
    holds: bool,
    /// What the request has about it.
    fact: Option<String>,
    /// Why it does not hold.
    reason: Option<String>,
}

fn bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Bytes(bytes).serialize(serializer)
}

impl From<&Finding<'_>> for Explained {
    fn from(finding: &Finding<'_>) -> Self {
        let reason = finding.verdict.as_ref().err().map(reason);
        Self {
            discharge: finding.at.discharge,
            index: finding.at.index,
            caveat: finding.caveat.to_vec(),
            holds: reason.is_none(),
            fact: finding.fact.clone(),
            reason,
        }
    }
}

/// A line for each caveat.
pub(crate) fn lines(caveats: &[Explained], terminal: &Terminal) -> String {
    caveats.iter().map(|caveat| line(caveat, terminal)).collect()
}

fn line(caveat: &Explained, terminal: &Terminal) -> String {
    let Explained { discharge, index, caveat: text, holds, fact, reason } = caveat;
    let style = if *holds { Style::Good } else { Style::Bad };
    let mark = terminal.paint(style, terminal.mark(*holds));
    let place = discharge.map_or_else(String::new, |discharge| format!("discharge {discharge}, "));
    let fact = fact.as_ref().map_or_else(String::new, |fact| {
        format!("  {}", terminal.paint(Style::Faint, format_args!("(request: {})", Plain(fact.as_bytes()))))
    });
    let reason = reason.as_ref().map_or_else(String::new, |reason| format!("  {}", Plain(reason.as_bytes())));
    format!("{mark}  {place}{index}  {}{fact}{reason}\n", Plain(text))
}
