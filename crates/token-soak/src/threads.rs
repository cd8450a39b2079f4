//! Several threads at work.

use std::thread;

use crate::failure::Failure;

/// Does the work for each item on a thread of its own; this thread has the first item. Returns the first failure in the
/// order of the items.
pub(crate) fn each<T: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let mut items = items.into_iter();
    let Some(first) = items.next() else { return Ok(()) };
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let first = work(first);
        let others = others.into_iter().map(|thread| thread.join().unwrap_or(Err(Failure::printed(101))));
        others.fold(first, Result::and)
    })
}
