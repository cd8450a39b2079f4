//! A bare log, beside which the stores are measured: it appends, syncs and does nothing else.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use token_bench::{load, machine::Outcome};

/// Returns how many entries of this many bytes this many callers append in a second, each synced when its call
/// returns. One thread writes and syncs together the entries of all that wait, as the stores do.
pub(crate) fn per_second(directory: &Path, bytes: usize, callers: usize, time: Duration) -> Outcome<f64> {
    let path = directory.join("log");
    let file = File::create(&path)?;
    let entry = vec![0x5a; bytes];
    let pace = match callers {
        1 => {
            let file = Mutex::new(file);
            let append = |_| {
                let mut file = file.lock().map_err(|_| "a thread panicked")?;
                file.write_all(&entry)?;
                Ok(file.sync_data()?)
            };
            load::calls(1, usize::MAX, time, append)?.0
        }
        _ => together(file, &entry, callers, time)?,
    };
    std::fs::remove_file(path)?;
    Ok(pace.per_second())
}

fn together(mut file: File, entry: &[u8], callers: usize, time: Duration) -> Outcome<load::Pace> {
    let (send, waiting) = mpsc::channel::<mpsc::SyncSender<()>>();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Outcome<()> {
            while let Ok(first) = waiting.recv() {
                let callers: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                file.write_all(&entry.repeat(callers.len()))?;
                file.sync_data()?;
                for caller in callers {
                    caller.send(())?;
                }
            }
            Ok(())
        });
        let pace = load::calls(callers, usize::MAX, time, |_| {
            let (reply, answer) = mpsc::sync_channel(1);
            send.send(reply)?;
            Ok(answer.recv()?)
        });
        drop(send);
        writer.join().map_err(|_| "the writer panicked")??;
        Ok(pace?.0)
    })
}
