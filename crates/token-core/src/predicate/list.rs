//! Lists in caveats: items separated by `|`, at least one that is not empty or two.

use core::{fmt, iter};

use crate::parse;

/// An item of a list.
pub trait ListItem<'a>: Copy {
    /// Reads one item; returns `None` for any other text.
    fn read(text: &'a str) -> Option<Self>;
}

/// A list as its text, all of whose items were read once and are valid. Iteration reads all but the first again, so a
/// list of any length needs no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a, T> {
    text: &'a str,
    // Most lists have only one item.
    first: T,
    rest: Option<&'a str>,
}

impl<'a, T: ListItem<'a>> List<'a, T> {
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let Some((first, rest)) = parse::once(text, b'|') else {
            return Some(Self { text, first: T::read(text)?, rest: None });
        };
        let first = T::read(first)?;
        let mut unread = rest;
        while let Some((item, behind)) = parse::once(unread, b'|') {
            T::read(item)?;
            unread = behind;
        }
        T::read(unread)?;
        Some(Self { text, first, rest: Some(rest) })
    }

    /// Returns the items, in order. There is at least one.
    pub fn iter(&self) -> impl Iterator<Item = T> + Clone + use<'a, T> {
        let rest = self.rest.into_iter().flat_map(|rest| parse::parts(rest, b'|'));
        iter::once(self.first).chain(rest.filter_map(T::read))
    }
}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("List").field(&self.text).finish()
    }
}

/// Each item as Onedata writes it.
impl<'a, T: ListItem<'a> + fmt::Display> fmt::Display for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, item)| match index {
            0 => write!(f, "{item}"),
            _ => write!(f, "|{item}"),
        })
    }
}
