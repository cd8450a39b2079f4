//! The works B1 to B3: many macaroons verified at once, by each kernel that the processor has.

use std::hint::black_box;

use token_core::{Context, Macaroon, RootKey, UnixTime, Verifier};
use token_lanes::Kernel;
use token_test::world::START;

use crate::works::{CAVEAT, ID, hmac_blocks};

/// The number of macaroons in a batch.
pub const MACAROONS: usize = 64;

/// A batch to measure.
#[allow(missing_debug_implementations, reason = "closures")]
pub struct Batch {
    /// `B1` to `B3`.
    pub name: &'static str,
    /// A description.
    pub what: &'static str,
    /// The kernel that computes the chains; `None`: one after the other.
    pub kernel: Option<Kernel>,
    /// Verifies the batch once. Panics if a macaroon is refused.
    pub ours: Box<dyn Fn()>,
    /// The number of SHA-256 blocks in all chains together.
    pub blocks: usize,
}

/// The caveats of the macaroon with this number.
type Caveats = fn(usize) -> Vec<&'static str>;

const TIME: &str = "time < 1800604800";
const WORKS: [(&str, &str, Caveats); 3] = [
    ("B1", "verify many, 1 caveat", |_| vec![CAVEAT]),
    ("B2", "verify many, 8 caveats", |_| vec![TIME; 8]),
    ("B3", "verify many, 0 to 8 caveats", |number| vec![TIME; number % 9]),
];

/// Returns all batches, each one after the other and by every kernel.
#[must_use]
pub fn all() -> Vec<Batch> {
    let kernels: Vec<_> = [None].into_iter().chain(Kernel::all().map(Some)).collect();
    let by_kernel = |(name, what, caveats)| {
        kernels.iter().map(move |kernel| batch(name, what, *kernel, caveats)).collect::<Vec<_>>()
    };
    WORKS.into_iter().flat_map(by_kernel).collect()
}

/// Gives each macaroon its own key and identifier.
fn batch(name: &'static str, what: &'static str, kernel: Option<Kernel>, caveats: Caveats) -> Batch {
    let mut blocks = 0;
    let mut pairs = Vec::new();
    for number in 0..MACAROONS {
        let key = RootKey::derive_any(format!("secret {number}").as_bytes());
        let identifier = format!("{number:02}{}", ID.split_at(2).1);
        let mut macaroon = Macaroon::mint(&key, "onezone", identifier.as_bytes()).unwrap();
        blocks += hmac_blocks(identifier.len());
        for caveat in caveats(number) {
            macaroon.attenuate(caveat).unwrap();
            blocks += hmac_blocks(caveat.len());
        }
        pairs.push((macaroon, key));
    }
    let ours = move || {
        let context = Context::at(UnixTime::from_secs(START));
        let pairs: Vec<_> = pairs.iter().map(|(macaroon, key)| (macaroon, key)).collect();
        let verifier = Verifier::new(&context);
        let confirmed = verifier.confirm_many_by(kernel, black_box(&pairs)).into_iter();
        let answers: Vec<_> = confirmed.map(|it| verifier.judge(it?)).collect();
        assert!(answers.iter().all(Result::is_ok));
    };
    Batch { name, what, kernel, ours: Box::new(ours), blocks }
}
