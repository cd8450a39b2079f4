//! Repeats one of the works W1 to W8, for a tool that counts instructions: `scripts/instructions`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be set up stops")]

use token_bench::works;

/// The script counts the instructions of this function, which it knows by name.
#[inline(never)]
fn counted(work: &dyn Fn(), times: usize) {
    (0..times).for_each(|_| work());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (name, times) = (arguments.next().unwrap(), arguments.next().unwrap().parse().unwrap());
    let work = works::all().into_iter().find(|work| work.name == name).unwrap();
    // The setup is not counted.
    (work.ours)();
    counted(&*work.ours, times);
}
