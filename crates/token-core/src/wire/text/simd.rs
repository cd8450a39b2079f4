//! Base64 by the processor's vector instructions, where it has them. Which it has is found out once.

#[cfg(not(test))]
extern crate std;

use std::sync::LazyLock;

use base64::engine::Simd;

pub(super) static URL: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(super::UNPADDED));
