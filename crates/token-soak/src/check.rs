//! Lists the tokens that a store still has.

use crate::{failure::Failure, output, subject, target::At};

pub(crate) fn check(at: &At) -> Result<(), Failure> {
    let subject = subject::open(at).map_err(Failure::opening)?;
    let mut found = Vec::new();
    let listed = subject.spendable(&mut found);
    for (id, sound) in found {
        output::line(format_args!("K {id} {sound}"))?;
    }
    listed.map_err(Failure::opening)
}
