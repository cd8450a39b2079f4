//! Lists in caveats: items separated by `|`, at least one.

use core::{fmt, iter};

use crate::split;

/// Something that stands in a list.
pub trait Item<'a>: Copy {
    /// Reads one item; `None` where it is not one.
    fn read(text: &'a str) -> Option<Self>;
}

/// A list as its text, every item of which has been read once. All but the first are read again on the way through it:
/// no allocation, however long it is.
pub struct List<'a, T> {
    text: &'a str,
    // Most lists have no other.
    first: T,
    rest: Option<&'a str>,
}

impl<'a, T: Item<'a>> List<'a, T> {
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let Some((first, rest)) = split::once(text, b'|') else {
            return Some(Self { text, first: T::read(text)?, rest: None });
        };
        let first = T::read(first)?;
        let mut unread = rest;
        while let Some((item, behind)) = split::once(unread, b'|') {
            T::read(item)?;
            unread = behind;
        }
        T::read(unread)?;
        Some(Self { text, first, rest: Some(rest) })
    }

    /// The items, in order. There is at least one.
    pub fn iter(&self) -> impl Iterator<Item = T> + Clone + use<'a, T> {
        let rest = self.rest.into_iter().flat_map(|rest| split::parts(rest, b'|'));
        iter::once(self.first).chain(rest.filter_map(T::read))
    }
}

impl<T: Copy> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy> Copy for List<'_, T> {}

impl<T> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for List<'_, T> {}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("List").field(&self.text).finish()
    }
}

/// The text of the list.
impl<T> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}
