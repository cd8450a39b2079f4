//! Trees of files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Returns everything at and below a path: files with their content, directories with `None`.
#[must_use]
pub fn content(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    if path.is_file() {
        return BTreeMap::from([(path.to_owned(), Some(fs::read(path).unwrap()))]);
    }
    let entries = fs::read_dir(path).unwrap().flat_map(|entry| content(&entry.unwrap().path()));
    entries.chain([(path.to_owned(), None)]).collect()
}

/// Copies a file or a directory.
pub fn copy(from: &Path, to: &Path) {
    for (path, content) in content(from) {
        let below = path.strip_prefix(from).unwrap();
        let path = if below == Path::new("") { to.to_owned() } else { to.join(below) };
        content.map_or_else(|| fs::create_dir(&path), |bytes| fs::write(&path, bytes)).unwrap();
    }
}
