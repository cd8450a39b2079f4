//! `onetoken adopt`

use std::{
    fs::File,
    io::{self, Read},
    num::NonZeroU64,
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::error::Category;
use token_api::{Dialect, Foreign, MintError, MintRequest};
use token_core::{InviteType, Purpose, Subject, UnixTime};
use token_store::{Revocation, StoreError};
use zeroize::Zeroizing;

use crate::{
    bytes::Members,
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    input::{INPUT, Lines, Text},
    key,
    output::Terminal,
    progress::Progress,
    request, time,
};

/// How many tokens are stored at once: concurrent callers share one sync of the store.
const WRITERS: usize = 16;

pub(super) fn run(path: &Path, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let input: Box<dyn Read + Send> = match path.as_os_str() == INPUT {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).map_err(|error| Failure::file(path, error))?),
    };
    let lines = Mutex::new((1_u64..).zip(Lines::new(input)));
    let authority = home.authority_from_scratch(terminal)?;
    let mut progress = Progress::new();
    let (mut adopted, mut failed, mut worst) = (0_u64, Vec::new(), Exit::Done);
    let (sender, outcomes) = mpsc::sync_channel(WRITERS);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let (sender, lines, authority) = (sender.clone(), &lines, &authority);
            let next = || lines.lock().unwrap_or_else(PoisonError::into_inner).next();
            scope.spawn(move || {
                while let Some((number, line)) = next()
                    && sender.send((number, line.map(|line| adopt(line, authority)))).is_ok()
                {
                }
            });
        }
        drop(sender);
        for (line, outcome) in outcomes {
            match outcome.map_err(|error| Failure::file(path, error))? {
                Ok(()) => adopted = adopted.saturating_add(1),
                Err(Rejected::Line(exit, message)) => {
                    worst = worst.max(exit);
                    failed.push(Failed { line, message });
                }
                Err(Rejected::All(failure)) => return Err(failure.of_line(line)),
            }
            progress.tell(format_args!("{adopted} tokens adopted"));
        }
        Ok(())
    })?;
    drop((progress, authority));
    failed.sort_by_key(|failed| failed.line);
    let answer = Members::default().with("adopted", adopted).with("failed", &failed);
    terminal.answer(&answer, format_args!("adopted {adopted} tokens and generations\n"))?;
    for Failed { line, message } in failed {
        terminal.note(format_args!("line {line}: {message}"));
    }
    Ok(worst)
}

#[derive(Serialize)]
struct Failed {
    line: u64,
    message: String,
}

/// Why a line was not adopted.
enum Rejected {
    /// The line is wrong, or the store has another token in its place.
    Line(Exit, String),
    /// The store or the key ring failed, so that no other line can be adopted either.
    All(Failure),
}

impl Rejected {
    /// The line is malformed. The message must not show what is in it: it has a secret.
    fn malformed(message: impl Into<String>) -> Self {
        Self::Line(Exit::Malformed, message.into())
    }
}

impl From<MintError> for Rejected {
    fn from(error: MintError) -> Self {
        use token_api::Failure::{Id, Store};
        match &error {
            MintError::IdTaken | MintError::NameTaken => Self::Line(Exit::Refused, error.to_string()),
            MintError::Failed(Id(_) | Store(StoreError::TooLarge { .. })) => {
                Self::malformed(Failure::from(error).to_string())
            }
            MintError::Failed(_) => Self::All(error.into()),
            error => Self::malformed(error.to_string()),
        }
    }
}

/// A secret of the file: `secret` as text, or `secretHex`.
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Secret {
    /// The bytes of the one that is given.
    fn of(text: Option<&Self>, hex: Option<&Self>) -> Result<Zeroizing<Vec<u8>>, Rejected> {
        let bytes = match (text, hex) {
            (Some(Self(text)), None) => Some(Zeroizing::new(text.as_bytes().to_vec())),
            (None, Some(Self(hex))) => key::hex(hex),
            _ => return Err(Rejected::malformed("give the secret as one of `secret` and `secretHex`")),
        };
        let bytes =
            bytes.ok_or_else(|| Rejected::malformed("`secretHex` takes pairs of hexadecimal digits"))?;
        if bytes.is_empty() { Err(Rejected::malformed("the secret is empty")) } else { Ok(bytes) }
    }
}

/// A line with the secret of a subject's temporary tokens.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GenerationLine {
    subject: String,
    generation: NonZeroU64,
    secret: Option<Secret>,
    secret_hex: Option<Secret>,
}

/// A line with a token that has a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenLine {
    id: String,
    secret: Option<Secret>,
    secret_hex: Option<Secret>,
    /// Of the identifier.
    version: Option<u8>,
    #[serde(rename = "type")]
    purpose: String,
    target: Option<String>,
    subject: String,
    session: Option<String>,
    #[serde(default)]
    caveats: Vec<String>,
    created: Time,
    name: Option<String>,
    #[serde(default)]
    metadata: String,
    #[serde(default)]
    privileges: String,
    usage_limit: Option<NonZeroU64>,
    #[serde(default)]
    usage_count: u64,
    #[serde(default)]
    revoked: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Secs(u64),
    Text(String),
}

fn adopt(line: Text, authority: &Issuer) -> Result<(), Rejected> {
    /// What tells the lines apart.
    #[derive(Deserialize)]
    struct Kind {
        generation: Option<IgnoredAny>,
    }
    let line = line.into_secret();
    match read::<Kind>(&line)?.generation {
        Some(_) => adopt_generation(&read(&line)?, authority),
        None => adopt_token(&read(&line)?, authority),
    }
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Rejected> {
    serde_json::from_slice(line).map_err(|error| {
        let (text, column) = (error.to_string(), error.column());
        // Only these messages repeat nothing of the line.
        let is_plain = text.starts_with("missing field") || text.starts_with("duplicate field");
        Rejected::malformed(match error.classify() {
            Category::Data if is_plain => text.split(" at line").next().unwrap_or_default().to_owned(),
            Category::Data => format!("a member is unknown or has a wrong value, at column {column}"),
            _ => format!("not a JSON document, at column {column}"),
        })
    })
}

fn subject(text: &str) -> Result<Subject, Rejected> {
    request::issuer(text).map_err(|message| Rejected::malformed(format!("`subject` is {message}")))
}

fn adopt_generation(line: &GenerationLine, authority: &Issuer) -> Result<(), Rejected> {
    let secret = Secret::of(line.secret.as_ref(), line.secret_hex.as_ref())?;
    // A later generation that is there stays in force.
    let _ = authority.import_generation(subject(&line.subject)?.as_deref(), line.generation, &secret)?;
    Ok(())
}

fn adopt_token(line: &TokenLine, authority: &Issuer) -> Result<(), Rejected> {
    let subject = subject(&line.subject)?;
    let created = match &line.created {
        Time::Secs(secs) => UnixTime::from_secs(*secs),
        Time::Text(text) => time::parse_time(text)
            .map_err(|message| Rejected::malformed(format!("`created` is {message}")))?,
    };
    let mut request = request_for(line, subject.as_deref())?;
    request.use_limit = line.usage_limit;
    request.name = line.name.as_deref();
    request.metadata = line.metadata.as_bytes();
    request.privileges = line.privileges.as_bytes();
    let secret = Secret::of(line.secret.as_ref(), line.secret_hex.as_ref())?;
    let caveats: Vec<&str> = line.caveats.iter().map(String::as_str).collect();
    // In Onezone, every revocation can be undone.
    let revocation = Revocation { reversible: true, ..Revocation::for_good(authority.now()) };
    let foreign = Foreign {
        id: &line.id,
        secret: &secret,
        dialect: match line.version {
            None | Some(2) => Dialect::Modern,
            Some(1) => Dialect::Legacy,
            Some(_) => return Err(Rejected::malformed("`version` is neither 1 nor 2")),
        },
        caveats: &caveats,
        created,
        uses: line.usage_count,
        revocation: line.revoked.then_some(revocation),
    };
    drop(Zeroizing::new(authority.import(&request, &foreign)?));
    Ok(())
}

fn request_for<'a>(line: &'a TokenLine, subject: Subject<&'a str>) -> Result<MintRequest<'a>, Rejected> {
    let purpose: Purpose =
        line.purpose.parse().map_err(|error| Rejected::malformed(format!("`type` is {error}")))?;
    Ok(match (purpose, line.target.as_deref(), line.session.as_deref()) {
        (Purpose::Access, None, None) => MintRequest::access(subject),
        (Purpose::Access, None, Some(session)) => MintRequest::access_in(session, subject),
        (Purpose::Identity, None, None) => MintRequest::identity(subject),
        (Purpose::GroupSpaces, Some(group), None) => MintRequest::group_spaces(group, subject),
        (Purpose::SpaceSupport, Some(space), None) => {
            MintRequest::invite(InviteType::SupportSpace, space, subject)
        }
        (Purpose::Invite(invite), Some(target), None) => MintRequest::invite(invite, target, subject),
        (_, _, Some(_)) => return Err(Rejected::malformed("only an access token has a `session`")),
        _ => return Err(Rejected::malformed("an invite has a `target`, and no other token has one")),
    })
}
