//! The index of spent records, so that a purge finds them. A store reads no clock, and so does not know when a
//! record was spent: the first purge that comes upon it says what time it is.

use token_core::UnixTime;

use super::group::Draft;
use crate::{StoreError, TokenId, codec, engine::View, layout};

/// The time of records that no purge has come upon.
pub(super) const UNSEEN: UnixTime = UnixTime::from_secs(0);

/// Enters a record whose last use was just taken.
pub(super) fn add(draft: &mut Draft<'_>, id: &TokenId) -> Result<(), StoreError> {
    enter(draft, id, UNSEEN)
}

/// Takes a record out.
pub(super) fn remove(draft: &mut Draft<'_>, id: &TokenId) -> Result<(), StoreError> {
    let key = layout::seen(id);
    let seen = match draft.get(&key)? {
        Some(value) => codec::decode_time(&key, &value)?,
        None => UNSEEN,
    };
    draft.remove(layout::entry(layout::spent(seen), id));
    if seen != UNSEEN {
        draft.remove(key);
    }
    Ok(())
}

/// Notes when an unseen record was come upon.
pub(super) fn see(draft: &mut Draft<'_>, id: &TokenId, now: UnixTime) -> Result<(), StoreError> {
    draft.remove(layout::entry(layout::spent(UNSEEN), id));
    let key = layout::seen(id);
    let value = codec::encode_time(&key, now)?;
    draft.put(key, value);
    enter(draft, id, now)
}

fn enter(draft: &mut Draft<'_>, id: &TokenId, seen: UnixTime) -> Result<(), StoreError> {
    let entry = layout::entry(layout::spent(seen), id);
    let value = codec::encode_index(&entry)?;
    draft.put(entry, value);
    Ok(())
}
