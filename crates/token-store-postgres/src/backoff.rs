//! Waiting before a retry.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::sleep;

/// The longest delay before the first retry.
const FIRST: Duration = Duration::from_millis(2);

/// Waits for a random part of a delay that doubles with each attempt up to `longest`, so that callers that collided do
/// not collide again. Does not wait at attempt 0.
pub(crate) async fn pause(attempt: u32, longest: Duration) {
    if attempt == 0 {
        return;
    }
    let longest = FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(longest);
    let mut random = [0; 4];
    // Without random bytes it waits for the whole delay.
    let part = match SystemRandom::new().fill(&mut random) {
        Ok(()) => f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    };
    sleep(longest.mul_f64(part)).await;
}
