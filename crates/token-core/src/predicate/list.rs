//! Lists in caveats: items separated by `|`, at least one.

use core::{fmt, marker::PhantomData};

use crate::split;

/// Something that stands in a list.
pub trait Item<'a>: Sized {
    /// Reads one item; `None` where it is not one.
    fn read(text: &'a str) -> Option<Self>;
}

/// A list as its text, every item of which has been read once and is read again on the way through it: no
/// allocation, however long it is.
pub struct List<'a, T> {
    text: &'a str,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Item<'a>> List<'a, T> {
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut rest = text;
        while let Some((item, behind)) = split::once(rest, b'|') {
            T::read(item)?;
            rest = behind;
        }
        T::read(rest)?;
        Some(Self { text, items: PhantomData })
    }

    /// The items, in order. There is at least one.
    pub fn iter(&self) -> impl Iterator<Item = T> + Clone + use<'a, T> {
        split::parts(self.text, b'|').filter_map(T::read)
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

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
