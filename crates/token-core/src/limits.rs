//! What a decoder takes before it refuses.

/// Bounds that are checked before or while a token is decoded, never after.
///
/// The default is [`Limits::ONEDATA`]: everything that Onedata takes. A server that reads tokens from
/// strangers over HTTP is better off with [`Limits::HTTP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest text, in characters and with its `opw-` or `opp-` prefix; also the longest binary form, in
    /// bytes.
    pub text: usize,
    /// The longest location, identifier or predicate, in bytes.
    pub field: usize,
    /// The greatest number of caveats of one macaroon.
    pub caveats: usize,
    /// The greatest number of discharges that one macaroon is presented with.
    pub discharges: usize,
    /// How far discharges may stand from the root: a discharge of one of its caveats has depth 1, a discharge of
    /// a caveat of that one depth 2, …
    pub depth: usize,
}

impl Limits {
    /// Onedata's own cap on a token's text, 1 MiB with the prefix (`onedata-tokens.md` §1.2), and no other cap
    /// on a field; 1,024 caveats, 64 discharges, 32 levels (`macaroon-formats.md` §6), far beyond any token that Onedata
    /// writes.
    pub const ONEDATA: Self =
        Self { text: 1 << 20, field: 1 << 20, caveats: 1024, discharges: 64, depth: 32 };

    /// For requests from strangers: 64 KiB of text, fields of 32 KiB, and otherwise as above
    /// (`macaroon-formats.md` §6).
    pub const HTTP: Self = Self { text: 64 << 10, field: 32 << 10, caveats: 1024, discharges: 64, depth: 32 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::ONEDATA
    }
}
