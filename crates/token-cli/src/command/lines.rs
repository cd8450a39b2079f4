//! `--lines`: a token on each line of standard input, its document on a line of standard output.

use std::{
    io,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    error::Failure,
    exit::Exit,
    input::{Lines, Text},
    output::Terminal,
    progress::Progress,
    store::LONGEST_PAUSE,
};

/// After this many bytes of lines, other processes get a turn at the store, and the answers leave the memory.
const TURN: usize = 8 << 20;

/// What the answer to a line of any length takes.
const LEAST: usize = 512;

/// The least length of that turn: each waiting process retries within it.
const PAUSE: Duration = LONGEST_PAUSE.saturating_mul(2);

/// Answers each line; a failed line does not stop the others. `answer` writes the document of a line, or returns the
/// error.
pub(super) fn each(
    terminal: &Terminal,
    answer: impl Fn(&Text) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut answers = Answers::new(terminal);
    let mut lines = Lines::new(io::stdin());
    let written = lines.try_for_each(|line| answers.write(answer(&line.map_err(Failure::input)?)));
    answers.end(written)
}

/// Answers each line by a store that other processes also want: neither a slow writer of the lines nor a slow reader
/// of the answers keeps them from it. `judge` returns an answer for each of some lines, in their order.
pub(super) fn each_by_store<S, A: Serialize>(
    terminal: &Terminal,
    open: impl Fn() -> Result<S, Failure>,
    judge: impl Fn(&S, &[Text]) -> Result<Vec<Result<A, Failure>>, Failure>,
) -> Result<Exit, Failure> {
    let mut answers = Answers::new(terminal);
    let write = |answer: Result<A, _>| answers.write(answer.and_then(|answer| terminal.document(&answer)));
    let written = in_turns(&batches(Lines::new(io::stdin())), open, judge, write);
    answers.end(written)
}

/// The documents of lines, and the worst exit code among them.
struct Answers<'a> {
    terminal: &'a Terminal,
    progress: Progress,
    written: u64,
    worst: Exit,
}

impl<'a> Answers<'a> {
    fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, progress: Progress::beside(terminal), written: 0, worst: Exit::Done }
    }

    /// Counts a line, and writes the document of its failure.
    fn write(&mut self, answer: Result<(), Failure>) -> Result<(), Failure> {
        self.written = self.written.saturating_add(1);
        self.progress.tell(format_args!("{} lines", self.written));
        match answer {
            Err(failure) if failure.kind != "output" => {
                self.worst = self.worst.max(failure.exit());
                self.terminal.document(&failure.of_line(self.written).document())
            }
            written => written,
        }
    }

    fn end(self, written: Result<(), Failure>) -> Result<Exit, Failure> {
        match written {
            // The reader wants no further answers.
            Err(failure) if failure.exit() == Exit::Done => Ok(self.worst),
            written => written.map(|()| self.worst),
        }
    }
}

/// A batch of lines, or the error of reading it.
type Batch = io::Result<Vec<Text>>;

/// Reads standard input ahead, on a thread of its own, so that the caller knows whether more lines are there. The
/// thread is not joined, since it may wait for input that never comes.
fn batches(mut lines: Lines<io::Stdin>) -> Receiver<Batch> {
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

/// Judges the lines that are there, closes the store, and writes the answers, in order.
fn in_turns<S, A>(
    batches: &Receiver<Batch>,
    open: impl Fn() -> Result<S, Failure>,
    judge: impl Fn(&S, &[Text]) -> Result<Vec<A>, Failure>,
    mut write: impl FnMut(A) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut going = Ok(());
    while going.is_ok()
        && let Ok(batch) = batches.recv()
    {
        let store = open()?;
        let (mut answers, mut judged) = (Vec::new(), 0_usize);
        let mut next = Some(batch);
        while let Some(batch) = next.take() {
            match batch.map_err(Failure::input).and_then(|batch| {
                let sizes = batch.iter().map(|line| line.len().max(LEAST));
                judged = sizes.fold(judged, usize::saturating_add);
                judge(&store, &batch)
            }) {
                Ok(batch) => answers.extend(batch),
                Err(failure) => going = Err(failure),
            }
            next = if going.is_ok() && judged < TURN { batches.try_recv().ok() } else { None };
        }
        drop(store);
        let closed = Instant::now();
        let is_turn_over = judged >= TURN;
        answers.into_iter().try_for_each(&mut write)?;
        if is_turn_over {
            thread::sleep(PAUSE.saturating_sub(closed.elapsed()));
        }
    }
    going
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const BATCH: usize = 246;

    /// A source of this many batches, all ready, of lines of this length.
    fn ready(batches: usize, batch: usize, len: usize) -> Receiver<Batch> {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..batches {
            sender.send(Ok((0..batch).map(|_| Text::from_input(vec![b'x'; len])).collect())).unwrap();
        }
        receiver
    }

    /// An answer without content for each line.
    fn unit(lines: &[Text]) -> Result<Vec<()>, Failure> {
        Ok(vec![(); lines.len()])
    }

    fn waiting(batches: usize) -> Receiver<Batch> {
        ready(batches, BATCH, 7)
    }

    #[test]
    fn long_lines_take_no_more_memory_than_short_ones() {
        let held = Cell::new(0);
        let judge = |(): &(), lines: &[Text]| {
            let sizes: Vec<_> = lines.iter().map(Text::len).collect();
            held.set(held.get() + sizes.iter().sum::<usize>());
            Ok(sizes)
        };
        let mut most = 0;
        let write = |len| {
            most = held.get().max(most);
            held.set(held.get() - len);
            Ok(())
        };
        in_turns(&ready(64, 1, 1 << 20), || Ok(()), judge, write).unwrap();
        assert_eq!((held.get(), most >> 20), (0, 8), "in MiB");
    }

    #[test]
    fn the_store_is_opened_once_a_turn() {
        for (lines, turns) in [(0, 0), (1, 1), (TURN / LEAST, 1), (50_000, 4)] {
            let batches = lines.div_ceil(BATCH);
            let (opened, written) = (Cell::new(0), Cell::new(0));
            let open = || {
                opened.set(opened.get() + 1);
                Ok(())
            };
            let write = |()| {
                written.set(written.get() + 1);
                Ok(())
            };
            in_turns(&waiting(batches), open, |(), lines| unit(lines), write).unwrap();
            assert_eq!((opened.get(), written.get()), (turns, batches * BATCH), "{lines}");
        }
    }

    /// Counts itself while it is open.
    struct Store<'a>(&'a Cell<usize>);

    impl Drop for Store<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get().saturating_sub(1));
        }
    }

    #[test]
    fn neither_end_keeps_others_from_the_store() {
        let is_open = Cell::new(0);
        let open = || {
            is_open.set(is_open.get() + 1);
            Ok(Store(&is_open))
        };
        let (lines, receiver) = mpsc::channel();
        waiting(2).iter().for_each(|batch| lines.send(batch).unwrap());
        let (mut left, mut lines) = (2 * BATCH, Some(lines));
        let write = |()| {
            assert_eq!(is_open.get(), 0, "an answer is written while the store is open");
            left -= 1;
            if left == 0 {
                // Until here, more lines could come.
                drop(lines.take());
            }
            Ok(())
        };
        in_turns(&receiver, open, |_, lines| unit(lines), write).unwrap();
        assert_eq!((is_open.get(), left), (0, 0));
    }

    #[test]
    fn it_ends_when_nobody_reads() {
        let gone = |()| Err(Failure::output(io::ErrorKind::BrokenPipe.into()));
        assert!(in_turns(&waiting(2), || Ok(()), |(), lines| unit(lines), gone).is_err());
    }

    #[test]
    fn the_answers_before_an_error_are_written() {
        let (lines, receiver) = mpsc::channel();
        waiting(1).iter().for_each(|batch| lines.send(batch).unwrap());
        lines.send(Err(io::ErrorKind::InvalidData.into())).unwrap();
        let mut written = 0;
        let write = |()| {
            written += 1;
            Ok(())
        };
        let ended = in_turns(&receiver, || Ok(()), |(), lines| unit(lines), write);
        assert!(ended.is_err_and(|failure| failure.kind == "input") && written == BATCH);
    }
}
