//! The vocabulary of caveats (`onedata-tokens.md` §4): text, reading and JSON.

use core::net::Ipv4Addr;

use token_core::{
    GeoFilter, Interface, IpMask, LegacyType, ListError, Predicate, PredicateBuf, Region, Service,
    ServiceKind, Subject, UnixTime,
};

/// Each kind of caveat: its text, its JSON.
const VOCABULARY: &[(&str, &str)] = &[
    ("time < 0", r#"{"type":"time","validUntil":0}"#),
    ("time < 1496140144", r#"{"type":"time","validUntil":1496140144}"#),
    ("time < 18446744073709551615", r#"{"type":"time","validUntil":18446744073709551615}"#),
    ("ip = 172.98.11.23/32", r#"{"type":"ip","whitelist":["172.98.11.23/32"]}"#),
    ("ip = 0.0.0.0/0|10.1.2.3/8", r#"{"type":"ip","whitelist":["0.0.0.0/0","10.1.2.3/8"]}"#),
    ("asn = 322", r#"{"type":"asn","whitelist":[322]}"#),
    ("asn = 0|4294967295", r#"{"type":"asn","whitelist":[0,4294967295]}"#),
    ("geo.country = PL|FR", r#"{"type":"geo.country","filter":"whitelist","list":["PL","FR"]}"#),
    ("geo.country != UK", r#"{"type":"geo.country","filter":"blacklist","list":["UK"]}"#),
    ("geo.region = Asia|EU", r#"{"type":"geo.region","filter":"whitelist","list":["Asia","EU"]}"#),
    (
        "geo.region != Africa|Antarctica|Europe|NorthAmerica|Oceania|SouthAmerica",
        r#"{"type":"geo.region","filter":"blacklist","list":["Africa","Antarctica","Europe","NorthAmerica","Oceania","SouthAmerica"]}"#,
    ),
    ("service = ozw-onezone|opp-*", r#"{"type":"service","whitelist":["ozw-onezone","opp-*"]}"#),
    ("consumer = usr-u|grp-g|prv-*", r#"{"type":"consumer","whitelist":["usr-u","grp-g","prv-*"]}"#),
    ("interface = rest", r#"{"type":"interface","interface":"rest"}"#),
    ("interface = oneclient", r#"{"type":"interface","interface":"oneclient"}"#),
    ("interface = graphsync", r#"{"type":"interface","interface":"graphsync"}"#),
    ("api = all/all/*.*.*:*", r#"{"type":"api","whitelist":["all/all/*.*.*:*"]}"#),
    (
        "api = ozw/get/space.s1.instance:auto|opw/create/user.self.token,x:private",
        r#"{"type":"api","whitelist":["ozw/get/space.s1.instance:auto","opw/create/user.self.token,x:private"]}"#,
    ),
    ("data.readonly", r#"{"type":"data.readonly"}"#),
    (
        "data.path = L3NwYWNlMS9maWxlMS50eHQ=|L3NwYWNlMi9kaXIvZmlsZTIudHh0",
        r#"{"type":"data.path","whitelist":["L3NwYWNlMS9maWxlMS50eHQ=","L3NwYWNlMi9kaXIvZmlsZTIudHh0"]}"#,
    ),
    ("data.objectid = 00FF|ab", r#"{"type":"data.objectid","whitelist":["00FF","ab"]}"#),
    ("authorization = none", r#"{"scope":"identityToken"}"#),
    ("tokenType = space_support_token", r#"{"type":"tokenType","tokenType":"space_support_token"}"#),
];

#[test]
fn text_and_json_say_the_same() {
    for (text, json) in VOCABULARY {
        let predicate = Predicate::read(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is not read"));
        assert_eq!(predicate.to_string(), *text);
        assert_eq!(serde_json::to_string(&predicate).unwrap(), *json);
        let back: PredicateBuf = serde_json::from_str(json).unwrap();
        assert_eq!(back.as_str(), *text);
        // The order of members does not matter.
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::from_value::<PredicateBuf>(value).unwrap(), back);
    }
}

#[test]
fn every_legacy_type_has_its_name() {
    for name in [
        "group_invite_token",
        "group_invite_user_token",
        "group_invite_group_token",
        "space_create_token",
        "space_invite_user_token",
        "space_invite_group_token",
        "space_support_token",
        "provider_registration_token",
    ] {
        let legacy = LegacyType::from_name(name).unwrap();
        let text = format!("tokenType = {name}");
        assert_eq!(Predicate::read(text.as_bytes()), Some(Predicate::TokenType(legacy)));
        let written = PredicateBuf::token_type(legacy);
        assert_eq!((written.as_str(), written.as_ref()), (text.as_str(), text.as_bytes()));
        assert_eq!(written.to_string(), text);
    }
    assert_eq!(LegacyType::from_name("client_token"), None);
}

#[test]
fn what_is_not_written_so_is_unknown() {
    let cases: &[&[u8]] = &[
        b"",
        b" ",
        // One space on each side, and none at the end.
        b"time<1",
        b"time <1",
        b"time< 1",
        b"time  < 1",
        b"time <  1",
        b"time < 1 ",
        b" time < 1",
        b"time < 1\n",
        b"time\t<\t1",
        b"ip  = 1.2.3.4/32",
        b"ip=1.2.3.4/32",
        b"geo.country !=PL",
        b"geo.country ! = PL",
        // Names and operators match exactly.
        b"Time < 1",
        b"time > 1",
        b"time <= 1",
        b"time = 1",
        b"time != 1",
        b"ip != 1.2.3.4/32",
        b"asn != 1",
        b"consumer != usr-u",
        b"service != opw-p",
        b"interface != rest",
        b"ip < 1",
        b"colour = blue",
        b"method = GET",
        b"providerId = p1",
        b"rootResource in a,b",
        // Numbers are decimal.
        b"time < ",
        b"time < -",
        b"time < +-1",
        b"time < infinity",
        b"time < 1.0",
        b"time < 1e3",
        b"time < 0x10",
        b"time < 1_000",
        "time < \u{661}".as_bytes(),
        b"asn = AS322",
        // A list has an item. None of these types has an empty one.
        b"asn = ",
        b"asn = |",
        b"asn = 1|",
        b"asn = |1",
        b"asn = 1||2",
        b"asn = 1 | 2",
        b"asn = 1, 2",
        b"ip = ",
        b"geo.country = ",
        b"geo.region != ",
        b"service = ",
        b"consumer = ",
        b"api = ",
        b"data.path = ",
        b"data.objectid = ",
        b"interface = ",
        b"tokenType = ",
        // Networks are of IPv4, in decimal.
        b"ip = 1.2.3.4/33",
        b"ip = 1.2.3.4/-1",
        b"ip = 1.2.3.4/033",
        b"ip = 1.2.3.4/8/8",
        b"ip = /",
        b"ip = 1.2.3/8",
        b"ip = 01.2.3.4/32",
        b"ip = 0x1.2.3.4",
        b"ip = 256.2.3.4",
        b"ip = ::1/128",
        b"ip = ::ffff:1.2.3.4/32",
        b"ip = localhost",
        // Subjects, services, interfaces and types.
        b"service = xyz-p",
        b"service = opw",
        b"consumer = root",
        b"consumer = usr",
        b"interface = REST",
        b"interface = rest|oneclient",
        b"tokenType = space_support",
        b"tokenType = space_support_token|space_create_token",
        b"authorization = all",
        b"authorization = none|none",
        b"data.readonly ",
        b"data.readonly = true",
        b"data.writeonly",
        // Operations.
        b"api = all/all",
        b"api = all/all/*",
        b"api = all/all/*.*",
        b"api = all/all/..",
        b"api = all/read/*.*.*",
        b"api = xxx/all/*.*.*",
        b"api = /all/*.*.*",
        b"api = all/all/od_user.*.*",
        b"api = all/all/*.*.*:other",
        b"api = all/all/*.*.*:*:*",
        b"api = all/all/*.*.a,b,c",
        b"api = all/all/*.*.a.b",
        b"api = all/all/*.a/b.*",
        // Padding that is wrong or missing, and the URL-safe alphabet.
        b"data.path = L2EvYg",
        b"data.path = L2EvYg=",
        b"data.path = L2Ev=Yg=",
        b"data.path = L2Ev====",
        b"data.path = L2E_",
        b"data.path = /space",
        // Not text.
        b"time < 1\xff",
        b"\xfftime < 1",
    ];
    for text in cases {
        assert_eq!(Predicate::read(text), None, "{:?}", text.escape_ascii().to_string());
        if let Ok(text) = str::from_utf8(text) {
            assert_eq!(PredicateBuf::read(text), None, "{text:?}");
        }
    }
}

#[test]
fn json_that_is_not_written_so_is_refused() {
    for json in [
        "null",
        "[]",
        "{}",
        r#""time < 1""#,
        r#"{"type":"time"}"#,
        r#"{"type":"time","validUntil":"infinity"}"#,
        r#"{"type":"time","validUntil":"1"}"#,
        r#"{"type":"time","validUntil":1.5}"#,
        r#"{"type":"time","validUntil":-1}"#,
        r#"{"type":"time","validUntil":18446744073709551616}"#,
        r#"{"type":"time","validUntil":null}"#,
        r#"{"type":"time","validUntil":1,"more":1}"#,
        r#"{"type":"time","validUntil":1,"validUntil":2}"#,
        r#"{"type":"time","type":"time","validUntil":1}"#,
        r#"{"type":"time","validuntil":1}"#,
        r#"{"type":"colour","whitelist":["blue"]}"#,
        r#"{"type":null}"#,
        r#"{"validUntil":1}"#,
        r#"{"type":"ip","whitelist":[]}"#,
        r#"{"type":"ip","whitelist":"1.2.3.4"}"#,
        r#"{"type":"ip","whitelist":["1.2.3.4/33"]}"#,
        r#"{"type":"ip","whitelist":["1.2.3.4|5.6.7.8"]}"#,
        r#"{"type":"ip","blacklist":["1.2.3.4"]}"#,
        r#"{"type":"asn","whitelist":["322"]}"#,
        r#"{"type":"asn","whitelist":[4294967296]}"#,
        r#"{"type":"geo.country","list":["PL"]}"#,
        r#"{"type":"geo.country","filter":"graylist","list":["PL"]}"#,
        r#"{"type":"geo.country","filter":"whitelist","list":[]}"#,
        r#"{"type":"geo.country","filter":"whitelist","list":["PL|FR"]}"#,
        r#"{"type":"service","whitelist":["opw-a|opw-b"]}"#,
        r#"{"type":"service","whitelist":["usr-a"]}"#,
        r#"{"type":"consumer","whitelist":["usr-a|usr-b"]}"#,
        r#"{"type":"consumer","whitelist":[""]}"#,
        r#"{"type":"interface","interface":"REST"}"#,
        r#"{"type":"interface","interface":["rest"]}"#,
        r#"{"type":"interface","interface":"rest|oneclient"}"#,
        r#"{"type":"api","whitelist":["all"]}"#,
        r#"{"type":"data.readonly","whitelist":[]}"#,
        r#"{"type":"data.path","whitelist":["L2EvYg"]}"#,
        r#"{"type":"data.objectid","whitelist":[""]}"#,
        r#"{"type":"tokenType","tokenType":"x"}"#,
        r#"{"scope":"unlimited"}"#,
        r#"{"scope":"identityToken","type":"scope"}"#,
        r#"{"scope":"identityToken","type":"data.readonly"}"#,
    ] {
        assert!(serde_json::from_str::<PredicateBuf>(json).is_err(), "{json}");
    }
}

/// JSON and text may omit the mask of a network of one address. The written caveat always has it.
#[test]
fn a_single_address_gets_its_mask() {
    let read = Predicate::read(b"ip = 192.0.2.7|10.0.0.0/8").unwrap();
    assert_eq!(read.to_string(), "ip = 192.0.2.7/32|10.0.0.0/8");
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(json, r#"{"type":"ip","whitelist":["192.0.2.7/32","10.0.0.0/8"]}"#);
    let back: PredicateBuf = serde_json::from_str(r#"{"type":"ip","whitelist":["192.0.2.7"]}"#).unwrap();
    assert_eq!(back.as_str(), "ip = 192.0.2.7/32");
}

#[test]
fn values_are_written_as_onedata_writes_them() {
    let provider = Service { kind: ServiceKind::OpWorker, id: "p1" };
    for (written, text) in [
        (Ok(PredicateBuf::time(UnixTime::MAX)), "time < 18446744073709551615"),
        (PredicateBuf::ip([IpMask::new(Ipv4Addr::new(10, 1, 2, 3), 8).unwrap()]), "ip = 10.1.2.3/8"),
        (PredicateBuf::asn([1, u32::MAX]), "asn = 1|4294967295"),
        (PredicateBuf::geo_country(GeoFilter::Blacklist, ["PL", "UK"]), "geo.country != PL|UK"),
        (
            PredicateBuf::geo_region(GeoFilter::Whitelist, Region::ALL.into_iter().take(2)),
            "geo.region = Africa|Antarctica",
        ),
        (PredicateBuf::service([Service::ONEZONE, provider]), "service = ozw-onezone|opw-p1"),
        (PredicateBuf::consumer([Subject::User("u"), Subject::Provider("*")]), "consumer = usr-u|prv-*"),
        (Ok(PredicateBuf::interface(Interface::Rest)), "interface = rest"),
        (PredicateBuf::ip([]), ""),
        (PredicateBuf::asn([]), ""),
        (PredicateBuf::geo_country(GeoFilter::Whitelist, []), ""),
        (PredicateBuf::geo_country(GeoFilter::Whitelist, ["POL"]), ""),
        (PredicateBuf::geo_country(GeoFilter::Whitelist, ["P|"]), ""),
        // Requests have country codes in capitals: a blacklist of these would exclude no one.
        (PredicateBuf::geo_country(GeoFilter::Blacklist, ["PL", "fr"]), ""),
        (PredicateBuf::geo_country(GeoFilter::Blacklist, ["Pl"]), ""),
        (PredicateBuf::geo_country(GeoFilter::Blacklist, ["P1"]), ""),
        (PredicateBuf::geo_region(GeoFilter::Whitelist, []), ""),
        (PredicateBuf::service([]), ""),
        (PredicateBuf::service([Service { id: "a|opw-b", ..provider }]), ""),
        (PredicateBuf::service([Service { id: "", ..provider }]), ""),
        (PredicateBuf::consumer([]), ""),
        (PredicateBuf::consumer([Subject::Nobody]), ""),
        (PredicateBuf::consumer([Subject::User("a|usr-b")]), ""),
        (PredicateBuf::consumer([Subject::User("a/b")]), ""),
        (PredicateBuf::consumer([Subject::User("a"), Subject::Group("")]), ""),
    ] {
        match text {
            "" => assert_eq!(written, Err(ListError)),
            _ => assert_eq!(written.unwrap().as_str(), text),
        }
    }
    assert_eq!(IpMask::new(Ipv4Addr::UNSPECIFIED, 33), None);
}

#[test]
fn paths_are_spelled_out() {
    let Some(Predicate::DataPath(paths)) = Predicate::read(b"data.path = L3NwYWNlMS9maWxlMS50eHQ=|L2E=")
    else {
        panic!("these are paths");
    };
    let read: Vec<_> = paths.iter().map(|path| path.to_path().unwrap()).collect();
    assert_eq!(read, ["/space1/file1.txt", "/a"]);
}

/// Any bytes are read. They are a path only if they can name a file in a space.
#[test]
fn bytes_that_are_no_path_are_said_to_be_none() {
    for (base64, bytes) in [
        ("", &b""[..]),
        ("Lw==", b"/"),
        ("c3BhY2U=", b"space"),
        ("L3NwYWNlLw==", b"/space/"),
        ("L2EvL2I=", b"/a//b"),
        ("L2EvLi4vYg==", b"/a/../b"),
        ("L2EvLg==", b"/a/."),
        ("L2EK", b"/a\n"),
        ("L/8=", b"/\xff"),
        ("L2EAYg==", b"/a\0b"),
    ] {
        let text = format!("data.path = L2E=|{base64}");
        let Some(Predicate::DataPath(paths)) = Predicate::read(text.as_bytes()) else { panic!("{text}") };
        let path = paths.iter().nth(1).unwrap();
        assert_eq!((path.as_base64(), path.to_bytes(), path.to_path()), (base64, bytes.to_vec(), None));
        assert_eq!(PredicateBuf::read(&text), None, "{text}");
    }
    // Whitespace and bits behind the last byte do not matter, and are not written.
    let read = Predicate::read(b"data.path = L2 EvYh=\n=").unwrap();
    assert_eq!(read.to_string(), "data.path = L2EvYg==");
}

/// Values that no request can have are read, since Onedata reads them, and never written into a new token.
#[test]
fn what_no_request_has_is_read_and_not_written() {
    for (text, written) in [
        ("time < -1", "time < -1"),
        ("time < 18446744073709551616", "time < 18446744073709551616"),
        ("asn = -1", "asn = -1"),
        ("asn = 4294967296", "asn = 4294967296"),
        ("asn = 1|-007", "asn = 1|-7"),
        ("geo.country = PL|", "geo.country = PL|"),
        ("geo.country != |", "geo.country != |"),
        ("geo.country = POL", "geo.country = POL"),
        ("geo.country = \u{e9}", "geo.country = \u{e9}"),
        ("geo.region = Mars", "geo.region = Mars"),
        ("service = opw-", "service = opw-"),
        ("consumer = nobody", "consumer = nobody"),
        ("consumer = usr-", "consumer = usr-"),
        ("consumer = usr-a/b", "consumer = usr-a/b"),
        ("api = all/all/user..", "api = all/all/user..:private"),
        ("data.objectid = 0g", "data.objectid = 0g"),
        ("data.objectid = 0", "data.objectid = 0"),
    ] {
        let read = Predicate::read(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is not read"));
        assert_eq!(read.to_string(), written);
        assert_eq!(PredicateBuf::read(text), None, "{text:?}");
    }
}

/// Another spelling of the same caveat is written as Onedata writes it.
#[test]
fn spellings_are_written_as_onedata_writes_them() {
    for (text, written) in [
        ("time < +007", "time < 7"),
        ("time < -0", "time < 0"),
        ("time < 00", "time < 0"),
        ("asn = 01|+2", "asn = 1|2"),
        ("ip = 1.2.3.4/", "ip = 1.2.3.4/32"),
        ("ip = /1.2.3.4//+08", "ip = 1.2.3.4/8"),
        ("api = all/all/user.a:b.x", "api = all/all/user.a:b.x:private"),
    ] {
        assert_eq!(PredicateBuf::read(text).unwrap().as_str(), written, "{text:?}");
    }
}

/// Forms that serde would also read, but that are not the JSON form.
#[test]
fn only_objects_of_exactly_the_right_members_are_caveats() {
    for json in [
        r#"["time",5]"#,
        r#"["identityToken"]"#,
        r#"["data.readonly"]"#,
        r#"{"type":0,"validUntil":5}"#,
        r#"{"type":"geo.country","filter":{"whitelist":null},"list":["PL"]}"#,
        r#"{"type":"geo.country","filter":"greylist","list":["PL"]}"#,
        r#"{"type":"time","validUntil":5,"x":2}"#,
        r#"{"type":"time","validUntil":5,"interface":"rest"}"#,
        r#"{"type":"time","validUntil":-5}"#,
        r#"{"type":"asn","whitelist":["5"]}"#,
        r#"{"type":"ip","whitelist":[5]}"#,
        r#"{"type":"service","whitelist":[]}"#,
        r#"{"scope":"identityToken","type":"time","validUntil":5}"#,
        r#"{"scope":"anything"}"#,
        "{}",
        "null",
        "5",
    ] {
        assert!(serde_json::from_str::<PredicateBuf>(json).is_err(), "{json}");
    }
}

#[test]
fn lists_are_equal_when_their_texts_are() {
    let [one, same, other] =
        ["asn = 1|2", "asn = 1|2", "asn = 2|1"].map(|text| Predicate::read(text.as_bytes()));
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert!(format!("{one:?}").contains("1|2"), "{one:?}");
}

#[test]
fn paths_and_object_ids_are_returned_as_written() {
    let read = |text: &'static str| Predicate::read(text.as_bytes());
    let Some(Predicate::DataPath(paths)) = read("data.path = L3MvZg==|L3Q=") else { panic!("paths") };
    assert_eq!(paths.iter().map(|path| path.as_base64()).collect::<Vec<_>>(), ["L3MvZg==", "L3Q="]);
    let Some(Predicate::DataObjectId(ids)) = read("data.objectid = 00ff|AB") else { panic!("ids") };
    assert_eq!(ids.iter().collect::<Vec<_>>(), ["00ff", "AB"]);
}

#[test]
fn the_error_of_another_value_names_the_expected_object() {
    let error = serde_json::from_str::<PredicateBuf>("[]").unwrap_err();
    assert!(error.to_string().contains("the JSON object of a caveat"), "{error}");
}

/// Lower-case codes that Onedata wrote are read, but not written.
#[test]
fn a_country_in_lower_case_is_read_and_not_written() {
    for text in ["geo.country != pl", "geo.country = PL|fr"] {
        let read = Predicate::read(text.as_bytes()).unwrap();
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<PredicateBuf>(&json).unwrap().as_str(), text);
        assert_eq!(PredicateBuf::read(text), None);
    }
    assert!(PredicateBuf::read("geo.country != PL|FR").is_some());
}

#[test]
fn a_caveat_that_is_not_known_has_a_known_one_near() {
    for (text, form) in [
        ("tiem < 5", Some("time < SECONDS")),
        ("time<5", Some("time < SECONDS")),
        ("time < infinity", Some("time < SECONDS")),
        ("TIME < 5", Some("time < SECONDS")),
        ("geo.county = PL", Some("geo.country = CC|…")),
        ("geo.country != pl", Some("geo.country = CC|…")),
        ("data.read-only", Some("data.readonly")),
        ("tokentype = x", Some("tokenType = TYPE")),
        ("colour = blue", None),
        ("a", None),
        ("", None),
        (&"time".repeat(1000), None),
    ] {
        assert_eq!(Predicate::nearest(text), form, "{text}");
    }
}
