//! Every interleaving of a few threads that hand jobs to one queue. Each job is done once, in turn, by one thread at a
//! time, and each thread gets the result of its own job. A lost wake-up shows as a deadlock.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::{model::Builder, thread};

use crate::{
    queue::Queue,
    sync::{Arc, Mutex},
};

/// A disk that one thread at a time writes to.
struct Disk {
    queue: Queue<usize, usize>,
    written: Mutex<Vec<Vec<usize>>>,
}

impl Disk {
    /// Submits a job. The leader takes at most `at_once` jobs at a time, and returns the results of all but the last
    /// `kept_back`.
    fn write(&self, job: usize, at_once: usize, kept_back: usize) -> Option<usize> {
        self.queue.submit(job, |next| {
            let mut written = self.written.try_lock().expect("one thread at a time is at work");
            let jobs: Vec<usize> = std::iter::from_fn(next).take(at_once).collect();
            // Other threads run meanwhile, as they do during a sync.
            thread::yield_now();
            written.push(jobs.clone());
            drop(written);
            jobs.iter().take(jobs.len().saturating_sub(kept_back)).map(|job| job * 10).collect()
        })
    }

    fn has(&self, job: usize) -> bool {
        self.written.lock().unwrap().iter().flatten().any(|written| *written == job)
    }
}

fn check(threads: usize, jobs_each: usize, at_once: usize, kept_back: usize) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let disk = Arc::new(Disk { queue: Queue::new(), written: Mutex::new(Vec::new()) });
        let run = move |disk: &Disk, thread: usize| {
            for number in 0..jobs_each {
                let job = thread * 10 + number;
                match disk.write(job, at_once, kept_back) {
                    Some(result) => assert_eq!(result, job * 10, "the result of another"),
                    None => assert!(kept_back > 0, "a result was lost"),
                }
                assert!(disk.has(job), "a job returned before it was done");
            }
        };
        let others: Vec<_> = (1..threads)
            .map(|thread| {
                let disk = Arc::clone(&disk);
                thread::spawn(move || run(&disk, thread))
            })
            .collect();
        run(&disk, 0);
        others.into_iter().for_each(|thread| thread.join().unwrap());

        let written = disk.written.lock().unwrap();
        assert!(written.iter().all(|jobs| (1..=at_once).contains(&jobs.len())), "{written:?}");
        let mut jobs: Vec<usize> = written.concat();
        for thread in 0..threads {
            let in_order = jobs.iter().filter(|job| **job / 10 == thread).is_sorted();
            assert!(in_order, "{written:?}");
        }
        jobs.sort_unstable();
        let expected: Vec<usize> =
            (0..threads).flat_map(|thread| (0..jobs_each).map(move |number| thread * 10 + number)).collect();
        assert_eq!(jobs, expected, "each job is done once");
        assert_eq!(disk.queue.held(), 0, "a result that nobody takes");
    });
}

#[test]
fn two_callers_again_and_again() {
    check(2, 2, usize::MAX, 0);
}

#[test]
fn three_callers() {
    check(3, 1, usize::MAX, 0);
}

#[test]
fn three_callers_and_groups_of_one() {
    check(3, 1, 1, 0);
}

#[test]
fn a_result_that_is_not_given_hangs_nobody() {
    check(3, 1, usize::MAX, 1);
}

/// The first leader panics, before it takes a job or after it took all.
fn check_panic(takes: bool) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let (queue, panicked) = (Arc::new(Queue::<usize, usize>::new()), Arc::new(Mutex::new(false)));
        let submit = move |queue: &Queue<usize, usize>, panicked: &Mutex<bool>, job| {
            let work = |next: &mut dyn FnMut() -> Option<usize>| {
                let first = !std::mem::replace(&mut *panicked.lock().unwrap(), true);
                let jobs: Vec<usize> =
                    if first && !takes { Vec::new() } else { std::iter::from_fn(next).collect() };
                // Unlike a panic, this leaves no message in the output for each interleaving.
                if first {
                    std::panic::resume_unwind(Box::new("the leader"));
                }
                jobs
            };
            catch_unwind(AssertUnwindSafe(|| queue.submit(job, work))).unwrap_or(Some(PANICKED))
        };
        let other = thread::spawn({
            let (queue, panicked) = (Arc::clone(&queue), Arc::clone(&panicked));
            move || submit(&queue, &panicked, 1)
        });
        let found = [submit(&queue, &panicked, 0), other.join().unwrap()];
        assert_eq!(found.iter().filter(|found| **found == Some(PANICKED)).count(), 1, "{found:?}");
        for (job, found) in found.into_iter().enumerate() {
            let lost = takes && found.is_none();
            assert!(lost || found == Some(job) || found == Some(PANICKED), "{found:?}");
        }
        assert_eq!(queue.held(), 0, "the job or the result of a caller that is gone");
    });
}

const PANICKED: usize = usize::MAX;

#[test]
fn a_leader_that_panics_hangs_nobody() {
    check_panic(true);
}

#[test]
fn a_leader_that_panics_before_it_takes_a_job_leaves_none() {
    check_panic(false);
}
