//! `onetoken scan`

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::Path,
};

use regex::bytes::{Match, Regex};
use token_core::{
    Bytes, DecodeOptions, IdentifierV2, Inspection, Persistence, Stamp, Subject, Token, UnixTime, inspect,
};
use walkdir::WalkDir;

use crate::{
    args::ScanArgs,
    bytes::{Members, Plain},
    error::Failure,
    exit::Exit,
    input::INPUT,
    output::Terminal,
    progress::Progress,
    time::{self, expiry},
};

/// What may be a token: a text that begins as a v1 packet with the key `location` does, in base62 or base64url, after
/// the four digits of its length; or as a v2 macaroon does, in base64url. SECURITY.md explains the first.
const TOKEN: &str =
    r"(?-u)MD[AB](?:[w-z1-5h-m]|00?)[MNOYZ][GWm2]xvY2F00?aW9u[0-9A-Za-z_-]{60,}|\bAg[EI][0-9A-Za-z_-]{50,}";

/// The greatest length of a token's text, in bytes (`onedata-tokens.md` §1.2).
const MAX_TOKEN: usize = 1 << 20;

/// How many bytes of a file are searched at once: a token that lies across the end fits into the next part whole.
const PART: usize = 4 * MAX_TOKEN;

/// The last bytes of a part, which may begin a token without being one yet.
const MARK: usize = 96;

pub(super) fn run(args: &ScanArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let pattern = Regex::new(TOKEN).map_err(|error| Failure::new(Exit::Unusable, "internal", error))?;
    let mut scan = Scan {
        args,
        pattern,
        terminal,
        now: time::now()?,
        progress: Progress::new(),
        files: 0,
        unread: 0,
        found: Vec::new(),
        ids: BTreeSet::new(),
        temporary: BTreeSet::new(),
    };
    if args.paths.is_empty() {
        scan.input()?;
    }
    for path in &args.paths {
        if path.as_os_str() == INPUT { scan.input()? } else { scan.tree(path)? }
    }
    scan.end()
}

struct Scan<'a> {
    args: &'a ScanArgs,
    pattern: Regex,
    terminal: &'a Terminal,
    now: UnixTime,
    progress: Progress,
    files: usize,
    unread: usize,
    found: Vec<Members>,
    ids: BTreeSet<Vec<u8>>,
    // The subjects of temporary tokens, which have no id to revoke.
    temporary: BTreeSet<String>,
}

impl Scan<'_> {
    fn input(&mut self) -> Result<(), Failure> {
        self.search(Path::new(INPUT), io::stdin().lock())
    }

    /// Searches a file, or all files of a directory and those below. Follows no link there.
    fn tree(&mut self, path: &Path) -> Result<(), Failure> {
        for entry in WalkDir::new(path) {
            match entry {
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_owned();
                    // The walker's own message repeats the path.
                    let cause = error.into_io_error();
                    self.skip(&at, cause.unwrap_or_else(|| io::Error::other("its links form a circle")));
                }
                // A pipe or a device would never end, unless the caller named it.
                Ok(entry)
                    if entry.file_type().is_file() || (entry.depth() == 0 && !entry.file_type().is_dir()) =>
                {
                    match File::open(entry.path()) {
                        Ok(file) => self.search(entry.path(), file)?,
                        Err(error) => self.skip(entry.path(), error),
                    }
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path, error: io::Error) {
        self.unread = self.unread.saturating_add(1);
        self.terminal.note(Failure::file(path, error));
    }

    fn search(&mut self, path: &Path, mut from: impl Read) -> Result<(), Failure> {
        let pattern = self.pattern.clone();
        self.files = self.files.saturating_add(1);
        self.progress.tell(format_args!("{} files searched", self.files));
        let mut place = Place { line: 1, column: 1 };
        let mut part = Vec::new();
        loop {
            let room = PART.saturating_sub(part.len());
            let read = from.by_ref().take(u64::try_from(room).unwrap_or(u64::MAX)).read_to_end(&mut part);
            let is_last = match read {
                Ok(read) => read < room,
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
                Err(error) => {
                    self.skip(path, error);
                    return Ok(());
                }
            };
            let mut searched = if is_last { part.len() } else { part.len().saturating_sub(MARK) };
            for text in pattern.find_iter(&part) {
                let goes_on = !is_last && text.end() == part.len();
                // A token that goes on is searched with the next part; a longer text is no token.
                if goes_on && text.len() <= MAX_TOKEN {
                    searched = searched.min(text.start());
                    break;
                }
                let at = place.after(part.get(..text.start()).unwrap_or_default());
                self.judge(path, at, &text)?;
                searched = searched.max(text.end());
            }
            place = place.after(part.get(..searched).unwrap_or_default());
            part.drain(..searched);
            if is_last {
                return Ok(());
            }
        }
    }

    /// Reports the text if it is a token.
    fn judge(&mut self, path: &Path, at: Place, text: &Match<'_>) -> Result<(), Failure> {
        // A base62 text may have a word behind it: `TOKEN_old`.
        let word = text.as_bytes().split(|byte| b"-_".contains(byte)).next().unwrap_or_default();
        let found = [text.as_bytes(), word].into_iter().find_map(|text| {
            let text = std::str::from_utf8(text).ok()?;
            let token = Token::decode(text, &DecodeOptions::default()).ok()?;
            Some((token, inspect(text, &DecodeOptions::default()).ok()?))
        });
        found.map_or(Ok(()), |(token, reading)| self.report(path, at, &token, &reading))
    }

    fn report(&mut self, path: &Path, at: Place, token: &Token, reading: &Inspection) -> Result<(), Failure> {
        let identifier = token.identifier();
        let id = identifier.id();
        let temporary = match identifier.v2() {
            Some(IdentifierV2 { persistence: Persistence::Temporary { .. }, subject, .. }) => Some(*subject),
            _ => None,
        };
        match temporary.map(|subject: Subject<&str>| subject.to_string()) {
            Some(subject) => drop(self.temporary.insert(subject)),
            None => drop(self.ids.insert(id.to_vec())),
        }
        let location = reading.location().unwrap_or_default();
        if self.terminal.prints_json() {
            let found = Members::default()
                .with("path", Bytes(path.as_os_str().as_encoded_bytes()))
                .with("line", at.line)
                .with("column", at.column)
                .with("id", Bytes(id))
                .with("location", Bytes(location))
                .with("temporary", temporary.map(|subject| subject.to_string()))
                .with("expiresAt", reading.expires_at().map(Stamp));
            self.found.push(found);
            return Ok(());
        }
        self.found.push(Members::default());
        if self.args.ids {
            return Ok(());
        }
        let expires = match reading.expires_at() {
            Some(at) => format!(", {}", expiry(at, self.now)),
            None => String::new(),
        };
        let of = temporary.map_or_else(String::new, |subject| format!(", temporary, of {subject}"));
        self.terminal.text(format_args!(
            "{}:{}:{}: {} ({}{expires}{of})\n",
            Plain(path.as_os_str().as_encoded_bytes()),
            at.line,
            at.column,
            Plain(id),
            Plain(location),
        ))
    }

    fn end(self) -> Result<Exit, Failure> {
        let Self { args, terminal, files, unread, found, ids, temporary, progress, .. } = self;
        drop(progress);
        let exit = match (found.is_empty(), unread) {
            (false, _) => Exit::Refused,
            (true, 0) => Exit::Done,
            (true, _) => Exit::Unusable,
        };
        if terminal.prints_json() {
            let answer = Members::default().with("found", &found).with("files", files).with("unread", unread);
            terminal.document(&answer)?;
            return Ok(exit);
        }
        if args.ids {
            // An id with a space or a line end was not minted by an Onezone, and would be read as several.
            let plain = ids.iter().filter(|id| id.iter().all(u8::is_ascii_graphic));
            let lines: String = plain.map(|id| format!("{}\n", Plain(id))).collect();
            terminal.text(lines)?;
            for subject in &temporary {
                terminal.note(format_args!(
                    "found a temporary token of {subject}, which has no id to revoke; \
                     `onetoken revoke --temporary {subject}` revokes all of them"
                ));
            }
        }
        terminal.tell(format_args!("{} tokens found in {files} files\n", found.len()));
        Ok(exit)
    }
}

/// A place in a file, from 1. Columns count bytes.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// The place after these bytes.
    fn after(self, bytes: &[u8]) -> Self {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let rest = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().len();
        let column = if lines == 0 { self.column.saturating_add(rest) } else { rest.saturating_add(1) };
        Self { line: self.line.saturating_add(lines), column }
    }
}
