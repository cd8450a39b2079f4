//! Files for their owner alone, which a crash leaves whole or not at all.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// The end of the name of a draft.
pub(crate) const SUFFIX: &str = ".new";

/// Writes a file for its owner alone, since the URL of a store may hold a password. Unless it `may_replace` an existing
/// one, fails with [`io::ErrorKind::AlreadyExists`]. Then removes all other drafts of the file: those of killed processes
/// hold passwords too. If one belongs to a running process, its `save` fails with [`io::ErrorKind::NotFound`].
pub(crate) fn save(path: &Path, content: &[u8], may_replace: bool) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut draft = tempfile::Builder::new().prefix(&prefix).suffix(SUFFIX).tempfile_in(dir)?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    if may_replace {
        draft.persist(path)?
    } else {
        draft.persist_noclobber(path)?
    };
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if rest.is_some_and(|rest| rest.ends_with(SUFFIX.as_bytes())) {
            // Another process may have removed it first.
            drop(fs::remove_file(entry.path()));
        }
    }
    // With it, the name. Where directories cannot be opened as files, the file system keeps their order.
    #[cfg(unix)]
    fs::File::open(dir)?.sync_all()?;
    Ok(())
}

/// Creates a directory and its parents, for their owner alone. Leaves those that exist as they are.
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}
