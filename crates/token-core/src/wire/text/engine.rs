//! The base64 engine. With the feature `simd`, it uses vector instructions if the processor has them.

#[cfg(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64"), not(test)))]
extern crate std;

use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

pub(super) const UNPADDED: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
pub(super) const PADDED: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical);

/// The engine for nearly all tokens. A constant: building its tables takes as long as decoding a token.
#[cfg(not(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) static URL: base64::engine::GeneralPurpose =
    base64::engine::GeneralPurpose::new(&base64::alphabet::URL_SAFE, UNPADDED);

/// The same with vector instructions. Detecting the processor's features needs std.
#[cfg(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) static URL: std::sync::LazyLock<base64::engine::Simd> =
    std::sync::LazyLock::new(|| base64::engine::Simd::url_safe(UNPADDED));
