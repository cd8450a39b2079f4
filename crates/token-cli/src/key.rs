//! Keys from the command line.

use std::path::{Path, PathBuf};

use clap::Args;
use token_core::{CaveatKey, RootKey};
use zeroize::Zeroizing;

use crate::{error::Failure, input};

/// At most one secret, and how to take it. There is no `Debug`: it would show the secret.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The secret as text; other users of the machine see it in the list of processes
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, group = "key", help_heading = "Key")]
    secret: Option<String>,
    /// The secret in hexadecimal; other users of the machine see it in the list of processes
    #[arg(long, value_name = "HEX", group = "key", help_heading = "Key")]
    secret_hex: Option<String>,
    /// A file that holds the secret; one line feed at its end is ignored, and `-` is standard input
    #[arg(long, value_name = "PATH", group = "key", help_heading = "Key")]
    secret_file: Option<PathBuf>,
    /// Take the secret, of 32 bytes, as the root key itself instead of deriving the key from it
    #[arg(long, requires = "key", help_heading = "Key")]
    raw_key: bool,
}

impl KeyArgs {
    /// Whether a key is given at all.
    pub(crate) const fn is_given(&self) -> bool {
        self.secret.is_some() || self.secret_hex.is_some() || self.secret_file.is_some()
    }

    /// The root key. Fails if no key is given, the secret is empty, not hexadecimal or in a file that cannot be read,
    /// or a raw key has not 32 bytes.
    pub(crate) fn root_key(&self) -> Result<RootKey, Failure> {
        let secret = self.read()?;
        if !self.raw_key {
            return match secret.is_empty() {
                true => Err(empty_secret()),
                false => Ok(RootKey::derive_any(&secret)),
            };
        }
        let key = <[u8; RootKey::LEN]>::try_from(secret.as_slice());
        let len = secret.len();
        let key =
            key.map_err(|_| Failure::usage(format_args!("a raw key has 32 bytes; this one has {len}")))?;
        Ok(RootKey::from_derived(*Zeroizing::new(key)))
    }

    /// Whether the secret is read from standard input.
    pub(crate) fn reads_input(&self) -> bool {
        self.secret_file.as_ref().is_some_and(|path| path.as_os_str() == input::INPUT)
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if let Some(text) = &self.secret {
            return Ok(Zeroizing::new(text.as_bytes().to_vec()));
        }
        if let Some(text) = &self.secret_hex {
            return hex(text).ok_or_else(|| Failure::usage("--secret-hex takes pairs of hexadecimal digits"));
        }
        let no_key = || Failure::usage("a key is needed; give --secret, --secret-hex or --secret-file");
        let path = self.secret_file.as_ref().ok_or_else(no_key)?;
        // The bytes of a root key may end in a line feed.
        input::secret(path, self.raw_key.then_some(RootKey::LEN))
    }
}

/// Derives the key of a third-party caveat from a text, or from the content of a file for `@PATH`. Fails if the file
/// cannot be read, or the secret is empty.
pub(crate) fn caveat_key(text: &str) -> Result<CaveatKey, Failure> {
    let secret = match text.strip_prefix('@') {
        None => Zeroizing::new(text.as_bytes().to_vec()),
        Some(path) => input::secret(Path::new(path), None)?,
    };
    if secret.is_empty() { Err(empty_secret()) } else { Ok(CaveatKey::derive_any(&secret)) }
}

fn empty_secret() -> Failure {
    Failure::usage("the secret is empty")
}

/// Reads pairs of hexadecimal digits.
pub(crate) fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    rest.is_empty().then_some(bytes)
}
