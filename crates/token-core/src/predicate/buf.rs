//! Writes the texts of caveats from values.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt::{self, Write as _};

use super::{GeoFilter, Interface, IpMask, Predicate, Region};
use crate::{LegacyType, Service, Subject, UnixTime};

/// The text of a caveat in Onedata's vocabulary. Deserializes from the caveat's JSON form.
///
/// ```
/// use token_core::{PredicateBuf, Subject, UnixTime};
///
/// let until = PredicateBuf::time(UnixTime::from_secs(1_496_140_144));
/// assert_eq!(until.as_str(), "time < 1496140144");
/// let provider = PredicateBuf::consumer([Subject::Provider("p1")])?;
/// assert_eq!(provider.as_str(), "consumer = prv-p1");
/// let json = r#"{"type":"ip","whitelist":["192.0.2.0/24","198.51.100.7"]}"#;
/// assert_eq!(serde_json::from_str::<PredicateBuf>(json)?.as_str(), "ip = 192.0.2.0/24|198.51.100.7/32");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PredicateBuf(String);

/// The list is empty, or an item does not read back as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a list in a caveat needs at least one item, and none that is empty or holds a separator")]
pub struct ListError;

impl PredicateBuf {
    /// Reads a caveat that a new token may carry, and writes it as Onedata does. Refuses values that no request can
    /// have, which [`Predicate::read`] reads: a blacklist of the country `pl` would exclude no one.
    #[must_use]
    pub fn read(text: impl AsRef<str>) -> Option<Self> {
        let predicate = Predicate::read_text(text.as_ref())?;
        predicate.has_meaning().then(|| Self(predicate.to_string()))
    }

    /// Accepts every text that [`Predicate::read`] reads.
    pub(super) fn as_received(text: &str) -> Option<Self> {
        Predicate::read_text(text).map(|predicate| Self(predicate.to_string()))
    }

    /// `time < N`
    #[must_use]
    pub fn time(valid_until: UnixTime) -> Self {
        /// Enough for every time of ten digits, which are all until 2286.
        const LEN: usize = "time < 1234567890".len();
        let mut text = String::with_capacity(LEN);
        // A string takes everything.
        let _ = write!(text, "time < {}", valid_until.as_secs());
        Self(text)
    }

    /// `ip = MASK|…`
    ///
    /// # Errors
    /// [`ListError`]
    pub fn ip(masks: impl IntoIterator<Item = IpMask>) -> Result<Self, ListError> {
        list("ip =", masks)
    }

    /// `asn = N|…`
    ///
    /// # Errors
    /// [`ListError`]
    pub fn asn(numbers: impl IntoIterator<Item = u32>) -> Result<Self, ListError> {
        list("asn =", numbers)
    }

    /// `geo.country = CC|…` or `geo.country != CC|…`
    ///
    /// # Errors
    /// [`ListError`], also when a code is not two capital letters.
    pub fn geo_country<'a>(
        filter: GeoFilter,
        codes: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ListError> {
        list(&format!("geo.country {}", filter.sign()), codes)
    }

    /// `geo.region = NAME|…` or `geo.region != NAME|…`
    ///
    /// # Errors
    /// [`ListError`]
    pub fn geo_region(
        filter: GeoFilter,
        regions: impl IntoIterator<Item = Region>,
    ) -> Result<Self, ListError> {
        list(&format!("geo.region {}", filter.sign()), regions)
    }

    /// `service = CODE-ID|…`
    ///
    /// # Errors
    /// [`ListError`]
    pub fn service<'a>(services: impl IntoIterator<Item = Service<&'a str>>) -> Result<Self, ListError> {
        list("service =", services)
    }

    /// `consumer = CODE-ID|…`
    ///
    /// # Errors
    /// [`ListError`], also for [`Subject::Nobody`], which no caveat can name.
    pub fn consumer<'a>(subjects: impl IntoIterator<Item = Subject<&'a str>>) -> Result<Self, ListError> {
        list("consumer =", subjects)
    }

    /// `interface = NAME`
    #[must_use]
    pub fn interface(interface: Interface) -> Self {
        Self(Predicate::Interface(interface).to_string())
    }

    /// `tokenType = T`
    #[must_use]
    pub fn token_type(legacy: LegacyType) -> Self {
        Self(["tokenType = ", legacy.as_str()].concat())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<PredicateBuf> for String {
    fn from(predicate: PredicateBuf) -> Self {
        predicate.0
    }
}

/// Writes a list, and reads it back to check that it has the same meaning.
fn list(head: &str, items: impl IntoIterator<Item = impl fmt::Display>) -> Result<PredicateBuf, ListError> {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    list_text(head, &items).and_then(PredicateBuf::read).ok_or(ListError)
}

/// Joins the items. Returns `None` if an item contains a separator.
pub(super) fn list_text(head: &str, items: &[String]) -> Option<String> {
    (!items.iter().any(|item| item.contains('|'))).then(|| format!("{head} {}", items.join("|")))
}

impl AsRef<[u8]> for PredicateBuf {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for PredicateBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
