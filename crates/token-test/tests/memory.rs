//! Input that is crafted to cost memory: the cost is bounded by the input's length.
//!
//! The only test of its binary, since it counts the allocations of the whole process.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is not refused fails the test"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use token_core::{
    Context, DecodeOptions, Encoding, Format, IdentifierV2, Limits, Macaroon, Persistence, RootKey, Subject,
    Token, TokenType, UnixTime, Verifier, inspect,
};
use token_store::{CacheConfig, CachedStore, MemoryStore};
use token_test::{hostile, text, world::World};

/// Counts the allocated bytes and their peak.
struct Counting {
    now: AtomicUsize,
    peak: AtomicUsize,
}

#[global_allocator]
static ALLOCATOR: Counting = Counting { now: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

impl Counting {
    fn add(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(now, Relaxed);
    }

    /// Returns the peak of allocated bytes during the call, beyond those before it.
    fn peak_of<T>(&self, then: impl FnOnce() -> T) -> usize {
        let before = self.now.load(Relaxed);
        self.peak.store(before, Relaxed);
        drop(then());
        self.peak.load(Relaxed) - before
    }
}

// SAFETY: each call and its result pass through the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size());
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.now.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from the same allocator, by `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const MIB: usize = 1 << 20;

#[test]
fn memory_is_bounded_by_the_input() {
    decoded();
    forged();
}

/// Forged tokens of different subjects, as long as texts may be: none leaves anything in the cache.
fn forged() {
    const TOKENS: u32 = 60;
    // 0.9 MB of text.
    const LEN: usize = 650_000;
    let far = CachedStore::new(MemoryStore::new(), CacheConfig::default());
    let world = World::over(far);
    let (key, context) = (RootKey::from_derived([7; 32]), world.authority.context());
    let verify = |number: u32| {
        let subject = number.to_string().repeat(LEN).get(..LEN).unwrap().to_owned();
        let persistence = Persistence::Temporary { generation: 1 };
        let (subject, token_type) = (Subject::User(subject.as_str()), TokenType::Identity);
        let identifier = IdentifierV2 { persistence, subject, token_type, id: "id" };
        let token = Token::mint(&key, "here", &identifier).unwrap();
        let text = token.written_as(Format::V2, Encoding::Base64Url).encode().unwrap();
        world.authority.verify(&text, None, &context).unwrap_err();
    };
    verify(0);
    let before = ALLOCATOR.now.load(Relaxed);
    (1..=TOKENS).for_each(verify);
    let kept = ALLOCATOR.now.load(Relaxed).saturating_sub(before);
    assert!(kept < MIB, "{kept} bytes are kept of {TOKENS} forged tokens");
}

fn decoded() {
    let options = DecodeOptions::default();
    let mut raised = options;
    raised.limits.text = usize::MAX;
    raised.limits.field = usize::MAX;
    for (name, text) in hostile::texts() {
        // Longer than the limit: refused with almost no allocation.
        let peak = ALLOCATOR.peak_of(|| inspect(&text, &options).unwrap_err());
        assert!(peak < 4096, "{name}: {peak} bytes to refuse {} characters", text.len());
        let bound = 4 * text.len() + MIB;
        for peak in [
            ALLOCATOR.peak_of(|| Token::decode(&text, &raised).unwrap_err()),
            ALLOCATOR.peak_of(|| inspect(&text, &raised).unwrap_err()),
        ] {
            assert!(peak < bound, "{name}: {peak} bytes for {} characters", text.len());
        }
    }
    for (name, bytes) in hostile::packets() {
        for text in [text::base62(&bytes), text::base64url(&bytes)] {
            let peak = ALLOCATOR.peak_of(|| Token::decode(&text, &raised).unwrap_err());
            assert!(peak < 4 * text.len() + MIB, "{name}: {peak} bytes for {} characters", text.len());
        }
    }
    // A higher limit on caveats costs some words for each caveat, which hold the positions of its fields.
    raised.limits.caveats = usize::MAX;
    for (name, bytes) in
        hostile::packets().into_iter().chain([("a macaroon", hostile::long_macaroon(hostile::PACKETS))])
    {
        let len = bytes.len();
        let peak = ALLOCATOR.peak_of(|| Macaroon::from_bytes(bytes, &raised).map(drop));
        assert!(peak < 16 * len + MIB, "{name}: {peak} bytes for {len} bytes");
    }
    for (name, text) in hostile::nested_json(hostile::PACKETS) {
        let mut liberal = DecodeOptions::compat();
        liberal.limits = raised.limits;
        for options in [raised, liberal] {
            let peak = ALLOCATOR.peak_of(|| Macaroon::from_text(&text, &options).map(drop));
            // A caveat of three characters costs its entry in the list.
            assert!(peak < 24 * text.len() + MIB, "{name}: {peak} bytes for {} characters", text.len());
        }
        // Within the default limits.
        let peak = ALLOCATOR.peak_of(|| Macaroon::from_text(&text, &options).map(drop));
        assert!(peak < 4 * text.len() + MIB, "{name}: {peak} bytes for {} characters", text.len());
    }
    for (name, bytes) in [
        ("v2", hostile::long_v2(hostile::PACKETS)),
        ("v2J", hostile::long_v2j(hostile::PACKETS).into_bytes()),
    ]
    .into_iter()
    .chain(hostile::lying_varints())
    {
        let len = bytes.len();
        let peak = ALLOCATOR.peak_of(|| Macaroon::from_bytes(bytes.as_slice(), &options).map(drop));
        assert!(peak < 4 * len + MIB, "{name}: {peak} bytes for {len} bytes");
    }
    let context = Context::at(UnixTime::from_secs(0));
    for (name, request) in [
        ("a mesh", hostile::mesh(8)),
        ("a doubling chain", hostile::doubling_chain(20)),
        ("a chain", hostile::chain(20_000)),
        ("a fan", hostile::fan(20_000)),
    ] {
        let hostile::Request { root, discharges } = &request;
        let len: usize =
            [root].into_iter().chain(discharges).map(|it| it.to_bytes(Format::V2).unwrap().len()).sum();
        let mut raised = Limits::ONEDATA;
        (raised.discharges, raised.depth) = (usize::MAX, usize::MAX);
        for verifier in [Verifier::new(&context), Verifier::new(&context).within(raised)] {
            let peak =
                ALLOCATOR.peak_of(|| verifier.verify_with(root, discharges, &hostile::root_key()).map(drop));
            assert!(peak < 4 * len + MIB, "{name}: {peak} bytes for {len} bytes");
        }
    }
}
