//! The index of spent records, by which a purge finds them. A store reads no clock, so it does not know when a record
//! was spent: the first purge that finds the record notes the time.

use token_core::UnixTime;

use super::group::Draft;
use crate::{StoreError, TokenId, contract::codec, embedded::engine::View, embedded::layout};

/// The time of records that no purge has found yet.
pub(super) const UNSEEN: UnixTime = UnixTime::from_secs(0);

/// Adds a record whose last use was just spent.
pub(super) fn add(draft: &mut Draft<'_>, id: &TokenId) -> Result<(), StoreError> {
    enter(draft, id, UNSEEN)
}

/// Removes a record.
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

/// Notes when a purge first found a record.
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
