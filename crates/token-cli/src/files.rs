//! Files for their owner alone, which a crash leaves whole or not at all.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Writes a file for its owner alone, since the URL of a store may hold a password. Unless it `may_replace` an existing
/// one, fails with [`io::ErrorKind::AlreadyExists`].
pub(crate) fn save(path: &Path, content: &[u8], may_replace: bool) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut draft = tempfile::Builder::new().prefix(&prefix).suffix(".new").tempfile_in(dir)?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    if may_replace {
        draft.persist(path)?
    } else {
        draft.persist_noclobber(path)?
    };
    sync_dir(dir)
}

/// Syncs a directory, and with it the names in it.
#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Does nothing: where directories cannot be opened as files, the file system keeps their order.
#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
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
