//! A walk over all that a store holds: first the records, then the generations, page by page.

use crate::{
    Administration, Cursor, Filter, Generations, Item, KeyPlace, Owner, Page, SealedKey, StoreError,
};

/// The maximum number of items in a part.
pub(crate) const PAGE: usize = 256;

/// A place in a walk.
pub(crate) enum Place {
    /// The records after this cursor.
    Records(Option<Cursor>),
    /// The generations after this cursor.
    Generations(Option<Cursor>),
}

/// What one page holds.
pub(crate) struct Part {
    /// The sound items, without claims.
    pub(crate) items: Vec<Item>,
    pub(crate) damaged: Vec<KeyPlace>,
    /// The place of the next part; `None` after the last one.
    pub(crate) next: Option<Place>,
}

impl Place {
    pub(crate) const START: Self = Self::Records(None);

    pub(crate) fn read<S: Administration + ?Sized>(&self, store: &S) -> Result<Part, StoreError> {
        Ok(match self {
            Self::Records(after) => {
                let Page { records, damaged, next } = store.list(&Filter::All, after.as_ref(), PAGE)?;
                let item = |record| Item::Token { record, claims: Vec::new() };
                Part {
                    items: records.into_iter().map(item).collect(),
                    damaged: damaged.into_iter().map(KeyPlace::Token).collect(),
                    next: Some(next.map_or(Self::Generations(None), |next| Self::Records(Some(next)))),
                }
            }
            Self::Generations(after) => {
                let Generations { sound, damaged, next } = store.generations(after.as_ref(), PAGE)?;
                let item = |(subject, generation)| Item::Generation { subject, generation };
                Part {
                    items: sound.into_iter().map(item).collect(),
                    damaged: damaged.into_iter().map(KeyPlace::Generation).collect(),
                    next: next.map(|next| Self::Generations(Some(next))),
                }
            }
        })
    }
}

impl Item {
    /// Returns the sealed key of the item and its owner.
    pub(crate) fn sealed(&self) -> (&SealedKey, Owner<'_>) {
        match self {
            Self::Token { record, .. } => (&record.root_key, record.owner()),
            Self::Generation { subject, generation } => {
                (&generation.root_key, Owner::Generation { subject, number: generation.number })
            }
        }
    }
}
