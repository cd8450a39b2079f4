//! Whether what threads saw of one token can be explained by an order of their calls.
//!
//! Each call took effect at one moment between its start and its end (G2 of the contract). This looks for such
//! moments by trying every order that the starts and ends allow, after Wing and Gong (1993), and remembers the
//! states that led nowhere, after Lowe (2017).

use std::collections::HashSet;

use token_store::{Insert, Redeem, Refund, Revoke};

/// How many claims there are to a token.
pub(crate) const CLAIMS: usize = 4;

/// One call on one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Insert { limit: u64, answer: Insert },
    Redeem { claim: usize, answer: Redeem },
    Claimed { claim: usize, answer: Option<u64> },
    Refund { claim: usize, answer: Refund },
    Revoke { answer: Revoke },
    Get { answer: Option<Seen> },
}

/// What a reader sees of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// 0 for none.
    pub(crate) limit: u64,
    pub(crate) uses: u64,
    pub(crate) revoked: bool,
}

/// A call, and when it began and ended on a clock that all threads share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) call: Call,
}

/// A claim that holds a use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    left: u64,
    answered_again: bool,
}

/// The plainest token there is.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Token(Option<(Seen, [Option<Held>; CLAIMS])>);

/// Whether some order of these events, at most 64, explains all answers.
pub(crate) fn explained(events: &[Event]) -> bool {
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
        // Whatever ended before another began came before it.
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
    // Does the call, and tells whether its answer was the right one.
    fn answers(&mut self, call: Call) -> bool {
        let Some((seen, claims)) = &mut self.0 else {
            if let Call::Insert { limit, answer: Insert::Inserted } = call {
                self.0 = Some((Seen { limit, uses: 0, revoked: false }, [None; CLAIMS]));
                return true;
            }
            return matches!(
                call,
                Call::Redeem { answer: Redeem::Absent, .. }
                    | Call::Claimed { answer: None, .. }
                    | Call::Refund { answer: Refund::Absent, .. }
                    | Call::Revoke { answer: Revoke::Absent }
                    | Call::Get { answer: None }
            );
        };
        match call {
            Call::Insert { answer, .. } => answer == Insert::Exists,
            Call::Get { answer } => answer == Some(*seen),
            Call::Revoke { answer } => {
                seen.revoked = true;
                answer == Revoke::Revoked
            }
            Call::Claimed { claim, answer } => {
                claims.get_mut(claim).is_some_and(|held| again(held) == answer)
            }
            Call::Redeem { claim, answer } => {
                claims.get_mut(claim).is_some_and(|held| redeem(seen, held) == answer)
            }
            Call::Refund { claim, answer } => {
                let Some(held) = claims.get_mut(claim) else { return false };
                match held {
                    None => answer == Refund::NotClaimed,
                    Some(Held { answered_again: true, .. }) => answer == Refund::Kept,
                    Some(_) => {
                        *held = None;
                        seen.uses = seen.uses.saturating_sub(1);
                        answer == Refund::Refunded
                    }
                }
            }
        }
    }
}

/// Answers a claim again, if it holds a use, and remembers that.
fn again(held: &mut Option<Held>) -> Option<u64> {
    let held = held.as_mut()?;
    held.answered_again = true;
    Some(held.left)
}

fn redeem(seen: &mut Seen, held: &mut Option<Held>) -> Redeem {
    if let Some(left) = again(held) {
        return Redeem::Redeemed { uses_left: Some(left), repeated: true };
    }
    if seen.revoked {
        return Redeem::Revoked;
    }
    let uses = seen.uses.saturating_add(1);
    if seen.limit > 0 {
        let Some(left) = seen.limit.checked_sub(uses) else { return Redeem::Exhausted };
        *held = Some(Held { left, answered_again: false });
    }
    seen.uses = uses;
    Redeem::Redeemed { uses_left: held.map(|held| held.left), repeated: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERTED: Call = Call::Insert { limit: 1, answer: Insert::Inserted };

    fn won(claim: usize) -> Call {
        Call::Redeem { claim, answer: Redeem::Redeemed { uses_left: Some(0), repeated: false } }
    }

    fn got(uses: u64) -> Call {
        Call::Get { answer: Some(Seen { limit: 1, uses, revoked: false }) }
    }

    fn events(calls: &[(u64, u64, Call)]) -> Vec<Event> {
        calls.iter().map(|&(begun, ended, call)| Event { begun, ended, call }).collect()
    }

    #[test]
    fn calls_that_overlap_may_come_in_any_order() {
        let exhausted = Call::Redeem { claim: 1, answer: Redeem::Exhausted };
        assert!(explained(&events(&[(0, 1, INSERTED), (2, 5, exhausted), (3, 4, won(0))])));
        assert!(explained(&events(&[(0, 9, INSERTED), (1, 2, Call::Get { answer: None }), (3, 4, got(0))])));
        assert!(explained(&[]));
    }

    #[test]
    fn nobody_wins_what_is_gone() {
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 5, won(0)), (3, 4, won(1))])));
        let exhausted = Call::Redeem { claim: 1, answer: Redeem::Exhausted };
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
    fn refunds_and_repeats() {
        let again =
            Call::Redeem { claim: 0, answer: Redeem::Redeemed { uses_left: Some(0), repeated: true } };
        let refunded = Call::Refund { claim: 0, answer: Refund::Refunded };
        let kept = Call::Refund { claim: 0, answer: Refund::Kept };
        let told_twice = [(0, 1, INSERTED), (2, 3, won(0)), (4, 5, again)];
        assert!(explained(&events(&[told_twice.as_slice(), &[(6, 7, kept)]].concat())));
        assert!(!explained(&events(&[told_twice.as_slice(), &[(6, 7, refunded)]].concat())));
        let start = [(0, 1, INSERTED), (2, 3, won(0)), (6, 7, refunded)];
        assert!(!explained(&events(&[(0, 1, INSERTED), (2, 3, won(0)), (4, 5, kept)])));
        assert!(explained(&events(&[start.as_slice(), &[(8, 9, won(1))]].concat())));
        assert!(!explained(&events(&[start.as_slice(), &[(8, 9, again)]].concat())));
        assert!(!explained(&events(&[start.as_slice(), &[(8, 9, refunded)]].concat())));
    }
}
