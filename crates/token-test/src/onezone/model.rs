//! The plain model of a Onezone: what each user has, and what each call has to answer.

use std::collections::BTreeMap;

use token_api::Decision;
use token_store::{Refund, TokenId};

/// How long spent tokens are kept, in seconds.
pub(super) const RETENTION: u64 = 3 * 24 * 60 * 60;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    Unknown,
    Revoked,
    Expired,
    Blocked,
    Exhausted,
    Forged,
}

/// A token with a record.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) id: TokenId,
    pub(super) name: Option<String>,
    pub(super) created: u64,
    pub(super) expires: Option<u64>,
    pub(super) limit: Option<u64>,
    pub(super) uses: u64,
    pub(super) last_use: Option<u64>,
    /// Whether a revocation may be undone.
    pub(super) revoked: Option<bool>,
    pub(super) claims: BTreeMap<(u64, u64), Claim>,
}

impl Named {
    /// A token as it is after it was minted or imported.
    pub(super) fn new(
        text: String,
        id: TokenId,
        name: String,
        created: u64,
        expires: Option<u64>,
        limit: Option<u64>,
    ) -> Self {
        let (uses, last_use, revoked, claims) = (0, None, None, BTreeMap::new());
        Self { text, id, name: Some(name), created, expires, limit, uses, last_use, revoked, claims }
    }
}

/// A use that a claim holds.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) left: u64,
    pub(super) at: u64,
    pub(super) told_again: bool,
    pub(super) number: usize,
}

/// A token without one.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) text: String,
    pub(super) expires: u64,
    pub(super) generation: u64,
    /// How often the user had been deleted.
    pub(super) life: u64,
}

/// What the model knows of a user.
#[derive(Debug, Default)]
pub(super) struct User {
    pub(super) named: Vec<Named>,
    pub(super) temporary: Vec<Temporary>,
    /// Texts of tokens that are gone.
    pub(super) gone: Vec<(String, TokenId)>,
    pub(super) generation: u64,
    pub(super) life: u64,
    pub(super) blocked: bool,
}

impl Named {
    pub(super) fn valid(&self, now: u64, blocked: bool) -> Result<(), No> {
        match () {
            () if self.revoked.is_some() => Err(No::Revoked),
            () if self.expires.is_some_and(|expires| expires <= now) => Err(No::Expired),
            () if blocked => Err(No::Blocked),
            () => Ok(()),
        }
    }

    /// Returns how many uses are left, and whether the claim was answered before.
    pub(super) fn spend(
        &mut self,
        now: u64,
        blocked: bool,
        key: (u64, u64),
        number: usize,
    ) -> Result<(Option<u64>, bool), No> {
        if let Some(claim) = self.claims.get_mut(&key) {
            claim.told_again = true;
            return Ok((Some(claim.left), true));
        }
        self.valid(now, blocked)?;
        let left = match self.limit {
            Some(limit) if self.uses >= limit => return Err(No::Exhausted),
            Some(limit) => Some(limit - self.uses - 1),
            None => None,
        };
        self.uses += 1;
        self.last_use = self.last_use.max(Some(now));
        if let Some(left) = left {
            self.claims.insert(key, Claim { left, at: now, told_again: false, number });
        }
        Ok((left, false))
    }

    pub(super) fn refund(&mut self, key: &(u64, u64), number: usize) -> Refund {
        match self.claims.get(key) {
            Some(claim) if claim.number == number && claim.told_again => Refund::Kept,
            Some(claim) if claim.number == number => {
                self.claims.remove(key);
                self.uses -= 1;
                Refund::Refunded
            }
            _ => Refund::NotClaimed,
        }
    }

    pub(super) fn is_purged(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub(super) fn is_purged_spent(&self, now: u64) -> bool {
        let spent = self.limit.is_some_and(|limit| self.uses >= limit);
        spent && self.last_use.unwrap_or(self.created) + RETENTION <= now
    }
}

impl User {
    pub(super) fn judge_temporary(&self, token: &Temporary, now: u64) -> Result<(), No> {
        match () {
            () if self.generation == 0 || self.generation < token.generation => Err(No::Unknown),
            () if self.generation > token.generation => Err(No::Revoked),
            () if self.life != token.life => Err(No::Forged),
            () if token.expires <= now => Err(No::Expired),
            () if self.blocked => Err(No::Blocked),
            () => Ok(()),
        }
    }

    /// Forgets the tokens that the test says, and returns how many.
    pub(super) fn forget(&mut self, gone: impl Fn(&Named) -> bool) -> usize {
        let (gone, named): (Vec<_>, Vec<_>) = std::mem::take(&mut self.named).into_iter().partition(gone);
        self.named = named;
        let count = gone.len();
        self.gone.extend(gone.into_iter().map(|token| (token.text, token.id)));
        count
    }

    pub(super) fn decision(&self) -> Decision {
        if self.blocked { Decision::SubjectBlocked } else { Decision::Allowed }
    }
}
