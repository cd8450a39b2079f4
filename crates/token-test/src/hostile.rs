//! Input that is crafted to cost its reader time, memory or stack.

use token_core::{CaveatKey, CaveatNonce, Macaroon, RootKey};

use crate::text;

/// The length of the long texts, in characters: twice the most that Onedata accepts.
pub const TEXT_LEN: usize = 2 << 20;

/// The number of bytes that [`TEXT_LEN`] characters of base64 encode.
const BYTES: usize = TEXT_LEN / 4 * 3;

/// The number of packets in a long run.
pub const PACKETS: usize = 100_000;

/// Texts of about [`TEXT_LEN`] characters, with a name each. None is a token.
#[must_use]
pub fn texts() -> Vec<(&'static str, String)> {
    let head = text::packet("location", "onezone");
    let repeated = |piece: &str| piece.repeat(TEXT_LEN / piece.len());
    let after_head = |piece: &str| {
        let head = text::base62(&head);
        let rest = (TEXT_LEN - head.len()) / piece.len();
        head + &piece.repeat(rest)
    };
    let last = |last: &str| "A".repeat(TEXT_LEN - last.len()) + last;
    let packets = |packet: &[u8]| {
        let head = [head.clone(), text::packet("identifier", "id")].concat();
        let count = (BYTES - head.len()) / packet.len();
        [head, packet.repeat(count)].concat()
    };
    let run = |packet: &[u8]| packet.repeat(BYTES / packet.len());
    vec![
        ("letters", repeated("A")),
        ("escaped zeros", repeated("0")),
        ("escaped underscores", repeated("01")),
        ("escaped padding", repeated("05")),
        ("a lone escape at the end", last("0")),
        ("a bad escape at the end", last("0a")),
        ("bad escapes", repeated("0a")),
        ("padding", repeated("=")),
        ("hyphens", repeated("-")),
        ("prefixes", repeated("opw-")),
        ("both alphabets", repeated("-_+/")),
        ("white space", repeated("\n")),
        ("a line feed at the end", last("\n")),
        ("a tab in each group", repeated("AAA\t")),
        ("zero bytes", repeated("\0")),
        ("text that is not ASCII", repeated("\u{1f512}")),
        ("text that is not ASCII at the end", last("\u{e9}")),
        ("the mark of base64", repeated("MDAxNWxvY2F0aW9u")),
        ("a location and letters", after_head("A")),
        ("a location and signatures", after_head("MDAyZnNpZ25hdHVyZSA")),
        ("packets of no length", text::base62(run(b"0000"))),
        ("packets of the greatest length", text::base62(run(b"ffff"))),
        ("the least packets", text::base64url(run(b"0007c \n"))),
        ("caveats", text::base64url(packets(b"000acid x\n"))),
        ("caveats in base62", text::base62(packets(b"000acid x\n"))),
        ("caveats that are all empty", text::base62(packets(b"0009cid \n"))),
        ("locations", text::base62(run(&head))),
    ]
}

/// Runs of [`PACKETS`] packets, with a name each. None is a macaroon.
#[must_use]
pub fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let head = [text::packet("location", "onezone"), text::packet("identifier", "id")].concat();
    let third_party =
        [text::packet("cid", "x"), text::packet("vid", [0; 72]), text::packet("cl", "")].concat();
    let signature = text::packet("signature", [0; 32]);
    let after_head = |packet: &[u8], count: usize| [head.clone(), packet.repeat(count)].concat();
    vec![
        ("caveats", after_head(b"000acid x\n", PACKETS)),
        (
            "caveats and a key to one of them",
            [after_head(b"000acid x\n", PACKETS), text::packet("vid", "")].concat(),
        ),
        ("caveats of third parties", after_head(&third_party, PACKETS / 3)),
        ("keys", after_head(&text::packet("vid", [0; 72]), PACKETS)),
        ("locations", text::packet("location", "").repeat(PACKETS)),
        ("identifiers", after_head(&text::packet("identifier", "id"), PACKETS)),
        ("signatures", after_head(&signature, PACKETS)),
        ("packets without a name", b"0007 x\n".repeat(PACKETS)),
        ("packets without a value", b"0007c \n".repeat(PACKETS)),
        ("packets of no length", b"0000".repeat(PACKETS)),
        ("packets of the greatest length", b"ffff".repeat(PACKETS)),
    ]
}

/// A macaroon with this many caveats and a wrong signature.
#[must_use]
pub fn long_macaroon(caveats: usize) -> Vec<u8> {
    [
        text::packet("location", "onezone"),
        text::packet("identifier", "id"),
        b"0011cid time < 1\n".repeat(caveats),
        text::packet("signature", [0; 32]),
    ]
    .concat()
}

/// A request whose discharges are crafted to be verified more than once.
#[derive(Clone, Debug)]
pub struct Request {
    /// The token, signed under [`root_key`].
    pub root: Macaroon,
    /// Its discharges.
    pub discharges: Vec<Macaroon>,
}

/// The key of the roots of [`Request`]s.
#[must_use]
pub const fn root_key() -> RootKey {
    RootKey::from_derived([7; 32])
}

fn caveat_key() -> CaveatKey {
    CaveatKey::from_derived([8; 32])
}

fn ask(macaroon: &mut Macaroon, number: usize) {
    let (identifier, nonce) = (number.to_be_bytes(), [9; 24]);
    macaroon
        .add_third_party("", &identifier, &caveat_key(), CaveatNonce::from_random(nonce))
        .expect("an identifier of some bytes");
}

fn request(count: usize, asks_root: &[usize], asks: impl Fn(usize) -> Vec<usize>) -> Request {
    let mut root = Macaroon::mint(&root_key(), "", b"root").expect("an identifier");
    asks_root.iter().for_each(|number| ask(&mut root, *number));
    let discharges = (0..count).map(|number| {
        let mut discharge =
            Macaroon::discharge(&caveat_key(), "", &number.to_be_bytes()).expect("an identifier");
        asks(number).into_iter().for_each(|next| ask(&mut discharge, next));
        root.bind_discharge(&discharge)
    });
    Request { discharges: discharges.collect(), root }
}

/// Discharges that each ask for all of them, themselves included: `count` to the power of `count` paths.
#[must_use]
pub fn mesh(count: usize) -> Request {
    let all: Vec<usize> = (0..count).collect();
    request(count, &all, |_| all.clone())
}

/// Discharges that each ask twice for the next one: 2 to the power of `depth` paths.
#[must_use]
pub fn doubling_chain(depth: usize) -> Request {
    request(depth, &[0, 0], |number| if number + 1 < depth { vec![number + 1; 2] } else { Vec::new() })
}

/// A chain of valid discharges that each ask for the next one.
#[must_use]
pub fn chain(count: usize) -> Request {
    request(count, &[0], |number| if number + 1 < count { vec![number + 1] } else { Vec::new() })
}

/// Valid discharges of a root that asks for all of them.
#[must_use]
pub fn fan(count: usize) -> Request {
    let all: Vec<usize> = (0..count).collect();
    request(count, &all, |_| Vec::new())
}

/// Macaroons under [`root_key`] from a holder who wants their verification to take long. Each has nearly a mebibyte
/// of caveats with the longest possible lists.
///
/// # Panics
/// Never: the caveats are constants.
#[must_use]
pub fn long_lists() -> Vec<(&'static str, Macaroon)> {
    const ROOM: usize = (1 << 20) - (1 << 10);
    let lists = [
        ("a list of groups", "consumer = ", "grp-a"),
        ("a list of groups as long as those of the consumer", "consumer = ", "grp-g999a"),
        ("a list of users", "consumer = ", "usr-a"),
        ("a list of services", "service = ", "opw-a"),
        ("a list of countries", "geo.country = ", "PL"),
        ("a blacklist of countries", "geo.country != ", "PL"),
        ("a list of regions", "geo.region = ", "SouthAmerica"),
        ("a blacklist of regions", "geo.region != ", "EU"),
        ("a list of addresses", "ip = ", "1.1.1.1"),
        ("a list of systems", "asn = ", "1"),
        ("a list of operations", "api = ", "all/all/a.a.a"),
        ("a list of paths", "data.path = ", "L2E="),
        ("a list of objects", "data.objectid = ", "00"),
    ];
    let minted = || Macaroon::mint(&root_key(), "", b"root").expect("an identifier");
    let lists = lists.map(|(what, head, item)| {
        let mut macaroon = minted();
        let items = vec![item; (ROOM - head.len()) / (item.len() + 1)];
        macaroon.attenuate(format!("{head}{}", items.join("|"))).expect("a predicate");
        (what, macaroon)
    });
    // Each caveat holds, so that verification goes on to the next.
    let many = |what, caveat: String| {
        let mut macaroon = minted();
        (0..1000).for_each(|_| macaroon.attenuate(&caveat).expect("a predicate"));
        (what, macaroon)
    };
    let last = GROUPS - 1;
    let groups: Vec<String> = (GROUPS - 100..GROUPS).map(|n| format!("grp-g{n}")).collect();
    let mut all = Vec::from(lists);
    all.push(many("1,000 lists of one group", format!("consumer = grp-g{last}")));
    all.push(many("1,000 lists of 100 groups", format!("consumer = {}", groups.join("|"))));
    all
}

/// How many groups the consumer of [`long_lists`] is in: `g0`, `g1`, …
pub const GROUPS: usize = 10_000;

/// JSON documents nested this deep, with a name each. None is a macaroon.
#[must_use]
pub fn nested_json(depth: usize) -> Vec<(&'static str, String)> {
    vec![
        ("arrays", format!("{{\"x\":{}", "[".repeat(depth))),
        ("closed arrays", format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth))),
        ("objects", "{\"x\":".repeat(depth)),
        ("caveats within caveats", "{\"c\":[".repeat(depth)),
        ("arrays of caveats", format!("{{\"c\":{}", "[".repeat(depth))),
        ("an identifier of arrays", format!("{{\"i\":{}", "[".repeat(depth))),
        ("white space", format!("{{{}", " ".repeat(depth))),
        ("unknown members", format!("{{{}", "\"x\":1,".repeat(depth))),
        ("the same member", format!("{{{}", "\"i\":null,".repeat(depth))),
        ("empty caveats", format!("{{\"c\":[{}", "{},".repeat(depth))),
        ("escapes", format!("{{\"i\":\"{}", "\\ud83d\\udd12".repeat(depth))),
        ("a bad escape at the end", format!("{{\"i\":\"{}\\x\"}}", "a".repeat(depth))),
    ]
}

/// v2 whose identifier declares this length, with nothing behind it.
#[must_use]
pub fn lying_varints() -> Vec<(&'static str, Vec<u8>)> {
    let lying = |bytes: &[u8]| [&[2, 2][..], bytes, b"id"].concat();
    vec![
        ("2^64 - 1", lying(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])),
        ("2^64 - 8", lying(&[0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])),
        ("2^64", lying(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2])),
        ("2^63", lying(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1])),
        ("2^32", lying(&[0x80, 0x80, 0x80, 0x80, 0x10])),
        ("without an end", lying(&[0x80; 1000])),
    ]
}

/// The macaroon of [`long_macaroon`] in v2.
#[must_use]
pub fn long_v2(caveats: usize) -> Vec<u8> {
    [&[2, 2, 2][..], b"id\0", &b"\x02\x08time < 1\0".repeat(caveats), &[0, 6, 32], &[0; 32]].concat()
}

/// The same in v2J.
#[must_use]
pub fn long_v2j(caveats: usize) -> String {
    let many = vec!["{\"i\":\"time < 1\"}"; caveats].join(",");
    format!("{{\"i\":\"id\",\"c\":[{many}],\"s64\":\"{}\"}}", text::base64url([0; 32]))
}
