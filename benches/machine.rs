//! The machine, and its figures of this process and its files.

use std::{
    error::Error,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

/// A result of anything that a measurement needs.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Returns the machine, the time and the load, without the figures that the machine does not provide.
#[must_use]
pub fn line() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let load: Option<f64> = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
    let machine =
        format!("{}, {cores} cores, Linux {kernel}", model.map_or("unknown processor", |it| it.1.trim()));
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({"measure": "machine", "machine": machine, "unix": unix, "load": load})
}

/// Returns the resident memory of this process, in bytes.
///
/// # Errors
/// If the system does not say.
pub fn resident() -> Outcome<u64> {
    status("VmRSS:")
}

/// Returns the peak resident memory of this process, in bytes.
///
/// # Errors
/// If the system does not say.
pub fn peak() -> Outcome<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    let kib: u64 = line.trim().strip_suffix(" kB").ok_or("no unit")?.parse()?;
    Ok(kib * 1024)
}

/// Returns the disk space of a file or of all files in a directory, in bytes.
///
/// # Errors
/// If the files cannot be read.
pub fn on_disk(path: &Path) -> Outcome<u64> {
    let metadata = fs::symlink_metadata(path)?;
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes += on_disk(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// Measures how long the disk takes to sync a block of 4 KiB: the median of some. No durable write can be faster.
///
/// # Errors
/// If the disk fails.
pub fn sync_time(directory: &Path) -> Outcome<Duration> {
    const ROUNDS: usize = 31;
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        file.write_all(&[0; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    times.sort();
    times.get(ROUNDS / 2).copied().ok_or_else(|| "no rounds".into())
}
