//! How base64 is read and written: by the processor's vector instructions where it has them, behind the feature `simd`.

#[cfg(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64"), not(test)))]
extern crate std;

use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

pub(super) const UNPADDED: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
pub(super) const PADDED: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical);

/// How nearly all tokens are written. Made once: its tables take as long to make as a token to decode.
#[cfg(not(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) static URL: base64::engine::GeneralPurpose =
    base64::engine::GeneralPurpose::new(&base64::alphabet::URL_SAFE, UNPADDED);

/// The same. Finding out what the processor has takes std.
#[cfg(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) static URL: std::sync::LazyLock<base64::engine::Simd> =
    std::sync::LazyLock::new(|| base64::engine::Simd::url_safe(UNPADDED));
