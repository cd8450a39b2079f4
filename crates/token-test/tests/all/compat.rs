//! How the strict and the liberal rules treat the input on which other libraries disagree, row by row of
//! `macaroon-formats.md` §6.
//!
//! Each row is the same macaroon, [`third`], with one irregularity. If it is read, the signed bytes are unchanged:
//! the rules never alter them.

use token_core::{
    Caveat, CaveatKey, CaveatNonce, Context, DecodeOptions, EncodeError, Encoding, Format, Macaroon, Problem,
    RootKey, UnixTime, Verifier,
};
use token_test::text::{base62, base64url, packet};
use token_test::{Key, oracle};

const LOCATION: &str = "onezone";
const IDENTIFIER: &str = "id";
const PREDICATE: &str = "a predicate";
const THIRD: &str = "third";
const HINT: &str = "elsewhere";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Read,
    Refused,
}
use Rule::{Read, Refused};

#[derive(Clone)]
enum Wire {
    Bytes(Vec<u8>),
    Text(String),
}

struct Row {
    name: &'static str,
    wire: Wire,
    strict: Rule,
    liberal: Rule,
}

fn key() -> RootKey {
    RootKey::from_derived([7; 32])
}

fn minted() -> Macaroon {
    Macaroon::mint(&key(), LOCATION, IDENTIFIER.as_bytes()).unwrap()
}

/// With a first-party caveat.
fn first() -> Macaroon {
    let mut macaroon = minted();
    macaroon.attenuate(PREDICATE).unwrap();
    macaroon
}

/// With a first-party caveat and a third-party one.
fn third() -> Macaroon {
    let mut macaroon = first();
    let caveat = CaveatKey::from_derived([8; 32]);
    macaroon.add_third_party(HINT, THIRD.as_bytes(), &caveat, CaveatNonce::from_random([9; 24])).unwrap();
    macaroon
}

fn vid() -> Vec<u8> {
    match third().caveats().nth(1) {
        Some(Caveat::ThirdParty { vid, .. }) => vid.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn signature(macaroon: &Macaroon) -> [u8; 32] {
    *macaroon.signature().expose()
}

/// The packets of [`third`].
fn packets() -> Vec<Vec<u8>> {
    vec![
        packet("location", LOCATION),
        packet("identifier", IDENTIFIER),
        packet("cid", PREDICATE),
        packet("cid", THIRD),
        packet("vid", vid()),
        packet("cl", HINT),
        packet("signature", signature(&third())),
    ]
}

fn v1(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Wire {
    let mut packets = packets();
    change(&mut packets);
    Wire::Bytes(packets.concat())
}

/// A field whose length fits into one byte.
fn field(tag: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let len = u8::try_from(value.len()).ok().filter(|len| *len < 0x80).unwrap();
    [&[tag, len][..], value].concat()
}

/// The fields of [`third`]: version, location, identifier, end; 4: predicate, end; 6: hint, identifier, vid, end;
/// 10: end, signature.
fn fields() -> Vec<Vec<u8>> {
    vec![
        vec![2],
        field(1, LOCATION),
        field(2, IDENTIFIER),
        vec![0],
        field(2, PREDICATE),
        vec![0],
        field(1, HINT),
        field(2, THIRD),
        field(4, vid()),
        vec![0],
        vec![0],
        field(6, signature(&third())),
    ]
}

fn v2(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Wire {
    let mut fields = fields();
    change(&mut fields);
    Wire::Bytes(fields.concat())
}

/// [`third`] as v2J, with one piece of the document replaced.
fn v2j(from: &str, to: &str) -> Wire {
    let document = format!(
        r#"{{"v":2,"l":"onezone","i":"id","c":[{{"i":"a predicate"}},{{"i":"third","l":"elsewhere","v64":"{}"}}],"s64":"{}"}}"#,
        base64url(vid()),
        base64url(signature(&third()))
    );
    replaced(&document, from, to)
}

/// [`third`] as v1J, likewise.
fn v1j(from: &str, to: &str) -> Wire {
    let document = format!(
        r#"{{"location":"onezone","identifier":"id","caveats":[{{"cid":"a predicate"}},{{"cid":"third","cl":"elsewhere","vid":"{}"}}],"signature":"{}"}}"#,
        base64url(vid()),
        token_test::hex::encode(signature(&third()))
    );
    replaced(&document, from, to)
}

fn replaced(document: &str, from: &str, to: &str) -> Wire {
    assert!(document.contains(from), "{from}");
    Wire::Text(document.replacen(from, to, 1))
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name, wire, strict, liberal| rows.push(Row { name, wire, strict, liberal });

    row("as it should be, v1", v1(|_| ()), Read, Read);
    row("as it should be, v2", v2(|_| ()), Read, Read);
    row("as it should be, v2J", v2j("", ""), Read, Read);
    row("as it should be, v1J", v1j("", ""), Read, Read);

    row("bytes after the token, v1", v1(|it| it.push(vec![0])), Refused, Refused);
    row("bytes after the token, v2", v2(|it| it.push(vec![0])), Refused, Refused);
    row("two tokens, v2", v2(|it| it.extend(fields())), Refused, Refused);
    row("text after the token, v2J", v2j("\"}", "\"}0"), Refused, Refused);
    row("two tokens, v2J", v2j("\"}", "\"}{}"), Refused, Refused);

    row("v1 packets after the signature", v1(|it| it.push(packet("cid", "x"))), Refused, Refused);
    row("v1 signature twice", v1(|it| it.push(it[6].clone())), Refused, Refused);

    row("v1 identifier before location", v1(|it| it.swap(0, 1)), Refused, Refused);
    row("v1 caveat before identifier", v1(|it| it.swap(1, 2)), Refused, Refused);
    row("v1 vid before its cid", v1(|it| it.insert(2, it[4].clone())), Refused, Refused);
    row("v1 location twice", v1(|it| it.insert(0, it[0].clone())), Refused, Refused);
    row("v1 identifier twice", v1(|it| it.insert(1, it[1].clone())), Refused, Refused);
    row("v1 vid twice", v1(|it| it.insert(4, it[4].clone())), Refused, Refused);
    row("v1 cl twice", v1(|it| it.insert(5, it[5].clone())), Refused, Refused);
    row("v2 identifier before location", v2(|it| it.swap(1, 2)), Refused, Refused);
    row("v2 vid before identifier", v2(|it| it.swap(7, 8)), Refused, Refused);
    row("v2 identifier twice", v2(|it| it.insert(2, it[2].clone())), Refused, Refused);
    row("v2 unassigned field", v2(|it| it.insert(3, field(5, "x"))), Refused, Refused);

    row("v1 location missing", v1(|it| drop(it.remove(0))), Refused, Read);
    row("v1 vid without cl", v1(|it| drop(it.remove(5))), Refused, Read);
    row("v2 vid without location", v2(|it| drop(it.remove(6))), Read, Read);
    row("v2J vid without location", v2j(r#","l":"elsewhere""#, ""), Read, Read);

    row("v1 cl on a first-party caveat", v1(|it| it.insert(3, packet("cl", "x"))), Refused, Read);
    row("v2 location on a first-party caveat", v2(|it| it.insert(4, field(1, "x"))), Refused, Read);
    row("v2J location on a first-party caveat", v2j(r#""i":"a predicate""#, r#""i":"a predicate","l":"x""#), Refused, Read);
    row("v1J cl on a first-party caveat", v1j(r#""cid":"a predicate""#, r#""cid":"a predicate","cl":"x""#), Refused, Read);
    row("v1 cl before vid", v1(|it| it.swap(4, 5)), Refused, Read);

    let size = |digits: &str| {
        let digits = digits.as_bytes().to_vec();
        v1(move |it| { it[0].splice(..4, digits); })
    };
    row("v1 size in other digits", size("0x15"), Refused, Refused);
    row("v1 size with a sign", size("+015"), Refused, Refused);
    row("v1 size with a space", size(" 015"), Refused, Refused);
    row("v1 size with an underscore", size("0_15"), Refused, Refused);
    row("v1 size in capitals", v1(|it| { it[3] = packet("cid", THIRD); it[0].splice(..4, *b"001A"); }), Refused, Refused);
    row("v1 packet that ends otherwise", v1(|it| *it[0].last_mut().unwrap() = b' '), Refused, Refused);

    row("v1 short signature", v1(|it| it[6] = packet("signature", [0; 31])), Refused, Refused);
    row("v1 long signature", v1(|it| it[6] = packet("signature", [0; 33])), Refused, Refused);
    row("v2 short signature", v2(|it| it[11] = field(6, [0; 31])), Refused, Refused);
    row("v2 long signature", v2(|it| it[11] = field(6, [0; 33])), Refused, Refused);
    row("v2J short signature", v2j(&base64url(signature(&third())), &base64url([0; 31])), Refused, Refused);
    row("v1J short signature", v1j(&token_test::hex::encode(signature(&third())), "00"), Refused, Refused);
    row("v1J signature of other digits", v1j(&token_test::hex::encode(signature(&third())), &"zz".repeat(32)), Refused, Refused);
    row("v1 signature missing", v1(|it| drop(it.pop())), Refused, Refused);
    row("v2 signature missing", v2(|it| drop(it.pop())), Refused, Refused);
    row("v2J signature missing", v2j("s64", "l64"), Refused, Refused);

    row("v1 vid of another length", v1(|it| it[4] = packet("vid", [0; 71])), Refused, Refused);
    row("v2 vid of another length", v2(|it| it[8] = field(4, [0; 73])), Refused, Refused);
    row("v2J vid of another length", v2j(&base64url(vid()), &base64url([0; 71])), Refused, Refused);
    row("v1 empty vid", v1(|it| it[4] = packet("vid", "")), Refused, Refused);
    row("v2 empty vid", v2(|it| it[8] = field(4, "")), Refused, Refused);
    row("v2J empty vid", v2j(&base64url(vid()), ""), Refused, Refused);

    row("v2 empty location", v2(|it| it[1] = field(1, "")), Read, Read);
    row("v2 empty caveat location", v2(|it| it[6] = field(1, "")), Read, Read);
    row("v2 length in two bytes", v2(|it| { it[2].splice(1..2, [0x82, 0]); }), Refused, Read);
    row("v2 length in ten bytes", v2(|it| { it[2].splice(1..2, [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]); }), Refused, Read);
    row("v2 length in eleven bytes", v2(|it| { it[2].splice(1..2, [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]); }), Refused, Refused);
    row("v2 tag in two bytes", v2(|it| { it[2].splice(..1, [0x82, 0]); }), Refused, Refused);
    row("v2 length of 2^64 and two", v2(|it| { it[2].splice(1..2, [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]); }), Refused, Refused);
    row("v2 length near 2^64", v2(|it| { it[2].splice(1..2, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]); }), Refused, Refused);

    row("v1 location that is no text", v1(|it| it[0] = packet("location", [0xff])), Refused, Read);
    row("v1 caveat location that is no text", v1(|it| it[5] = packet("cl", [0xff])), Refused, Read);
    row("v2 location that is no text", v2(|it| it[1] = field(1, [0xff])), Refused, Read);
    row("v2 caveat location that is no text", v2(|it| it[6] = field(1, [0xff])), Refused, Read);
    row("v2J location that is no text", v2j(r#""l":"onezone""#, r#""l64":"_w""#), Refused, Read);
    row("v2J caveat location that is no text", v2j(r#""l":"elsewhere""#, r#""l64":"_w""#), Refused, Read);

    row("v2J without version", v2j(r#""v":2,"#, ""), Read, Read);
    for (name, version) in [("0", "0"), ("1", "1"), ("3", "3"), ("null", "null"), ("true", "true"), ("\"1\"", "\"1\""), ("2.0", "2.0"), ("02", "02"), ("-2", "-2"), ("2e0", "2e0"), ("[]", "[]"), ("20", "20")] {
        row(name, v2j(r#""v":2"#, &format!(r#""v":{version}"#)), Refused, Refused);
    }
    row("v2J version as text", v2j(r#""v":2"#, r#""v":"2""#), Read, Read);
    row("v2J both i and i64", v2j(r#""i":"id""#, r#""i":"id","i64":"aWQ""#), Refused, Refused);
    row("v2J both in a caveat", v2j(r#""i":"third""#, r#""i":"third","i64":"dGhpcmQ""#), Refused, Refused);
    row("v2J both s and s64", v2j(r#""s64""#, r#""s":"x","s64""#), Refused, Refused);
    row("v2J both l and l64", v2j(r#""l":"onezone""#, r#""l":"onezone","l64":"b25lem9uZQ""#), Refused, Refused);
    row("v2J both v and v64", v2j(r#""v64""#, r#""v":"x","v64""#), Refused, Refused);
    row("v2J member twice", v2j(r#""i":"id""#, r#""i":"id","i":"id""#), Refused, Refused);
    row("v2J member twice, once escaped", v2j(r#""i":"id""#, r#""i":"id","\u0069":"id""#), Refused, Refused);
    row("v2J member and null", v2j(r#""i":"id""#, r#""i":"id","i":null"#), Refused, Refused);
    row("v2J null and member", v2j(r#""i":"id""#, r#""i":null,"i":"id""#), Refused, Refused);
    row("v2J null twice", v2j(r#""i":"id""#, r#""i":"id","l64":null,"l64":null"#), Refused, Refused);
    row("v2J caveat's member twice", v2j(r#""i":"third""#, r#""i":"third","i":"third""#), Refused, Refused);
    row("v2J unknown member", v2j(r#""v":2"#, r#""x":[{"y":[-1.5e3,true,false,null,"\""]},{},[]],"v":2"#), Refused, Read);
    row("v2J unknown member of a caveat", v2j(r#""i":"third""#, r#""i":"third","x":{}"#), Refused, Read);
    row("v2J unknown member, deep", v2j(r#""v":2"#, r#""x":[[[[[]]]]],"v":2"#), Refused, Refused);
    row("v2J null members", v2j(r#""i":"third""#, r#""i":"third","i64":null,"l64":null,"v":null"#), Read, Read);
    row("v2J null members at the top", v2j(r#""i":"id""#, r#""i":"id","i64":null,"l64":null,"s":null"#), Read, Read);
    row("v2J null identifier", v2j(r#""i":"id""#, r#""i":null"#), Refused, Refused);
    row("v2J escapes", v2j("a predicate", r"\u0061\u0020predicat\u0065"), Read, Read);
    row("v2J lone surrogate", v2j("onezone", r"\ud800"), Refused, Refused);
    row("v2J lone low surrogate", v2j("onezone", r"\udc00"), Refused, Refused);
    row("v2J surrogates the wrong way round", v2j("onezone", r"\udc00\ud800"), Refused, Refused);
    row("v2J high surrogate and no low one", v2j("onezone", r"\ud800\u0061"), Refused, Refused);
    row("v2J pair of surrogates", v2j("onezone", r"\ud83d\udd12"), Read, Read);
    row("v2J escape that is none", v2j("onezone", r"\x41"), Refused, Refused);
    row("v2J control character", v2j("onezone", "one\nzone"), Refused, Refused);
    row("v2J other alphabet", v2j(&base64url(vid()), &base64url(vid()).replace('-', "+").replace('_', "/")), Read, Read);
    row("v2J padding", v2j(&base64url(signature(&third())), &format!("{}=", base64url(signature(&third())))), Read, Read);
    row("v2J wrong padding", v2j(&base64url(signature(&third())), &format!("{}==", base64url(signature(&third())))), Refused, Refused);
    row("v2J number for text", v2j(r#""i":"id""#, r#""i":7"#), Refused, Refused);
    row("v2J white space", v2j(r#""v":2,"#, "\t\"v\" : 2 ,\r\n"), Read, Read);
    row("v2J trailing comma", v2j("\"}", "\",}"), Refused, Refused);
    row("v2J and v1J mixed", v2j(r#""i":"id""#, r#""i":"id","identifier":"id""#), Refused, Refused);
    row("v2J and v1J mixed in a caveat", v2j(r#""i":"third""#, r#""cid":"third""#), Refused, Refused);
    row("v1J null vid and cl", v1j(r#""cid":"a predicate""#, r#""cid":"a predicate","vid":null,"cl":null"#), Read, Read);
    row("v1J signature in capitals", v1j(&token_test::hex::encode(signature(&third())), &token_test::hex::encode(signature(&third())).to_uppercase()), Refused, Read);
    row("JSON behind a prefix", match v2j("", "") { Wire::Text(text) => Wire::Text(format!("opw-{text}")), bytes => bytes }, Refused, Refused);
    row("JSON that is an array", match v2j("", "") { Wire::Text(text) => Wire::Text(format!("[{text}]")), bytes => bytes }, Refused, Refused);

    let bytes = packets().concat();
    let text = base64url(&bytes);
    let standard = text.replace('-', "+").replace('_', "/");
    assert!(text.contains('-') && text.contains('_'), "both show the alphabet");
    let of_text = |text: String| Wire::Text(text);
    let (head, tail) = text.split_at(64);
    row("base62", of_text(base62(&bytes)), Read, Read);
    row("base64url", of_text(text.clone()), Read, Read);
    row("base64", of_text(standard.clone()), Read, Read);
    row("mixed alphabets", of_text(text.replacen('-', "+", 1)), Refused, Refused);
    row("line ends within", of_text(format!("{}\r\n{}", head, tail)), Refused, Read);
    row("a line end after", of_text(format!("{text}\n")), Refused, Read);
    row("a space within", of_text(format!("{} {}", head, tail)), Refused, Refused);
    row("a tab within", of_text(format!("{}\t{}", head, tail)), Refused, Refused);
    row("junk within", of_text(format!("{}!{}", head, tail)), Refused, Refused);
    rows
}

fn read(wire: &Wire, options: &DecodeOptions) -> Option<Macaroon> {
    match wire {
        Wire::Bytes(bytes) => Macaroon::from_bytes(bytes.as_slice(), options).ok().map(|it| it.0),
        Wire::Text(text) => Macaroon::from_text(text, options).ok().map(|it| it.0),
    }
}

/// Identifier, caveats by identifier and vid, signature.
type Signed = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, [u8; 32]);

/// The signed fields and the signature.
fn signed(macaroon: &Macaroon) -> Signed {
    let caveats = macaroon.caveats().map(|caveat| match caveat {
        Caveat::FirstParty { predicate } => (predicate.to_vec(), Vec::new()),
        Caveat::ThirdParty { identifier, vid, .. } => (identifier.to_vec(), vid.to_vec()),
    });
    (macaroon.identifier().to_vec(), caveats.collect(), signature(macaroon))
}

#[test]
fn every_row_is_read_or_refused_as_the_table_says() {
    let mut wrong = Vec::new();
    for Row { name, wire, strict, liberal } in rows() {
        for (column, options, expected) in
            [("strict", DecodeOptions::default(), strict), ("liberal", DecodeOptions::compat(), liberal)]
        {
            match (read(&wire, &options), expected) {
                (Some(read), Read) => assert_eq!(signed(&read), signed(&third()), "{name}, {column}"),
                (None, Refused) => {}
                (_, expected) => wrong.push(format!("{name}, {column}: should be {expected:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The liberal rules read empty fields, and the result verifies, except for an empty predicate in v1, which
/// libmacaroons drops.
#[test]
fn empty_fields_are_read_by_the_liberal_rules() {
    let empty: &[&str] = &[""];
    let theirs = oracle::mint(Key::Derived([7; 32]), LOCATION, IDENTIFIER, empty);
    let v2 = |identifier: &str, caveat: &[u8], signature: [u8; 32]| {
        [&[2][..], &field(2, identifier), &[0], caveat, &[0], &field(6, signature)].concat()
    };
    let json = |identifier: &str, caveats: &str, signature: [u8; 32]| {
        let s64 = base64url(signature);
        format!(r#"{{"i":"{identifier}","c":[{caveats}],"s64":"{s64}"}}"#).into_bytes()
    };
    let context = Context::at(UnixTime::MAX);
    let only_liberally = |bytes: &[u8], key: &RootKey| {
        assert!(Macaroon::from_bytes(bytes, &DecodeOptions::default()).is_err());
        let (macaroon, _) = Macaroon::from_bytes(bytes, &DecodeOptions::compat()).unwrap();
        Verifier::new(&context).exact(&[b""]).verify(&macaroon, key).unwrap();
        // An empty predicate does not hold by default.
        assert_eq!(Verifier::new(&context).verify(&macaroon, key).is_ok(), macaroon.caveats().len() == 0);
    };
    for bytes in
        [v2(IDENTIFIER, &[2, 0, 0], theirs.signature), json(IDENTIFIER, r#"{"i":""}"#, theirs.signature)]
    {
        only_liberally(&bytes, &key());
    }
    for options in [DecodeOptions::default(), DecodeOptions::compat()] {
        let error = Macaroon::from_bytes(theirs.v1.as_slice(), &options).unwrap_err();
        assert_eq!(error.problem(), &Problem::EmptyField("caveat"));
    }

    // The chain that ends in an empty caveat is one that begins with an empty identifier.
    let key = RootKey::from_derived(signature(&minted()));
    let v1 =
        [packet("location", ""), packet("identifier", ""), packet("signature", theirs.signature)].concat();
    let s16 = token_test::hex::encode(theirs.signature);
    let v1j = format!(r#"{{"identifier":"","signature":"{s16}"}}"#).into_bytes();
    for bytes in [v1, v2("", &[], theirs.signature), json("", "", theirs.signature), v1j] {
        only_liberally(&bytes, &key);
    }
}

/// Base64 with unused bits is another spelling of the same bytes.
#[test]
fn spare_bits_are_read_by_the_liberal_rules() {
    let bytes = (0..3).map(|more| {
        let mut macaroon = minted();
        macaroon.attenuate("x".repeat(more + 1)).unwrap();
        macaroon
    });
    let macaroon = bytes.into_iter().find(|it| it.to_bytes(Format::V1).unwrap().len() % 3 == 1).unwrap();
    let text = macaroon.to_text(Format::V1, Encoding::Base64Url).unwrap();
    let (head, last) = text.split_at(text.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    let spare = format!("{head}{next}");
    assert!(Macaroon::from_text(&spare, &DecodeOptions::default()).is_err());
    let (read, _) = Macaroon::from_text(&spare, &DecodeOptions::compat()).unwrap();
    assert_eq!(signed(&read), signed(&macaroon));
    assert_eq!(read.to_text(Format::V1, Encoding::Base64Url).unwrap(), text);
}

/// Both rules read v1 with any bytes. Only text is written in v1, unless the liberal rules read it.
#[test]
fn identifiers_that_are_no_text_leave_v1_by_the_liberal_rules_alone() {
    let mut macaroon = Macaroon::mint(&key(), LOCATION, &[0xff]).unwrap();
    macaroon.attenuate([0xfe]).unwrap();
    let bytes = [
        packet("location", LOCATION),
        packet("identifier", [0xff]),
        packet("cid", [0xfe]),
        packet("signature", signature(&macaroon)),
    ]
    .concat();
    let text = base62(&bytes);
    for (options, written) in [
        (DecodeOptions::default(), Err(EncodeError::NotUtf8 { field: "identifier" })),
        (DecodeOptions::compat(), Ok(text.clone())),
    ] {
        let (read, spelling) = Macaroon::from_text(&text, &options).unwrap();
        assert_eq!(signed(&read), signed(&macaroon));
        assert_eq!(read.spell(spelling), written);
    }
    let refused = Err(EncodeError::NotUtf8 { field: "identifier" });
    assert_eq!(macaroon.to_bytes(Format::V1), refused);
    assert!(macaroon.to_bytes(Format::V2).is_ok());
    let mut text_identifier = minted();
    text_identifier.attenuate([0xfe]).unwrap();
    assert_eq!(text_identifier.to_bytes(Format::V1), Err(EncodeError::NotUtf8 { field: "caveat" }));
}

/// The liberal rules have the same limits.
#[test]
fn liberal_is_not_boundless() {
    assert_eq!(DecodeOptions::compat().limits, DecodeOptions::default().limits);
}
