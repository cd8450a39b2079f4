//! The damaged samples of the API documents, and what is said of each.

use token_core::{DecodeOptions, inspect};

#[test]
fn print() {
    for text in [
        "MDAxNmxvY2F0VhdGVfdG9rZW4KMDAyZnNpZ25hdHVyZSAdVCkpV2L9A00S9Ky01TtJF1Lsne3EBUU9UAW1xOi8Iolwo",
        "MDAxNmxvY2F00aW9uIHJlZ2lzdHJ5CjAwM2JpZGVudGlmaWVyIHZjUGlIcGkweGZta1ZOdEp00eUNINVNvR2001Wl",
        "JKAxNWxvY2F0aW9uIG9uZXpvbmUKMDAzYmlkZW50aWZpZXIgOEhmSEFSSGdrbHFCa1pWSTRsNk1CVHZTU3Z0OThwcHA2OTQ4czhRN1NPawowMDFhY2lkIHRpbWUgPCAxNDk2MTQwMTQ0CjAwMmZzaWduYXR1cmUg88OIBmav38YI0Z2-dw-fvrZ3XP-J0HjCN0taT3_WungK",
        "JKAxNWxvY2F0aW9uIG9uZXpvbmUKMDAzYmlkZW50aWZpZXIgOEhmSEFSSGdrbHFCa1pWSTRsNk1CVHZTU3Z0OThwcHA2OTQ4czhRN1NPawowMDFhY2lkIHRpbWUgPCAxNDk2MTQwMTQ0CjAwMmZzaWduYXR1cmUg88OI1d24c36707d99197c6cd995810a43aca",
    ] {
        let d = inspect(text, &DecodeOptions::default()).unwrap_err();
        eprintln!(
            "{d}  stage {}\n{}",
            d.error.stage(),
            serde_json::to_string(&d.partial.report(token_core::UnixTime::from_secs(0))).unwrap()
        );
    }
    let w = "MDAxNWxvY2F00aW9uIG9uZXpvbmUKMDAzYmlkZW500aWZpZXIgSlVxNGFLVkJSTXVFN3FLbHNQVHlNX00lLeHpYZXNWdVFSMGNfMldpOXFZNAowMDFhY2lkIHRpbWUgPCAxNTIyMzU4MzMzCjAwMmZzaWduYXR1cmUgv02ByyOA9802H02rPMB7Y9mIhDVAjYDmjAUjtrMs13znukK";
    let i = inspect(w, &DecodeOptions::default()).unwrap();
    eprintln!(
        "{}",
        serde_json::to_string_pretty(&i.report(token_core::UnixTime::from_secs(1522358333)).with_signature())
            .unwrap()
    );
    assert_eq!(token_core::Token::decode(w, &DecodeOptions::default()).unwrap().encode().unwrap(), w);
}
