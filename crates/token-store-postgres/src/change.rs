//! The statement that spends, refunds, revokes and reinstates. The guarantees of the store rest on it.
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
//! Two operations need no such check, and would starve on a busy token with it: a revocation, which compares only the
//! present revocation, and a use of a token without a limit, which has no claims.
//!
//! If several rows are about one token under different claims, the first decides which operation is done. All rows
//! that ask for that operation are served in order, as long as there are uses. The store asks the others again.

use token_store::{
    ClaimId, GrantId, Held, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId, Use,
};

use crate::{
    events::telling,
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

/// The operation to do, as the columns of a row.
#[derive(Clone, Default)]
pub(crate) struct Act {
    act: &'static str,
    claim: Option<ClaimId>,
    grant: Option<i64>,
    // When a use is spent.
    at: Option<i64>,
    // The use that is spent or the revocation, encoded.
    value: Option<Vec<u8>>,
    // Whether the revocation is reversible.
    reversible: Option<bool>,
}

impl Act {
    /// Spends a use under this grant, unless the claim already holds one. Fails as [`Use::to_bytes`] does.
    pub(crate) fn spend(claim: &ClaimId, grant: GrantId, by: &Use) -> Result<Self, StoreError> {
        let (at, value) = (Some(bigint(by.at.as_secs())), Some(by.to_bytes()?));
        Ok(Self { at, value, grant: Some(grant_column(grant)), ..Self::of_claim("spend", claim) })
    }

    /// Reports a use that the claim holds, as spending again would.
    pub(crate) fn claimed(claim: &ClaimId) -> Self {
        Self::of_claim("claimed", claim)
    }

    /// Gives back the use that the claim holds under this grant.
    pub(crate) fn refund(claim: &ClaimId, grant: GrantId) -> Self {
        Self { grant: Some(grant_column(grant)), ..Self::of_claim("refund", claim) }
    }

    /// Revokes the token. Fails as [`Revocation::to_bytes`] does.
    pub(crate) fn revoke(revocation: &Revocation) -> Result<Self, StoreError> {
        let (value, reversible) = (Some(revocation.to_bytes()?), Some(revocation.reversible));
        Ok(Self { act: "revoke", value, reversible, ..Self::default() })
    }

    /// Undoes a reversible revocation.
    pub(crate) fn reinstate() -> Self {
        Self { act: "reinstate", ..Self::default() }
    }

    fn of_claim(act: &'static str, claim: &ClaimId) -> Self {
        Self { act, claim: Some(claim.clone()), ..Self::default() }
    }
}

/// The outcome of a change, as the statement reports it. An outcome that an operation cannot have is [`STRANGE`].
#[derive(Default)]
pub(crate) struct Changed {
    verdict: String,
    // The use that the claim holds. A token without a limit has no claims.
    uses_left: Option<i64>,
    grant: Option<i64>,
    spent: Option<Vec<u8>>,
}

impl Changed {
    /// The answer to [`Act::spend`].
    pub(crate) fn spend(self) -> Result<Spend, StoreError> {
        let (held, repeated) = match &*self.verdict {
            "absent" => return Ok(Spend::Absent),
            "exhausted" => return Ok(Spend::Exhausted),
            "revoked" => return Ok(Spend::Revoked),
            "spend" => (self.granted()?, false),
            "mark" | "held" => (Some(self.granted()?.ok_or(STRANGE)?), true),
            _ => return Err(STRANGE),
        };
        let (uses_left, grant) = held.unzip();
        Ok(Spend::Spent { uses_left, grant, repeated })
    }

    /// The answer to [`Act::claimed`]: the use that the claim holds, or `None` if it holds none.
    pub(crate) fn claimed(self) -> Result<Option<Held>, StoreError> {
        match &*self.verdict {
            "absent" | "unclaimed" => Ok(None),
            "mark" | "held" => {
                let (uses_left, grant) = self.granted()?.ok_or(STRANGE)?;
                let spent = Use::from_bytes(&self.spent.ok_or(STRANGE)?)?;
                Ok(Some(Held { uses_left, grant, spent }))
            }
            _ => Err(STRANGE),
        }
    }

    /// The answer to [`Act::refund`]. `Corrupt` for a claim on a record without uses.
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

    /// The answer to [`Act::revoke`].
    pub(crate) fn revoke(self) -> Result<Revoke, StoreError> {
        match &*self.verdict {
            "absent" => Ok(Revoke::Absent),
            "revoke" | "revoked" => Ok(Revoke::Revoked),
            _ => Err(STRANGE),
        }
    }

    /// The answer to [`Act::reinstate`].
    pub(crate) fn reinstate(self) -> Result<Reinstate, StoreError> {
        match &*self.verdict {
            "absent" => Ok(Reinstate::Absent),
            "revoked" => Ok(Reinstate::ForGood),
            "reinstate" | "reinstated" => Ok(Reinstate::Reinstated),
            _ => Err(STRANGE),
        }
    }

    // How many uses were left, and the grant.
    fn granted(&self) -> Result<Option<(u64, GrantId)>, StoreError> {
        let Some(uses_left) = self.uses_left else { return Ok(None) };
        Ok(Some((count(uses_left)?, grant_of(self.grant.ok_or(STRANGE)?))))
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

// `verdict` is the operation to do: `spend`, `mark` (set `answered_again` on a claim), `refund`, `revoke` or
// `reinstate`. Any other verdict is already the answer. At most one row of a statement revokes or reinstates a token.
// Rows are locked in the order of their ids, so that two hosts cannot deadlock.
macro_rules! changing {
    ($locked_by_others:literal) => {
        concat!(
            "WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bytea[],
                                 $7::boolean[])
                WITH ORDINALITY AS a(id, act, claim, grant_id, asked_at, value, reversible, n)
            WHERE {mark}
        ), seen AS MATERIALIZED (
            SELECT a.*, t.uses, t.use_limit, t.changes, c.uses_left, c.grant_id AS granted, c.spent,
                CASE
                    WHEN t.id IS NULL THEN 'absent'
                    WHEN a.act = 'revoke' THEN CASE
                        WHEN t.revocation IS NULL OR (t.reversible AND NOT a.reversible) THEN 'revoke'
                        ELSE 'revoked'
                    END
                    WHEN a.act = 'reinstate' THEN CASE
                        WHEN NOT t.reversible OR t.created < (SELECT s.revoke_before FROM onetoken.store s)
                            THEN 'revoked'
                        WHEN t.revocation IS NULL THEN 'reinstated'
                        ELSE 'reinstate'
                    END
                    WHEN a.act = 'refund' THEN CASE
                        WHEN c.id IS NULL OR c.grant_id <> a.grant_id THEN 'unclaimed'
                        WHEN c.answered_again THEN 'kept'
                        WHEN t.uses < 1 THEN 'damaged'
                        ELSE 'refund'
                    END
                    WHEN c.answered_again THEN 'held'
                    WHEN c.id IS NOT NULL THEN 'mark'
                    WHEN a.act = 'claimed' THEN 'unclaimed'
                    WHEN t.revocation IS NOT NULL OR t.created < (SELECT s.revoke_before FROM onetoken.store s)
                        THEN 'revoked'
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
            FROM seen v WHERE v.verdict IN ('spend', 'mark', 'refund', 'revoke', 'reinstate')
        ), chosen AS MATERIALIZED (
            SELECT * FROM acting
            WHERE verdict = first
                AND (verdict <> 'spend' OR use_limit IS NULL OR uses + nth <= use_limit)
                AND (verdict <> 'refund' OR nth <= uses)
        ), wanted AS MATERIALIZED (
            SELECT id, verdict, changes, CASE verdict WHEN 'revoke' THEN value END AS revocation, reversible,
                count(*) AS times, max(asked_at) AS asked_at
            FROM chosen GROUP BY 1, 2, 3, 4, 5
        ), locked AS MATERIALIZED (
            SELECT w.*
            FROM wanted w JOIN onetoken.tokens t ON t.id = w.id
            WHERE t.changes = w.changes
                OR (w.verdict = 'revoke' AND (t.revocation IS NULL OR (t.reversible AND NOT w.reversible)))
                OR (w.verdict = 'spend' AND t.use_limit IS NULL AND t.revocation IS NULL)
            ORDER BY t.id
            FOR NO KEY UPDATE OF t ",
            $locked_by_others,
            "
        ), done AS (
            UPDATE onetoken.tokens t
            SET changes = t.changes + 1,
                revocation = CASE WHEN l.verdict IN ('revoke', 'reinstate') THEN l.revocation ELSE t.revocation END,
                reversible = CASE WHEN l.verdict IN ('revoke', 'reinstate') THEN l.reversible ELSE t.reversible END,
                uses = t.uses + CASE l.verdict WHEN 'spend' THEN l.times WHEN 'refund' THEN -l.times ELSE 0 END,
                last_use = CASE l.verdict WHEN 'spend' THEN greatest(t.last_use, l.asked_at) ELSE t.last_use END
            FROM locked l
            WHERE t.id = l.id
            RETURNING t.id, l.verdict
        ), claimed AS (
            INSERT INTO onetoken.claims (id, claim, uses_left, grant_id, answered_again, spent)
            SELECT c.id, c.claim, c.use_limit - c.uses - c.nth, c.grant_id, false, c.value
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
        ), told AS MATERIALIZED (
            SELECT d.verdict AS event, d.id AS subject, NULL::bigint AS value
            FROM done d WHERE d.verdict IN ('revoke', 'reinstate')
        )",
            telling!(),
            "
        SELECT v.n, v.verdict, coalesce(v.uses_left, c.use_limit - c.uses - c.nth), coalesce(v.granted, c.grant_id),
            d.id IS NOT NULL, v.spent
        FROM seen v LEFT JOIN chosen c ON c.n = v.n LEFT JOIN done d ON d.id = c.id"
        )
    };
}

impl Kind for Changes {
    type Ask = Change;
    type Answer = Changed;

    fn subject(ask: &Change) -> Option<Subject> {
        let claim = ask.act.claim.as_ref().map(|claim| claim.as_bytes().to_vec());
        Some((ask.id.as_bytes().to_vec(), claim.unwrap_or_default()))
    }

    // A retry of these two reports the same outcome.
    fn repeat(ask: &Change) -> Repeat {
        match ask.act.act {
            "revoke" | "claimed" => Repeat::SameWrite,
            _ => Repeat::OtherWrite,
        }
    }

    async fn ask(session: &Session, asks: &[&Change], skip_locked: bool) -> Answers<Self> {
        let columns = [
            column(asks.iter().map(|ask| ask.id.as_bytes())),
            column(asks.iter().map(|ask| ask.act.act)),
            column(asks.iter().map(|ask| ask.act.claim.as_ref().map(ClaimId::as_bytes))),
            column(asks.iter().map(|ask| ask.act.grant)),
            column(asks.iter().map(|ask| ask.act.at)),
            column(asks.iter().map(|ask| ask.act.value.as_deref())),
            column(asks.iter().map(|ask| ask.act.reversible)),
        ];
        let sql = if skip_locked { changing!("SKIP LOCKED") } else { changing!("") };
        let mut answers: Vec<_> = asks.iter().map(|_| Some(Changed::default())).collect();
        for row in session.write(sql, &parameters(&columns)).await? {
            let (verdict, done): (String, bool) = (get(&row, 1)?, get(&row, 4)?);
            let acts = ["spend", "mark", "refund", "revoke", "reinstate"];
            let is_undone = !done && acts.contains(&&*verdict);
            let (uses_left, grant, spent) = (get(&row, 2)?, get(&row, 3)?, get(&row, 5)?);
            let changed = Changed { verdict, uses_left, grant, spent };
            *numbered(&mut answers, &row)? = (!is_undone).then_some(changed);
        }
        Ok(answers)
    }
}
