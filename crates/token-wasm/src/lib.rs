//! The verbs of onetoken in WebAssembly: JSON in, JSON out.
//!
//! `boundary` is what JavaScript calls. It holds no rule about tokens: it takes the bytes of a request, calls
//! `token_embed`, and hands out the document.

#[cfg(target_family = "wasm")]
mod boundary;

/// Answers a request to a verb: the number of the error, 0 for none, and the JSON of the answer or of the error.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "only WebAssembly calls it"))]
fn answer(verb: &[u8], request: &[u8]) -> Vec<u8> {
    let verb = std::str::from_utf8(verb).unwrap_or_default();
    let answered = match token_embed::people::VERBS.contains(&verb) {
        true => token_embed::people::answer_json(verb, request),
        false => token_embed::answer_json(verb, request),
    };
    let (status, document) = match answered {
        Ok(document) => (0, document),
        Err(error) => (error.code().number(), error.to_json()),
    };
    [&[status], document.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn the_status_comes_first() {
        let [0, document @ ..] = &*answer(b"caveat", br#"{"text":"asn = 322"}"#) else { panic!("an error") };
        assert!(document.starts_with(br#"{"text":"asn = 322","caveat":{"#));
        let [48, document @ ..] = &*answer(b"nothing", b"{}") else { panic!("no error") };
        assert!(document.starts_with(br#"{"code":"invalid_argument""#));
        assert_eq!(answer(b"\xff", b"{}").first(), Some(&48));
    }

    #[test]
    fn it_has_the_verbs_for_people() {
        let words = answer(b"words", br#"{"text":"asn = 322"}"#);
        assert!(words.ends_with(br#"{"words":"Only from the network AS322"}"#));
    }
}
