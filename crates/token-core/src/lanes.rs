//! Computes the chains of many macaroons at once, link by link: the first link of all, then the second of all that
//! have one.

use alloc::vec::Vec;

use token_lanes::{Kernel, Key, Link};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::{
    Macaroon, RootKey,
    mac::{self, ChainKey},
};

/// Returns the chain of each macaroon under its key, in their order; `None` for a macaroon with third-party caveats,
/// whose links are computed differently.
pub(crate) fn chains<'t>(kernel: Kernel, macaroons: &[(&'t Macaroon, &RootKey)]) -> Vec<Option<Chain<'t>>> {
    // Never grows: a list that moves leaves its keys behind unwiped.
    let mut chains = Vec::with_capacity(macaroons.len());
    chains.extend(macaroons.iter().map(|(macaroon, key)| Chain::new(macaroon, key)));
    let mut growing = Vec::with_capacity(chains.len());
    growing.extend(chains.iter_mut().flatten());
    for number in 0_usize.. {
        let mut links = Vec::with_capacity(growing.len());
        links.extend(growing.iter_mut().filter_map(|chain| chain.link(number)));
        if links.is_empty() {
            break;
        }
        kernel.hmac(&mut links, link_alone);
        // Otherwise each link of one long chain would visit all chains that have ended.
        if links.len() <= growing.len() / 2 {
            growing.retain(|chain| chain.message(number).is_some());
        }
    }
    chains
}

/// The chain of a macaroon that has only first-party caveats. Its key is wiped on drop.
pub(crate) struct Chain<'t> {
    key: Key,
    macaroon: &'t Macaroon,
}

impl<'t> Chain<'t> {
    /// Starts a chain without a link.
    fn new(macaroon: &'t Macaroon, key: &RootKey) -> Option<Self> {
        let first_party = macaroon.parts.caveats.iter().all(|caveat| caveat.third_party.is_none());
        first_party.then(|| Self { key: numbers(key.expose()), macaroon })
    }

    /// Whether the macaroon's signature is that of this chain.
    pub(crate) fn is_confirmed(&self) -> bool {
        mac::equal(&self.key, &numbers(self.macaroon.signature().expose()))
    }

    /// Returns the message of the link with this number: of the identifier, then of each caveat.
    fn message(&self, number: usize) -> Option<&'t [u8]> {
        let parts = &self.macaroon.parts;
        match number.checked_sub(1) {
            None => Some(self.macaroon.identifier()),
            Some(index) => parts.caveats.get(index).map(|caveat| parts.bytes(caveat.identifier)),
        }
    }

    fn link(&mut self, number: usize) -> Option<Link<'_>> {
        let message = self.message(number)?;
        Some(Link { key: &mut self.key, message })
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl ZeroizeOnDrop for Chain<'_> {}

/// Computes one link by the code of [`ChainKey`].
fn link_alone(link: &mut Link<'_>) {
    let mut key = Zeroizing::new([0; 32]);
    for (bytes, number) in key.as_chunks_mut().0.iter_mut().zip(&*link.key) {
        *bytes = number.to_le_bytes();
    }
    *link.key = numbers(&ChainKey::start(&key, link.message).expose());
}

fn numbers(bytes: &[u8; 32]) -> Key {
    let mut numbers = [0; 4];
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = u64::from_le_bytes(*bytes);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_alone_is_that_of_a_chain() {
        let mut key = numbers(&[7; 32]);
        link_alone(&mut Link { key: &mut key, message: b"id" });
        let mut chain = ChainKey::start(&[7; 32], b"id");
        assert_eq!(key, numbers(&chain.expose()));
        link_alone(&mut Link { key: &mut key, message: b"time < 1" });
        assert_ne!(key, numbers(&chain.expose()));
        chain.link(b"time < 1");
        assert_eq!(key, numbers(&chain.expose()));
    }
}
