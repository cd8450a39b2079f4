//! Repeats one of the works W1 to W8, one of the batches B1 to B3 or `many`, these without a kernel, for a tool that
//! counts instructions: `scripts/instructions`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be set up stops")]

use token_bench::{batches, works};

/// The script counts the instructions of this function, which it knows by name.
#[inline(never)]
fn counted(work: &dyn Fn(), times: usize) {
    (0..times).for_each(|_| work());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (name, times) = (arguments.next().unwrap(), arguments.next().unwrap().parse().unwrap());
    let works = works::all().into_iter().map(|work| (work.name, work.ours));
    // All on this thread, which is counted.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    let many: (_, Box<dyn Fn()>) = ("many", Box::new(works::many(None, batches::MACAROONS)));
    let batches = batches::all().into_iter().filter(|batch| batch.kernel.is_none());
    let mut all = works.chain(batches.map(|batch| (batch.name, batch.ours))).chain([many]);
    let (_, work) = all.find(|(known, _)| *known == name).unwrap();
    // The setup is not counted.
    work();
    counted(&*work, times);
}
