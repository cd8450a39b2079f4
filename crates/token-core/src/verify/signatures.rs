//! Confirms the signatures of a macaroon and its discharges.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use crate::{Caveat, CaveatKey, Macaroon, Place, RootKey, Verifier, VerifyError, mac::ChainKey, seal};

impl Verifier<'_> {
    /// Confirms every signature, and returns the discharges in the order in which caveats ask for them.
    pub(super) fn confirm_with(
        &self,
        root: &Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Vec<usize>, VerifyError> {
        // Checked before any work on them. A forger learns only how many discharges it sent.
        if discharges.len() > self.limits.discharges {
            return Err(VerifyError::TooManyDischarges { max: self.limits.discharges });
        }
        // Does not allocate for a macaroon without third-party caveats.
        let mut asked = VecDeque::new();
        let link = walk(None, root, key, 0, &mut asked);
        if !link.confirms(root.signature()) {
            return Err(VerifyError::BadSignature);
        }
        if asked.is_empty() && discharges.is_empty() {
            return Ok(Vec::new());
        }
        let mut unused = BTreeMap::new();
        for (index, discharge) in discharges.iter().enumerate() {
            if unused.insert(discharge.identifier(), index).is_some() {
                return Err(VerifyError::DischargeAmbiguous { discharge: index });
            }
        }
        let mut order = Vec::new();
        while let Some(Asked { at, identifier, key, depth }) = asked.pop_front() {
            let Some(key) = key else { return Err(VerifyError::CaveatKeyUnreadable { at }) };
            let Some(index) = unused.remove(identifier) else {
                return Err(VerifyError::DischargeMissing { at });
            };
            if depth > self.limits.depth {
                return Err(VerifyError::TooDeep { max: self.limits.depth });
            }
            let Some(discharge) = discharges.get(index) else { continue };
            let link = walk(Some(index), discharge, key.as_root(), depth, &mut asked);
            if !link.bound_to(root.signature()).confirms(discharge.signature()) {
                return Err(VerifyError::BadDischarge { discharge: index });
            }
            order.push(index);
        }
        match unused.into_values().min() {
            Some(discharge) if !self.unused_discharges => Err(VerifyError::DischargeUnused { discharge }),
            _ => Ok(order),
        }
    }
}

/// A third-party caveat whose discharge is not confirmed yet.
struct Asked<'t> {
    at: Place,
    identifier: &'t [u8],
    /// `None` if the caveat's key did not open.
    key: Option<CaveatKey>,
    depth: usize,
}

/// Computes the chain of a macaroon, and appends its third-party caveats to the queue.
fn walk<'t>(
    discharge: Option<usize>,
    macaroon: &'t Macaroon,
    key: &RootKey,
    depth: usize,
    asked: &mut VecDeque<Asked<'t>>,
) -> ChainKey {
    let mut link = ChainKey::start(key.expose(), macaroon.identifier());
    for (index, caveat) in macaroon.caveats().enumerate() {
        match caveat {
            Caveat::FirstParty { predicate } => link.link(predicate),
            Caveat::ThirdParty { identifier, vid, .. } => {
                let key = seal::open(&link, vid);
                let at = Place { discharge, index };
                asked.push_back(Asked { at, identifier, key, depth: depth.saturating_add(1) });
                link.link_third_party(vid, identifier);
            }
        }
    }
    link
}
