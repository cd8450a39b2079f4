//! Conditions whose order on the command line is their order in the token.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, builder::NonEmptyStringValueParser};

/// One `--caveat` or `--third-party`. There is no `Debug`: it would show a key.
#[derive(Clone)]
pub(crate) enum Condition {
    FirstParty(String),
    /// `LOCATION:IDENTIFIER:KEY`, not parsed yet: clap would repeat a refused value in its message.
    ThirdParty(String),
}

/// All of them, in order.
#[derive(Clone)]
pub(crate) struct Conditions(pub(crate) Vec<Condition>);

/// As the command line shows them.
#[derive(Args)]
struct Options {
    /// A condition, such as "time < 1893456000"; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    caveat: Vec<String>,
    /// A condition that a third party confirms; may be given several times, among the others
    ///
    /// It is read from its end: KEY stands after the last colon, IDENTIFIER between the last two, and LOCATION
    /// alone may hold colons. A KEY that begins with `@` names a file, whose bytes are the key, one line feed at
    /// its end aside; `@-` is standard input. That keeps the key out of the shell's history and of the list of
    /// processes. KEY is a secret as --secret takes one, not a derived key.
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
        let third_parties = at("third_party").zip(third_party.into_iter().map(Condition::ThirdParty));
        let mut conditions: Vec<(usize, Condition)> = caveats.chain(third_parties).collect();
        conditions.sort_by_key(|(index, _)| *index);
        Ok(Self(conditions.into_iter().map(|(_, condition)| condition).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
