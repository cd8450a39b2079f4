//! Files for their owner alone, which a crash leaves whole or not at all.

use std::{fs, io, path::Path};

/// Syncs a directory, and with it the names in it.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Does nothing: where directories cannot be opened as files, the file system keeps their order.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Creates a file for its owner alone, since the URL of a store may hold a password. Fails if the file exists.
#[cfg(unix)]
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a file. Fails if the file exists.
#[cfg(not(unix))]
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    fs::File::create_new(path)
}

/// Creates a directory and its parents, for their owner alone. Leaves those that exist as they are.
#[cfg(unix)]
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Creates a directory and its parents. Leaves those that exist as they are.
#[cfg(not(unix))]
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}
