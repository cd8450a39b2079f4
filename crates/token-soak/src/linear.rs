//! Checks that some order of the calls on one token explains all answers.
//!
//! Each call took effect at one moment between its start and its end (G2 of the contract). The search tries every
//! order that the starts and ends allow (Wing and Gong, 1993) and remembers the states that led nowhere (Lowe, 2017).

use std::collections::HashSet;

use token_store::{Delete, GrantId, Insert, Refund, Reinstate, Revoke, Spend};

/// The number of claims on a token.
pub(crate) const CLAIMS: usize = 4;

/// One call on one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Insert { limit: u64, answer: Insert },
    Spend { claim: usize, answer: Spend },
    Claimed { claim: usize, answer: Option<Held> },
    Refund { claim: usize, grant: GrantId, answer: Refund },
    Revoke { for_good: bool, answer: Revoke },
    Reinstate { answer: Reinstate },
    Delete { answer: Delete },
    Get { answer: Option<Seen> },
}

/// The use that a claim holds. Every use is spent at one time, by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) uses_left: u64,
    pub(crate) grant: GrantId,
}

/// A record as `get` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// 0 for none.
    pub(crate) limit: u64,
    pub(crate) uses: u64,
    /// Whether it is revoked, and if so, whether for good.
    pub(crate) revoked: Option<bool>,
}

/// A call with its start and end on a clock that all threads share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) call: Call,
}

/// A claim that holds a use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Claim {
    held: Held,
    answered_again: bool,
}

/// The model of a token.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Token(Option<(Seen, [Option<Claim>; CLAIMS])>);

/// Whether some order of these events, at most 64, explains all answers.
pub(crate) fn explained(events: &[Event]) -> bool {
    let mut grants = HashSet::new();
    let is_new = |event: &Event| match event.call {
        Call::Spend { answer: Spend::Spent { grant: Some(grant), repeated: false, .. }, .. } => {
            grants.insert(grant)
        }
        _ => true,
    };
    if !events.iter().all(is_new) {
        return false;
    }
    let all = u32::try_from(events.len()).ok().and_then(|len| 1_u64.checked_shl(len)).unwrap_or(0);
    let all = all.wrapping_sub(1);
    let mut dead = HashSet::new();
    // Which events have taken effect, by bit, and the state after them.
    let mut open = vec![(0_u64, Token::default())];
    while let Some((done, token)) = open.pop() {
        if done == all {
            return true;
        }
        if !dead.insert((done, token.clone())) {
            continue;
        }
        let left = || (0..).zip(events).filter(|(bit, _)| done & (1 << bit) == 0);
        // A call that ended before another began comes first.
        let first_end = left().map(|(_, event)| event.ended).min().unwrap_or(u64::MAX);
        for (bit, event) in left().filter(|(_, event)| event.begun < first_end) {
            let mut next = token.clone();
            if next.answers(event.call) {
                open.push((done | (1 << bit), next));
            }
        }
    }
    false
}

impl Token {
    // Applies the call. Returns whether its answer was right.
    fn answers(&mut self, call: Call) -> bool {
        let Some((seen, claims)) = &mut self.0 else {
            if let Call::Insert { limit, answer: Insert::Inserted } = call {
                self.0 = Some((Seen { limit, uses: 0, revoked: None }, [None; CLAIMS]));
                return true;
            }
            return matches!(
                call,
                Call::Spend { answer: Spend::Absent, .. }
                    | Call::Claimed { answer: None, .. }
                    | Call::Refund { answer: Refund::Absent, .. }
                    | Call::Revoke { answer: Revoke::Absent, .. }
                    | Call::Reinstate { answer: Reinstate::Absent }
                    | Call::Delete { answer: Delete::Absent }
                    | Call::Get { answer: None }
            );
        };
        match call {
            Call::Insert { answer, .. } => answer == Insert::Exists,
            Call::Get { answer } => answer == Some(*seen),
            Call::Revoke { for_good, answer } => {
                seen.revoked = Some(seen.revoked == Some(true) || for_good);
                answer == Revoke::Revoked
            }
            Call::Reinstate { answer } if seen.revoked == Some(true) => answer == Reinstate::ForGood,
            Call::Reinstate { answer } => {
                seen.revoked = None;
                answer == Reinstate::Reinstated
            }
            Call::Delete { answer } => {
                self.0 = None;
                answer == Delete::Deleted
            }
            Call::Claimed { claim, answer } => {
                claims.get_mut(claim).is_some_and(|claim| again(claim) == answer)
            }
            Call::Spend { claim, answer } => {
                claims.get_mut(claim).is_some_and(|claim| spend(seen, claim, answer.grant()) == answer)
            }
            Call::Refund { claim, grant, answer } => {
                let Some(claim) = claims.get_mut(claim) else { return false };
                match claim {
                    None => answer == Refund::NotClaimed,
                    Some(Claim { held, .. }) if held.grant != grant => answer == Refund::NotClaimed,
                    Some(Claim { answered_again: true, .. }) => answer == Refund::Kept,
                    Some(_) => {
                        *claim = None;
                        seen.uses = seen.uses.saturating_sub(1);
                        answer == Refund::Refunded
                    }
                }
            }
        }
    }
}

/// Answers a claim again if it holds a use, and records that it did.
fn again(claim: &mut Option<Claim>) -> Option<Held> {
    let claim = claim.as_mut()?;
    claim.answered_again = true;
    Some(claim.held)
}

/// The grant of the next use.
fn spend(seen: &mut Seen, claim: &mut Option<Claim>, grant: Option<GrantId>) -> Spend {
    if let Some(Held { uses_left, grant }) = again(claim) {
        return Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true };
    }
    if seen.revoked.is_some() {
        return Spend::Revoked;
    }
    let uses = seen.uses.saturating_add(1);
    let mut held = None;
    if seen.limit > 0 {
        let Some(uses_left) = seen.limit.checked_sub(uses) else { return Spend::Exhausted };
        held = grant.map(|grant| Held { uses_left, grant });
        *claim = held.map(|held| Claim { held, answered_again: false });
    }
    seen.uses = uses;
    Spend::Spent {
        uses_left: held.map(|held| held.uses_left),
        grant: held.map(|held| held.grant),
        repeated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERTED: Call = Call::Insert { limit: 1, answer: Insert::Inserted };

    fn told(claim: usize, number: u8, repeated: bool) -> Call {
        let answer = Spend::Spent { uses_left: Some(0), grant: Some(grant(number)), repeated };
        Call::Spend { claim, answer }
    }

    fn won(claim: usize) -> Call {
        told(claim, 1, false)
    }

    fn grant(number: u8) -> GrantId {
        GrantId::from_bytes([number; 8])
    }

    fn got(uses: u64) -> Call {
        Call::Get { answer: Some(Seen { limit: 1, uses, revoked: None }) }
    }

    fn events(calls: &[(u64, u64, Call)]) -> Vec<Event> {
        calls.iter().map(|&(begun, ended, call)| Event { begun, ended, call }).collect()
    }

    #[test]
    fn calls_that_overlap_may_come_in_any_order() {
        let exhausted = Call::Spend { claim: 1, answer: Spend::Exhausted };
        assert!(explained(&events(&[(0, 1, INSERTED), (2, 5, exhausted), (3, 4, won(0))])));
        assert!(explained(&events(&[(0, 9, INSERTED), (1, 2, Call::Get { answer: None }), (3, 4, got(0))])));
        assert!(explained(&[]));
    }

    #[test]
    fn nobody_wins_what_is_gone() {
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 5, won(0)), (3, 4, won(1))])));
        let exhausted = Call::Spend { claim: 1, answer: Spend::Exhausted };
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 3, exhausted), (4, 5, won(0))])));
    }

    #[test]
    fn what_one_has_seen_stays_seen() {
        let spent = [(0, 1, INSERTED), (2, 9, won(0)), (3, 4, got(1))];
        assert!(explained(&events(&[spent.as_slice(), &[(5, 6, got(1))]].concat())));
        assert!(!explained(&events(&[spent.as_slice(), &[(5, 6, got(0))]].concat())));
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 3, Call::Get { answer: None })])));
    }

    #[test]
    fn revocations_and_deletions() {
        let revoke = |for_good| Call::Revoke { for_good, answer: Revoke::Revoked };
        let reinstate = |answer| Call::Reinstate { answer };
        for (first, second, answer, right) in [
            (false, false, Reinstate::Reinstated, true),
            (false, true, Reinstate::Reinstated, false),
            (false, true, Reinstate::ForGood, true),
            (true, false, Reinstate::ForGood, true),
            (true, false, Reinstate::Reinstated, false),
        ] {
            let calls =
                [(0, 1, INSERTED), (2, 3, revoke(first)), (4, 5, revoke(second)), (6, 7, reinstate(answer))];
            assert_eq!(explained(&events(&calls)), right, "{first} {second} {answer:?}");
        }
        let deleted = Call::Delete { answer: Delete::Deleted };
        let gone = [(0, 1, INSERTED), (2, 3, won(0)), (4, 5, deleted)];
        assert!(!explained(&events(&[gone.as_slice(), &[(6, 7, told(0, 1, true))]].concat())));
        assert!(!explained(&events(&[gone.as_slice(), &[(6, 7, deleted)]].concat())));
        let anew = [gone.as_slice(), &[(6, 7, INSERTED), (8, 9, told(0, 2, false))]].concat();
        assert!(explained(&events(&anew)));
    }

    #[test]
    fn refunds_and_repeats() {
        let again = told(0, 1, true);
        let refund = |number, answer| Call::Refund { claim: 0, grant: grant(number), answer };
        let (refunded, kept) = (refund(1, Refund::Refunded), refund(1, Refund::Kept));
        let told_twice = [(0, 1, INSERTED), (2, 3, won(0)), (4, 5, again)];
        assert!(explained(&events(&[told_twice.as_slice(), &[(6, 7, kept)]].concat())));
        assert!(!explained(&events(&[told_twice.as_slice(), &[(6, 7, refunded)]].concat())));
        let start = [(0, 1, INSERTED), (2, 3, won(0)), (6, 7, refunded)];
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 3, won(0)), (4, 5, kept)])));
        assert!(explained(&events(&[start.as_slice(), &[(8, 9, told(1, 2, false))]].concat())));
        assert!(!explained(&events(&[start.as_slice(), &[(8, 9, won(1))]].concat())), "a grant used twice");
        assert!(!explained(&events(&[start.as_slice(), &[(8, 9, again)]].concat())));
        assert!(!explained(&events(&[start.as_slice(), &[(8, 9, refunded)]].concat())));
        let anew = [start.as_slice(), &[(8, 9, told(0, 2, false))]].concat();
        for (number, answer, right) in [
            (1, Refund::NotClaimed, true),
            (1, Refund::Refunded, false),
            (2, Refund::Refunded, true),
            (2, Refund::NotClaimed, false),
        ] {
            let asked = [anew.as_slice(), &[(10, 11, refund(number, answer))]].concat();
            assert_eq!(explained(&events(&asked)), right, "{number} {answer:?}");
        }
    }
}
