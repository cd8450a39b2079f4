//! The limits of decoding.

/// Bounds that the decoder checks before or while it decodes a token, never after.
///
/// The default is [`Limits::ONEDATA`], which admits all tokens of Onedata. For tokens from strangers over HTTP, use
/// [`Limits::HTTP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest text, in characters, including the `opw-` or `opp-` prefix; also the longest binary form, in bytes.
    pub text: usize,
    /// The longest location, identifier or predicate, in bytes.
    pub field: usize,
    /// The greatest number of caveats in one macaroon.
    pub caveats: usize,
    /// The greatest number of discharges presented with one macaroon.
    pub discharges: usize,
    /// The greatest depth of discharges: a discharge of a caveat of the root has depth 1, a discharge of a caveat of
    /// that discharge has depth 2, …
    pub depth: usize,
}

impl Limits {
    /// Onedata's own cap on a token's text, 1 MiB including the prefix (`onedata-tokens.md` §1.2), and no lower cap on
    /// a field. 1,024 caveats, 64 discharges, 32 levels (`macaroon-formats.md` §6): far beyond any token that Onedata
    /// writes.
    pub const ONEDATA: Self =
        Self { text: 1 << 20, field: 1 << 20, caveats: 1024, discharges: 64, depth: 32 };

    /// For requests from strangers: 64 KiB of text, 32 KiB for a field, otherwise as [`ONEDATA`](Self::ONEDATA)
    /// (`macaroon-formats.md` §6).
    pub const HTTP: Self = Self { text: 64 << 10, field: 32 << 10, caveats: 1024, discharges: 64, depth: 32 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::ONEDATA
    }
}
