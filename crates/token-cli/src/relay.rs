//! Judging many lines by a store that other processes also want.

use std::{
    io, mem,
    sync::mpsc::{self, Receiver, SyncSender, TrySendError},
    thread,
    time::Duration,
};

use crate::{
    error::Failure,
    input::{Lines, Text},
    store::LONGEST_PAUSE,
};

/// After this many lines, about a second's work, other processes get a turn at the store.
const TURN: usize = 1 << 16;

/// The least length of that turn: each waiting process retries within it.
const PAUSE: Duration = LONGEST_PAUSE.saturating_mul(2);

/// The most answers that are buffered for a reader that is slower than the store.
const BACKLOG: usize = 1 << 14;

/// A batch of lines, or the error of reading it.
pub(crate) type Batch = io::Result<Vec<Text>>;

/// Reads standard input ahead, on a thread of its own, so that the caller knows whether more lines are there. The
/// thread is not joined, since it may wait for input that never comes.
pub(crate) fn batches(mut lines: Lines<io::Stdin>) -> Receiver<Batch> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            let batch = lines.batch();
            if batch.as_ref().is_ok_and(Vec::is_empty) || sender.send(batch).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Judges lines and sends the answers, in order. The store is open only while lines are there and answers are read, so
/// that neither a slow writer nor a slow reader keeps other processes from it. Ends with the lines, or when the
/// receiver of the answers is gone.
pub(crate) fn judge<S, A>(
    batches: &Receiver<Batch>,
    answers: &SyncSender<Vec<A>>,
    mut open: impl FnMut() -> Result<S, Failure>,
    judge: impl Fn(&S, &Text) -> A,
) -> Result<(), Failure> {
    let (mut open_store, mut next, mut answered) = (None, None, Vec::new());
    let mut judged_since_open = 0_usize;
    loop {
        let Some(batch) = next.take().or_else(|| batches.recv().ok()) else { return Ok(()) };
        let batch = batch.map_err(Failure::Input)?;
        let store = match open_store.take() {
            Some(store) => store,
            None => {
                judged_since_open = 0;
                open()?
            }
        };
        answered.extend(batch.iter().map(|line| judge(&store, line)));
        judged_since_open = judged_since_open.saturating_add(batch.len());

        next = batches.try_recv().ok();
        let is_turn_over = judged_since_open >= TURN;
        if next.is_some() && !is_turn_over {
            match answers.try_send(mem::take(&mut answered)) {
                Ok(()) => {}
                Err(TrySendError::Full(unsent)) => answered = unsent,
                Err(TrySendError::Disconnected(_)) => return Ok(()),
            }
            if answered.len() < BACKLOG {
                open_store = Some(store);
                continue;
            }
        }
        // Closed before the answers are sent: their reader may want the store next.
        drop(store);
        if !answered.is_empty() && answers.send(mem::take(&mut answered)).is_err() {
            return Ok(());
        }
        if next.is_some() && is_turn_over {
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const BATCH: usize = 246;

    /// A source of this many batches, all ready.
    fn waiting(batches: usize) -> Receiver<Batch> {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..batches {
            sender.send(Ok((0..BATCH).map(|_| Text::Whole(b"a token".to_vec())).collect())).unwrap();
        }
        receiver
    }

    #[test]
    fn the_store_is_opened_once_a_turn() {
        for (lines, turns) in [(0, 0), (1, 1), (TURN, 1), (200_000, 4)] {
            let batches = lines.div_ceil(BATCH);
            let (sender, answers) = mpsc::sync_channel(batches);
            let opened = Cell::new(0);
            let open = || {
                opened.set(opened.get() + 1);
                Ok(())
            };
            judge(&waiting(batches), &sender, open, |(), _| ()).unwrap();
            drop(sender);
            assert_eq!(opened.get(), turns, "{lines}");
            assert_eq!(answers.iter().map(|answers: Vec<()>| answers.len()).sum::<usize>(), batches * BATCH);
        }
    }

    /// Reports its close.
    struct Store(mpsc::Sender<()>);

    impl Drop for Store {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn neither_end_keeps_others_from_the_store() {
        let (closing, closed) = mpsc::channel();
        let (sender, answers) = mpsc::sync_channel::<Vec<()>>(1);
        let batches = BACKLOG.div_ceil(BATCH) + 2;
        let (lines, receiver) = mpsc::channel();
        waiting(batches).iter().for_each(|batch| lines.send(batch).unwrap());
        let open = move || Ok(Store(closing.clone()));
        let judging = thread::spawn(move || judge(&receiver, &sender, open, |_, _| ()));
        // No answer is read yet.
        closed.recv().unwrap();
        let mut left = batches * BATCH;
        // No further line is written, and the input has not ended.
        while left > 0 {
            left -= answers.recv().unwrap().len();
        }
        closed.recv().unwrap();
        drop(lines);
        judging.join().unwrap().unwrap();
        assert!(closed.recv().is_err(), "it was not opened again");
    }

    #[test]
    fn it_ends_when_nobody_reads() {
        let (sender, answers) = mpsc::sync_channel::<Vec<()>>(1);
        drop(answers);
        let (lines, receiver) = mpsc::channel();
        waiting(2).iter().for_each(|batch| lines.send(batch).unwrap());
        judge(&receiver, &sender, || Ok(()), |(), _| ()).unwrap();
    }
}
