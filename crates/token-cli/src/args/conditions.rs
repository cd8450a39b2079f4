//! Conditions whose order on the command line is their order in the token.

use clap::{
    ArgMatches, Args, Command, Error, FromArgMatches, builder::NonEmptyStringValueParser, error::ErrorKind,
};

use crate::input::INPUT;

/// One `--caveat` or `--third-party`. There is no `Debug`: it would show a key.
#[derive(Clone)]
pub(crate) enum Condition {
    FirstParty(String),
    ThirdParty { location: String, identifier: String, key: String },
}

impl Condition {
    /// Reads `LOCATION:IDENTIFIER:KEY` from the end, since a location is commonly a URL with colons.
    fn third_party(text: &str) -> Option<Self> {
        let (rest, key) = text.rsplit_once(':')?;
        let (location, identifier) =
            rest.rsplit_once(':').filter(|(_, identifier)| !identifier.is_empty())?;
        let [location, identifier, key] = [location, identifier, key].map(str::to_owned);
        Some(Self::ThirdParty { location, identifier, key })
    }

    /// Whether its key is read from standard input.
    pub(crate) fn reads_input(&self) -> bool {
        matches!(self, Self::ThirdParty { key, .. } if key.strip_prefix('@') == Some(INPUT))
    }
}

/// All conditions of a token, in the order of the command line.
#[derive(Clone)]
pub(crate) struct Conditions(pub(crate) Vec<Condition>);

/// As the command line shows them.
#[derive(Args)]
struct Options {
    /// A condition, such as "time < 1893456000"; may be repeated
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    caveat: Vec<String>,
    /// A condition that a third party confirms; may be repeated, in any order with --caveat
    ///
    /// KEY follows the last colon, IDENTIFIER is between the last two, and only LOCATION may contain colons. A KEY that
    /// begins with `@` names a file that holds the key; one line feed at its end is ignored, and `@-` is standard
    /// input. That keeps the key out of the shell's history and of the list of processes. KEY is a secret like that of
    /// --secret, not a derived key.
    #[arg(long, value_name = "LOCATION:IDENTIFIER:KEY")]
    third_party: Vec<String>,
}

impl Args for Conditions {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for Conditions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let Options { caveat, third_party } = Options::from_arg_matches(matches)?;
        let at = |option| matches.indices_of(option).into_iter().flatten();
        let caveats = at("caveat").zip(caveat.into_iter().map(Condition::FirstParty));
        // Here, because a value parser would repeat the key in its message.
        let message = "--third-party takes LOCATION:IDENTIFIER:KEY or LOCATION:IDENTIFIER:@PATH";
        let read = third_party.iter().map(|text| {
            Condition::third_party(text).ok_or_else(|| Error::raw(ErrorKind::ValueValidation, message))
        });
        let third_parties = at("third_party").zip(read.collect::<Result<Vec<_>, _>>()?);
        let mut conditions: Vec<(usize, Condition)> = caveats.chain(third_parties).collect();
        conditions.sort_by_key(|(index, _)| *index);
        Ok(Self(conditions.into_iter().map(|(_, condition)| condition).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
