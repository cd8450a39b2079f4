//! Does one of the works W1 to W8 a number of times, for a tool that counts instructions: `scripts/instructions`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be set up stops")]

use token_bench::works;

/// What is counted begins and ends here: the script knows the name.
#[inline(never)]
fn counted(work: &dyn Fn(), times: usize) {
    (0..times).for_each(|_| work());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (name, times) = (arguments.next().unwrap(), arguments.next().unwrap().parse().unwrap());
    let work = works::all().into_iter().find(|work| work.name == name).unwrap();
    // What is set up once is not counted.
    (work.ours)();
    counted(&*work.ours, times);
}
