//! The number of allocations of each work: times are noise, counts are not.
//!
//! The only test of its binary, since it counts the allocations of the whole process.

use token_bench::{allocations::Counting, works};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

#[test]
fn each_work_keeps_to_its_allocations() {
    let allowed =
        [("W1", 2), ("W2", 1), ("W3", 2), ("W4", 1), ("W5", 1), ("W6", 2), ("W7", 1), ("W8", 1), ("W9", 25)];
    let works = works::all();
    for (name, most) in allowed {
        let work = works.iter().find(|work| work.name == name).unwrap();
        // A map in memory allocates a node now and then.
        let allocations = (0..8).map(|_| ALLOCATOR.count(&*work.ours)).min().unwrap();
        assert!(allocations <= most, "{name} ({}): {allocations} allocations, {most} allowed", work.what);
    }
}
