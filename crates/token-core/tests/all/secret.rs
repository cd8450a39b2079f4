//! Keys and signatures cannot be copied, compared, printed or serialized by accident: such code must not compile.

use token_core::{Damage, Inspection, Macaroon, RootKey, Signature, Token, Verified, VerifyError};

/// Whether a type has a trait: `.0` is from the inherent implementation if it has, else from the blanket one.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        struct Probe<T>(core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "one of the two answers is not used")]
        trait Absent {
            const HELD: bool = false;
        }
        impl<T> Absent for Probe<T> {}
        impl<T: $($bound)+> Probe<T> {
            #[allow(dead_code, reason = "one of the two answers is not used")]
            const HELD: bool = true;
        }
        <Probe<$type>>::HELD
    }};
}

#[test]
fn the_probe_tells_the_difference() {
    assert!(implements!(String: Clone) && implements!(String: PartialEq) && implements!(u8: Copy));
    assert!(!implements!(String: Copy) && !implements!(core::cell::Cell<u8>: Sync));
}

#[test]
fn a_root_key_is_not_copied_compared_shown_or_written() {
    assert!(!implements!(RootKey: Clone));
    assert!(!implements!(RootKey: Copy));
    assert!(!implements!(RootKey: PartialEq));
    assert!(!implements!(RootKey: PartialOrd));
    assert!(!implements!(RootKey: core::hash::Hash));
    assert!(!implements!(RootKey: core::fmt::Display));
    assert!(!implements!(RootKey: serde::Serialize));
    assert!(!implements!(RootKey: AsRef<[u8]>));
    assert!(!implements!(RootKey: core::ops::Deref));
    assert!(!implements!(RootKey: Default));
    assert!(implements!(RootKey: zeroize::ZeroizeOnDrop));
    assert_eq!(
        format!("{:?} {:#?}", RootKey::from_derived([0x41; 32]), RootKey::derive_any(b"s")),
        "RootKey(..) RootKey(..)"
    );
}

#[test]
fn a_signature_is_not_compared_shown_or_written() {
    assert!(!implements!(Signature: PartialEq));
    assert!(!implements!(Signature: PartialEq<[u8; 32]>));
    assert!(!implements!(Signature: PartialOrd));
    assert!(!implements!(Signature: core::hash::Hash));
    assert!(!implements!(Signature: Copy));
    assert!(!implements!(Signature: core::fmt::Display));
    assert!(!implements!(Signature: core::fmt::LowerHex));
    assert!(!implements!(Signature: serde::Serialize));
    assert!(!implements!(Signature: AsRef<[u8]>));
}

#[test]
fn a_token_is_not_compared_shown_or_written() {
    assert!(!implements!(Token: PartialEq) && !implements!(Macaroon: PartialEq));
    assert!(!implements!(Token: core::fmt::Display) && !implements!(Macaroon: core::fmt::Display));
    assert!(!implements!(Token: serde::Serialize) && !implements!(Macaroon: serde::Serialize));
    assert!(!implements!(Token: AsRef<[u8]>) && !implements!(Macaroon: AsRef<[u8]>));
    assert!(!implements!(Inspection: serde::Serialize) && !implements!(Damage: serde::Serialize));
}

/// Only verification makes a `Verified`; a preflight's answer does not convert to one.
#[test]
fn authority_is_not_made_up() {
    assert!(!implements!(Verified<'static>: Default));
    assert!(!implements!(Verified<'static>: From<&'static Macaroon>));
    assert!(!implements!(Verified<'static>: From<Option<VerifyError>>));
    assert!(!implements!(Option<VerifyError>: Into<bool>));
}

#[test]
fn everything_can_be_sent_to_another_thread() {
    assert!(implements!(RootKey: Send + Sync) && implements!(Token: Send + Sync));
    assert!(implements!(Verified<'static>: Send + Sync) && implements!(Inspection: Send + Sync));
}
