//! An asynchronous server whose client hangs up: the future of a spend is dropped, and a retry finds out what became of it.

use std::{
    future::Future,
    num::NonZeroU64,
    pin::pin,
    sync::Arc,
    task::{Context as Poll, Waker},
};

use token_api::Purpose;
use token_test::world::World;
use tokio::runtime::Builder;

use crate::{PROVIDER, by, claim, support, with};

/// Polls a spend this often, drops it, waits for what it began, and spends again under the same claim. Returns whether the
/// second was a retry, and the uses left.
fn dropped_after(polls: usize) -> (bool, Option<u64>) {
    let world = World::new();
    let twice = with(support(), |request| request.use_limit = NonZeroU64::new(2));
    let token = world.authority.mint(&twice).unwrap().token;
    let authority = Arc::new(world.authority);
    let spend = {
        let authority = Arc::clone(&authority);
        move || {
            let context = by(PROVIDER, &authority.context());
            authority.spend(&token, Purpose::SpaceSupport, &claim("request 1"), &context)
        }
    };
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    {
        let _entered = runtime.enter();
        let spend = spend.clone();
        let mut future = pin!(async move { tokio::task::spawn_blocking(spend).await });
        let mut poll = || future.as_mut().poll(&mut Poll::from_waker(Waker::noop())).is_pending();
        let _ = (0..polls).all(|_| poll());
    }
    // The one thread ends an earlier call first.
    runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
    let again = spend().unwrap();
    (again.repeated, again.uses_left)
}

#[test]
fn a_future_that_is_dropped_before_its_first_poll_spends_nothing() {
    assert_eq!(dropped_after(0), (false, Some(1)));
}

#[test]
fn a_future_that_is_dropped_later_has_spent_one_use() {
    for polls in 1..4 {
        assert_eq!(dropped_after(polls), (true, Some(1)), "{polls}");
    }
}
