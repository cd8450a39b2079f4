//! Verifying many tokens at once.

use std::borrow::Cow;

use token_core::{Context, Kernel, Purpose, Token, Verifier, VerifyError};
use token_store::TokenStore;

use crate::{
    AcceptError, Accepted, Authority, Host, Prepared, Refusal,
    verify::{TokenInput, log},
};

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
    ) -> Vec<Result<Accepted, AcceptError>> {
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
    ) -> Vec<Result<Accepted, AcceptError>> {
        let verify = |tokens| self.verify_in_batches(kernel, tokens, expect, context);
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            /// A token takes about a microsecond to verify, and about one to hand to another thread.
            const LEAST: usize = 16;
            let each = tokens.len().div_ceil(rayon::current_num_threads()).clamp(LEAST, AT_ONCE);
            tokens.par_chunks(each).flat_map_iter(verify).collect()
        }
        #[cfg(not(feature = "rayon"))]
        verify(tokens)
    }

    fn verify_in_batches(
        &self,
        kernel: Option<Kernel>,
        tokens: &[impl TokenInput],
        expect: Option<Purpose>,
        context: &Context,
    ) -> Vec<Result<Accepted, AcceptError>> {
        let mut answers = Vec::with_capacity(tokens.len());
        let mut tokens = tokens.iter();
        loop {
            let (mut batch, mut bytes) = (Vec::with_capacity(AT_ONCE), 0_usize);
            while batch.len() < AT_ONCE
                && bytes < BYTES
                && let Some(token) = tokens.next()
            {
                let token = self.decode(token);
                bytes = bytes.saturating_add(token.as_ref().map_or(0, |token| token.macaroon().size()));
                batch.push(token);
            }
            if batch.is_empty() {
                return answers;
            }
            answers.extend(self.verify_batch(kernel, batch, expect, context));
        }
    }

    /// Verifies decoded tokens: looks up all, then confirms all signatures at once, then judges one after the other.
    fn verify_batch(
        &self,
        kernel: Option<Kernel>,
        tokens: Vec<Result<Cow<'_, Token>, Refusal>>,
        expect: Option<Purpose>,
        context: &Context,
    ) -> impl Iterator<Item = Result<Accepted, AcceptError>> {
        // Never grows, and no key is moved out of it: either would leave keys behind unwiped.
        let mut keys = Vec::with_capacity(tokens.len());
        let looked_up: Vec<Result<_, AcceptError>> = tokens
            .iter()
            .map(|token| {
                let token = &**token.as_ref().map_err(Clone::clone)?;
                let looked_up = self.look_up(token).map_err(AcceptError::from);
                let (key, issued) = looked_up.inspect_err(|error| log(token, error))?;
                keys.push(key);
                Ok((token, issued))
            })
            .collect();
        let pairs: Vec<_> =
            looked_up.iter().flatten().map(|(token, _)| token.macaroon()).zip(&keys).collect();
        let mut confirmed = Verifier::new(context).confirm_many_by(kernel, &pairs).into_iter();
        let judged: Vec<Result<_, AcceptError>> = looked_up
            .into_iter()
            .map(|looked_up| {
                let (token, issued) = looked_up?;
                // There is one for each token that was looked up.
                let confirmed = confirmed.next().unwrap_or(Err(VerifyError::BadSignature));
                let judged = self.judge_issued(token, issued, confirmed, expect, context);
                judged.inspect_err(|error| log(token, error))
            })
            .collect();
        tokens.into_iter().zip(judged).map(move |(token, judged)| {
            let (accepted, refusal) = judged?;
            self.accept(Prepared::new(accepted(token?.into_owned()), refusal, expect, context))
        })
    }
}
