//! `onetoken man`

use std::{fs, io, path::Path};

use clap::{Command, CommandFactory as _, builder::Resettable};
use clap_mangen::Man;

use crate::{
    args::{self, Args},
    error::Failure,
    output::Terminal,
};

/// The end of each page: terms and what they mean, in roff.
const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", r"Done; for \fBverify\fR and \fBconsume\fR: accepted."),
    (
        "1",
        r"Refused; for \fBrevoke\fR: there is nothing to revoke; for \fBadopt\fR: another token has an id or a name.",
    ),
    ("2", "The command line is wrong."),
    ("3", "The token, a caveat or an identifier is malformed."),
    ("4", "The store or another file is damaged or cannot be used."),
];
const ENVIRONMENT: [(&str, &str); 1] =
    [("NO_COLOR", r"If set and not empty, output has no color unless \fB\-\-color\fR asks for it.")];

/// The further end of the pages of commands with a store.
const STORE_ENVIRONMENT: [(&str, &str); 4] = [
    ("ONETOKEN_HOME", r"The home, unless \fB\-\-home\fR names another."),
    ("ONETOKEN_KEYS", r"The content of the key ring, instead of the file \fIkeys\fR."),
    ("XDG_DATA_HOME", r"The directory of the default home; if unset, \fI~/.local/share\fR."),
    ("TMPDIR", r"The directory of the temporary files of \fBcheck\fR and \fBimport\fR."),
];
const FILES: [(&str, &str); 4] = [
    (r"\fI~/.local/share/onetoken\fR", "The default home, with the files below."),
    (r"\fIkeys\fR", "The key ring. Anyone who has it and the store can mint and verify any token."),
    (r"\fIconfig.json\fR", "The configuration: the locations of minted tokens, and the URL of the store."),
    (r"\fIstore.redb\fR", "The store."),
];

pub(super) fn run(dir: Option<&Path>, terminal: &Terminal) -> Result<(), Failure> {
    let command = args::built(Args::command().disable_help_subcommand(true));
    match dir {
        None => terminal.bytes(&page(&command).map_err(Failure::output)?),
        Some(dir) => {
            let written = fs::create_dir_all(dir).and_then(|()| write(&command, dir));
            written.map_err(|error| Failure::file(dir, error))
        }
    }
}

fn write(command: &Command, dir: &Path) -> io::Result<()> {
    let name = Man::new(command.clone()).get_filename();
    fs::write(dir.join(name), page(command)?)?;
    command.get_subcommands().try_for_each(|command| write(command, dir))
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // As prose, roff would fill and hyphenate the examples.
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    Man::new(command.clone().after_help(Resettable::Reset)).render(&mut page)?;
    if let Some(examples) = examples.strip_prefix("Example:\n") {
        page.extend(verbatim(examples).as_bytes());
    }
    let mut end = section("\"EXIT STATUS\"", &EXIT_STATUS) + &section("ENVIRONMENT", &ENVIRONMENT);
    if args::uses_store(command) {
        end += &(terms(&STORE_ENVIRONMENT) + &section("FILES", &FILES));
    }
    page.extend(end.as_bytes());
    Ok(page)
}

fn section(name: &str, of: &[(&str, &str)]) -> String {
    format!(".SH {name}\n{}", terms(of))
}

fn terms(of: &[(&str, &str)]) -> String {
    of.iter().map(|(term, meaning)| format!(".TP\n{term}\n{meaning}\n")).collect()
}

/// Examples line by line, as a reader types them.
fn verbatim(examples: &str) -> String {
    let mut section = ".SH EXAMPLES\n.nf\n".to_owned();
    for line in examples.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line).replace('\\', "\\e").replace('-', "\\-");
        // roff takes a line that begins with one of these for a request.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        section.push_str(&format!("{guard}{line}\n"));
    }
    section + ".fi\n"
}
