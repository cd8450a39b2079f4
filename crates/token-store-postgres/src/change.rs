//! The statement that spends, refunds and revokes. The guarantees of the store rest on it.
//!
//! It reads the token and the claim in one snapshot and decides. Then it locks the row of the token and acts only if
//! the row is unchanged since the read. It compares `changes`, which every change to the token or to one of its
//! claims raises under the lock of that row. So every action rests on what was read, and a decision not to act was
//! true at the time of the snapshot. If the row has changed, the statement does nothing to it and the store asks the
//! caller's row again.
//!
//! Without this check, the statement would miss a claim that is added while it waits for the row: under READ
//! COMMITTED the server reads a row again after waiting for its lock, but not the rows of other tables.
//!
//! Two operations need no such check, and would starve on a busy token with it: a revocation, and a use of a token
//! without a limit, which has no claims.
//!
//! If several rows are about one token under different claims, the first decides which operation is done. All rows
//! that ask for that operation are served in order, as long as there are uses. The store asks the others again.

use token_core::UnixTime;
use token_store::{ClaimId, GrantId, Held, Refund, Revoke, Spend, StoreError, TokenId};

use crate::{
    kind::{Answers, Kind, Repeat, STRANGE, Subject, bigint, column, count, get, numbered, parameters},
    session::Session,
};

/// Changes existing records.
pub(crate) struct Changes;

/// One change.
pub(crate) struct Change {
    pub(crate) id: TokenId,
    pub(crate) act: Act,
}

/// The operation to do.
pub(crate) enum Act {
    /// Spends at this time under this grant, unless the claim already holds one.
    Spend(ClaimId, GrantId, UnixTime),
    /// Reports a use that the claim holds, as spending again would.
    Claimed(ClaimId),
    /// Gives back the use that the claim holds under this grant.
    Refund(ClaimId, GrantId),
    /// Revokes the token.
    Revoke,
}

impl Act {
    // The columns of a row: what to do, under which claim, with which grant, and when.
    fn row(&self) -> (&'static str, Option<&ClaimId>, Option<i64>, Option<i64>) {
        match self {
            Self::Spend(claim, grant, now) => {
                ("spend", Some(claim), Some(grant_column(*grant)), Some(bigint(now.as_secs())))
            }
            Self::Claimed(claim) => ("claimed", Some(claim), None, None),
            Self::Refund(claim, grant) => ("refund", Some(claim), Some(grant_column(*grant)), None),
            Self::Revoke => ("revoke", None, None, None),
        }
    }
}

/// The outcome of a change, as the statement reports it. An outcome that an operation cannot have is [`STRANGE`].
#[derive(Default)]
pub(crate) struct Changed {
    verdict: String,
    // The use that the claim holds. A token without a limit has no claims.
    uses_left: Option<i64>,
    grant: Option<i64>,
}

impl Changed {
    /// The answer to [`Act::Spend`].
    pub(crate) fn spend(self) -> Result<Spend, StoreError> {
        let (held, repeated) = match &*self.verdict {
            "absent" => return Ok(Spend::Absent),
            "exhausted" => return Ok(Spend::Exhausted),
            "revoked" => return Ok(Spend::Revoked),
            "spend" => (self.held()?, false),
            "mark" | "held" => (Some(self.held()?.ok_or(STRANGE)?), true),
            _ => return Err(STRANGE),
        };
        let (uses_left, grant) = held.map(|held| (held.uses_left, held.grant)).unzip();
        Ok(Spend::Spent { uses_left, grant, repeated })
    }

    /// The answer to [`Act::Claimed`]: the use that the claim holds, or `None` if it holds none.
    pub(crate) fn claimed(self) -> Result<Option<Held>, StoreError> {
        match &*self.verdict {
            "absent" | "unclaimed" => Ok(None),
            "mark" | "held" => self.held()?.ok_or(STRANGE).map(Some),
            _ => Err(STRANGE),
        }
    }

    /// The answer to [`Act::Refund`]. `Corrupt` for a claim on a record without uses.
    pub(crate) fn refund(self) -> Result<Refund, StoreError> {
        match &*self.verdict {
            "absent" => Ok(Refund::Absent),
            "unclaimed" => Ok(Refund::NotClaimed),
            "refund" => Ok(Refund::Refunded),
            // The use was reported more than once.
            "kept" => Ok(Refund::Kept),
            "damaged" => Err(StoreError::Corrupt { what: "a claim on a record without uses" }),
            _ => Err(STRANGE),
        }
    }

    /// The answer to [`Act::Revoke`].
    pub(crate) fn revoke(self) -> Result<Revoke, StoreError> {
        match &*self.verdict {
            "absent" => Ok(Revoke::Absent),
            "revoke" | "revoked" => Ok(Revoke::Revoked),
            _ => Err(STRANGE),
        }
    }

    fn held(&self) -> Result<Option<Held>, StoreError> {
        let Some(uses_left) = self.uses_left else { return Ok(None) };
        Ok(Some(Held { uses_left: count(uses_left)?, grant: grant_of(self.grant.ok_or(STRANGE)?) }))
    }
}

/// A grant as the server keeps it.
pub(crate) const fn grant_column(grant: GrantId) -> i64 {
    i64::from_be_bytes(grant.to_bytes())
}

/// The grant that the server kept.
pub(crate) const fn grant_of(column: i64) -> GrantId {
    GrantId::from_bytes(column.to_be_bytes())
}

// `verdict` is the operation to do: `spend`, `mark` (set `answered_again` on a claim), `refund` or `revoke`. Any
// other verdict is already the answer. Rows are locked in the order of their ids, so that two hosts cannot deadlock.
macro_rules! changing {
    ($locked_by_others:literal) => {
        concat!(
            "WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[])
                WITH ORDINALITY AS a(id, act, claim, grant_id, asked_at, n)
            WHERE {mark}
        ), seen AS MATERIALIZED (
            SELECT a.n, a.id, a.claim, a.grant_id, a.asked_at, t.uses, t.use_limit, t.changes,
                c.uses_left, c.grant_id AS granted,
                CASE
                    WHEN t.id IS NULL THEN 'absent'
                    WHEN a.act = 'revoke' THEN CASE WHEN t.revoked THEN 'revoked' ELSE 'revoke' END
                    WHEN a.act = 'refund' THEN CASE
                        WHEN c.id IS NULL OR c.grant_id <> a.grant_id THEN 'unclaimed'
                        WHEN c.answered_again THEN 'kept'
                        WHEN t.uses < 1 THEN 'damaged'
                        ELSE 'refund'
                    END
                    WHEN c.answered_again THEN 'held'
                    WHEN c.id IS NOT NULL THEN 'mark'
                    WHEN a.act = 'claimed' THEN 'unclaimed'
                    WHEN t.revoked OR t.created < (SELECT s.revoke_before FROM onetoken.store s) THEN 'revoked'
                    WHEN t.use_limit IS NULL OR t.uses < t.use_limit THEN 'spend'
                    ELSE 'exhausted'
                END AS verdict
            FROM asked a
            LEFT JOIN onetoken.tokens t ON t.id = a.id
            LEFT JOIN onetoken.claims c ON c.id = a.id AND c.claim = a.claim
        ), acting AS MATERIALIZED (
            SELECT v.*,
                row_number() OVER (PARTITION BY v.id, v.verdict ORDER BY v.n) AS nth,
                first_value(v.verdict) OVER (PARTITION BY v.id ORDER BY v.n) AS first
            FROM seen v WHERE v.verdict IN ('spend', 'mark', 'refund', 'revoke')
        ), chosen AS MATERIALIZED (
            SELECT n, id, claim, grant_id, asked_at, uses, use_limit, changes, verdict, nth FROM acting
            WHERE verdict = first
                AND (verdict <> 'spend' OR use_limit IS NULL OR uses + nth <= use_limit)
                AND (verdict <> 'refund' OR nth <= uses)
        ), wanted AS MATERIALIZED (
            SELECT id, verdict, changes, count(*) AS times, max(asked_at) AS asked_at FROM chosen GROUP BY id, verdict, changes
        ), locked AS MATERIALIZED (
            SELECT w.id, w.verdict, w.times, w.asked_at
            FROM wanted w JOIN onetoken.tokens t ON t.id = w.id
            WHERE t.changes = w.changes
                OR w.verdict = 'revoke'
                OR (w.verdict = 'spend' AND t.use_limit IS NULL AND NOT t.revoked)
            ORDER BY t.id
            FOR NO KEY UPDATE OF t ",
            $locked_by_others,
            "
        ), done AS (
            UPDATE onetoken.tokens t
            SET changes = t.changes + 1,
                revoked = t.revoked OR l.verdict = 'revoke',
                uses = t.uses + CASE l.verdict WHEN 'spend' THEN l.times WHEN 'refund' THEN -l.times ELSE 0 END,
                last_use = CASE l.verdict WHEN 'spend' THEN greatest(t.last_use, l.asked_at) ELSE t.last_use END
            FROM locked l
            WHERE t.id = l.id
            RETURNING t.id
        ), claimed AS (
            INSERT INTO onetoken.claims (id, claim, uses_left, grant_id, answered_again)
            SELECT c.id, c.claim, c.use_limit - c.uses - c.nth, c.grant_id, false
            FROM done d JOIN chosen c ON c.id = d.id
            WHERE c.verdict = 'spend' AND c.use_limit IS NOT NULL
        ), marked AS (
            UPDATE onetoken.claims k
            SET answered_again = true
            FROM done d JOIN chosen c ON c.id = d.id
            WHERE c.verdict = 'mark' AND k.id = c.id AND k.claim = c.claim
        ), forgotten AS (
            DELETE FROM onetoken.claims k
            USING done d, chosen c
            WHERE c.id = d.id AND c.verdict = 'refund' AND k.id = c.id AND k.claim = c.claim
        )
        SELECT v.n, v.verdict, coalesce(v.uses_left, c.use_limit - c.uses - c.nth), coalesce(v.granted, c.grant_id),
            d.id IS NOT NULL
        FROM seen v LEFT JOIN chosen c ON c.n = v.n LEFT JOIN done d ON d.id = c.id"
        )
    };
}

impl Kind for Changes {
    type Ask = Change;
    type Answer = Changed;

    fn subject(ask: &Change) -> Option<Subject> {
        let claim = ask.act.row().1.map(|claim| claim.as_bytes().to_vec());
        Some((ask.id.as_bytes().to_vec(), claim.unwrap_or_default()))
    }

    // Both are idempotent: a retry reports the same outcome.
    fn repeat(ask: &Change) -> Repeat {
        match ask.act {
            Act::Revoke | Act::Claimed(_) => Repeat::SameWrite,
            Act::Spend(..) | Act::Refund(..) => Repeat::OtherWrite,
        }
    }

    async fn ask(session: &Session, asks: &[&Change], skip_locked: bool) -> Answers<Self> {
        let columns = [
            column(asks.iter().map(|ask| ask.id.as_bytes())),
            column(asks.iter().map(|ask| ask.act.row().0)),
            column(asks.iter().map(|ask| ask.act.row().1.map(ClaimId::as_bytes))),
            column(asks.iter().map(|ask| ask.act.row().2)),
            column(asks.iter().map(|ask| ask.act.row().3)),
        ];
        let sql = if skip_locked { changing!("SKIP LOCKED") } else { changing!("") };
        let mut answers: Vec<_> = asks.iter().map(|_| Some(Changed::default())).collect();
        for row in session.write(sql, &parameters(&columns)).await? {
            let (verdict, done): (String, bool) = (get(&row, 1)?, get(&row, 4)?);
            let is_undone = !done && matches!(&*verdict, "spend" | "mark" | "refund" | "revoke");
            let changed = Changed { verdict, uses_left: get(&row, 2)?, grant: get(&row, 3)? };
            *numbered(&mut answers, &row)? = (!is_undone).then_some(changed);
        }
        Ok(answers)
    }
}
