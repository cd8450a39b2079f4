//! Verifying many tokens at once.

use std::borrow::Cow;

use token_core::{Context, Kernel, Purpose, RootKey, Token, Verifier};
use token_store::TokenStore;

use crate::{
    AcceptError, Accepted, Authority, Host, Prepared, Refusal,
    verify::{Judged, LookedUp, TokenInput, log},
};

type Answer = Result<Accepted, AcceptError>;

/// The number of tokens whose chains are computed together. They fill the lanes of a processor well, also if their
/// lengths differ.
const AT_ONCE: usize = 64;

/// The size of decoded tokens in bytes at which a batch ends. The next may be longer, as long as a token may be.
const BYTES: usize = 256 << 10;

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Verifies many tokens as [`verify`](Self::verify) does, and returns the answers in their order. Computes the chains
    /// of some tens of tokens at once ([`Verifier::confirm_many`]). With the feature `rayon`, its threads share the
    /// work; the answers are the same.
    pub fn verify_many(
        &self,
        tokens: &[impl TokenInput + Sync],
        expect: Option<Purpose>,
        context: &Context,
    ) -> Vec<Answer> {
        self.verify_many_by(Kernel::detect(), tokens, expect, context)
    }

    /// As [`verify_many`](Self::verify_many), by this kernel; `None`: one chain after the other. For tests and
    /// measurements.
    #[doc(hidden)]
    pub fn verify_many_by(
        &self,
        kernel: Option<Kernel>,
        tokens: &[impl TokenInput + Sync],
        expect: Option<Purpose>,
        context: &Context,
    ) -> Vec<Answer> {
        // A list of its own for each thread would be moved into this one. A token is refused until it is accepted.
        let mut answers = Vec::with_capacity(tokens.len());
        answers.resize_with(tokens.len(), || Err(Refusal::Unknown.into()));
        let verify = |(tokens, answers)| self.verify_in_batches(kernel, tokens, answers, expect, context);
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            /// A token takes about a microsecond to verify, and about one to hand to another thread.
            const LEAST: usize = 16;
            let each = tokens.len().div_ceil(rayon::current_num_threads()).clamp(LEAST, AT_ONCE);
            tokens.par_chunks(each).zip(answers.par_chunks_mut(each)).for_each(verify);
        }
        #[cfg(not(feature = "rayon"))]
        verify((tokens, &mut answers));
        answers
    }

    fn verify_in_batches(
        &self,
        kernel: Option<Kernel>,
        tokens: &[impl TokenInput],
        answers: &mut [Answer],
        expect: Option<Purpose>,
        context: &Context,
    ) {
        let size = tokens.len().min(AT_ONCE);
        let mut tokens = tokens.iter().zip(answers);
        loop {
            // Neither list grows, and no key is moved out of its list: either would leave keys behind unwiped.
            let (mut found, mut keys) = (Vec::with_capacity(size), Vec::with_capacity(size));
            let mut bytes = 0_usize;
            while found.len() < size
                && bytes < BYTES
                && let Some((token, answer)) = tokens.next()
            {
                match self.decode_and_look_up(token) {
                    Ok((token, key, issued)) => {
                        bytes = bytes.saturating_add(token.macaroon().size());
                        keys.push(key);
                        found.push(Found { token, issued, answer });
                    }
                    Err(error) => *answer = Err(error),
                }
            }
            if found.is_empty() {
                return;
            }
            self.verify_found(kernel, found, &keys, expect, context);
        }
    }

    /// Decodes a token and looks it up.
    fn decode_and_look_up<'t>(
        &self,
        token: &'t impl TokenInput,
    ) -> Result<(Cow<'t, Token>, RootKey, LookedUp), AcceptError> {
        let token = self.decode(token)?;
        let looked_up = self.look_up(&token).map_err(AcceptError::from);
        let (key, issued) = looked_up.inspect_err(|error| log(&token, error))?;
        Ok((token, key, issued))
    }

    /// Confirms the signatures of all tokens at once, and judges one after the other.
    fn verify_found(
        &self,
        kernel: Option<Kernel>,
        found: Vec<Found<'_, '_>>,
        keys: &[RootKey],
        expect: Option<Purpose>,
        context: &Context,
    ) {
        let now = self.later(context);
        let pairs: Vec<_> = found.iter().map(|found| found.token.macaroon()).zip(keys).collect();
        let confirmed = Verifier::new(context).confirm_many_by(kernel, &pairs);
        let judge = |(Found { token, issued, .. }, confirmed): (&Found<'_, '_>, _)| {
            let issued = issued.as_ref().map_err(|refusal| refusal.clone().into());
            let judged = issued
                .and_then(|(_, issued)| self.judge_issued(token, issued, confirmed, expect, context, now));
            judged.inspect_err(|error| log(token, error))
        };
        let judged: Vec<_> = found.iter().zip(confirmed).map(judge).collect();
        for (Found { token, issued, answer }, judged) in found.into_iter().zip(judged) {
            *answer = judged.and_then(|Judged { expires_at, refusal }| {
                let (id, issued) = issued?;
                let accepted = issued.accepted(id, token.into_owned(), expires_at);
                self.accept(Prepared::new(accepted, refusal, expect, context))
            });
        }
    }
}

/// A token that was looked up, and where its answer goes.
struct Found<'t, 'a> {
    token: Cow<'t, Token>,
    issued: LookedUp,
    answer: &'a mut Answer,
}
