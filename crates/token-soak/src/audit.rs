//! Runs the store's own check.

use crate::{
    failure::Failure,
    output,
    target::{self, At},
};

pub(crate) fn audit(at: &At) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(at).map_err(Failure::opening)?;
    let report = store.check(Some(&keys)).map_err(Failure::opening)?;
    let faults: u64 = report.faults.values().sum();
    for (fault, count) in &report.faults {
        output::line(format_args!("FAULT {fault}: {count}"))?;
    }
    output::line(format_args!("AUDIT {} {faults}", report.records))?;
    if report.is_sound() { Ok(()) } else { Err(Failure::printed(1)) }
}
