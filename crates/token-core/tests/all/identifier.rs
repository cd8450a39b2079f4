//! The grammar of identifiers (`onedata-tokens.md` §3).

use token_core::{
    BuildError, Identifier, IdentifierV2, InviteConsumer, InviteType, Persistence, Problem, RootKey, Subject,
    Token, TokenType,
};

fn v2(text: &str) -> IdentifierV2<&str> {
    match Identifier::read(text.as_bytes()) {
        Ok(Identifier::V2(identifier)) => identifier,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn every_part_is_read() {
    let cases = [
        (
            "2/nmd/usr-u1/act/id1",
            Persistence::Named,
            Subject::User("u1"),
            TokenType::Access { session: None },
        ),
        (
            "2/tmp-0/prv-p1/idn/id1",
            Persistence::Temporary { generation: 0 },
            Subject::Provider("p1"),
            TokenType::Identity,
        ),
        (
            "2/tmp-18446744073709551615/grp-g1/act:s:1/id1",
            Persistence::Temporary { generation: u64::MAX },
            Subject::Group("g1"),
            TokenType::Access { session: Some("s:1") },
        ),
        (
            "2/nmd/nobody/ssp:s1:ge/id1",
            Persistence::Named,
            Subject::Nobody,
            TokenType::Invite { invite: InviteType::SupportSpace, target: "s1" },
        ),
    ];
    for (text, persistence, subject, token_type) in cases {
        let identifier = v2(text);
        assert_eq!(identifier, IdentifierV2 { persistence, subject, token_type, id: "id1" });
        assert_eq!(identifier.write().unwrap(), text);
        assert_eq!(Identifier::read(text.as_bytes()).unwrap().id(), b"id1");
    }
}

/// The parameters behind the target of `ssp` have had no meaning since 21.02; 20.02 wrote several values.
#[test]
fn parameters_of_support_are_taken_and_dropped() {
    for text in ["2/nmd/usr-u/ssp:s1:ge/x", "2/nmd/usr-u/ssp:s1:/x", "2/nmd/usr-u/ssp:s1:ll/x"] {
        let expected = TokenType::Invite { invite: InviteType::SupportSpace, target: "s1" };
        assert_eq!(v2(text).token_type, expected);
        assert_eq!(v2(text).write().unwrap(), "2/nmd/usr-u/ssp:s1:ge/x");
    }
}

#[test]
fn what_onedata_does_not_write_is_refused_and_placed() {
    let (version, parts, persistence) = ("the version `2`", "five parts", "the persistence");
    let (subject, token_type, id, utf8) = ("a subject", "a type", "an id", "UTF-8");
    let cases: &[(&[u8], &str, usize)] = &[
        // Another version, or a number that is not written as Onedata writes it.
        (b"+2/nmd/usr-u/act/id", version, 0),
        (b"-2/nmd/usr-u/act/id", version, 0),
        (b"02/nmd/usr-u/act/id", version, 0),
        (b"1/x", version, 0),
        (b"0/x", version, 0),
        (b"3/nmd/usr-u/act/id", version, 0),
        (b"22/nmd/usr-u/act/id", version, 0),
        (b"99999999999999999999999999/x", version, 0),
        // Five parts.
        (b"2/", parts, 2),
        (b"2/nmd", parts, 5),
        (b"2/nmd/usr-u", parts, 11),
        (b"2/nmd/usr-u/act", parts, 15),
        (b"2/nmd/usr-u/act/id/", parts, 18),
        (b"2/nmd/usr-u/act/id/more", parts, 18),
        // Persistence.
        (b"2//usr-u/act/id", persistence, 2),
        (b"2/NMD/usr-u/act/id", persistence, 2),
        (b"2/tmp/usr-u/act/id", persistence, 2),
        (b"2/tmp-/usr-u/act/id", persistence, 2),
        (b"2/tmp--5/usr-u/act/id", persistence, 2),
        (b"2/tmp-+5/usr-u/act/id", persistence, 2),
        (b"2/tmp-05/usr-u/act/id", persistence, 2),
        (b"2/tmp-5a/usr-u/act/id", persistence, 2),
        (b"2/tmp-18446744073709551616/usr-u/act/id", persistence, 2),
        // Subject.
        (b"2/nmd//act/id", subject, 6),
        (b"2/nmd/usr-/act/id", subject, 6),
        (b"2/nmd/usr/act/id", subject, 6),
        (b"2/nmd/root/act/id", subject, 6),
        (b"2/nmd/nobody-x/act/id", subject, 6),
        (b"2/nmd/USR-u/act/id", subject, 6),
        (b"2/nmd/usr-a|b/act/id", subject, 6),
        // Type.
        (b"2/nmd/usr-u//id", token_type, 12),
        (b"2/nmd/usr-u/act:/id", token_type, 12),
        (b"2/nmd/usr-u/idn:/id", token_type, 12),
        (b"2/nmd/usr-u/idn:x/id", token_type, 12),
        (b"2/nmd/usr-u/acc/id", token_type, 12),
        (b"2/nmd/usr-u/ssp/id", token_type, 12),
        (b"2/nmd/usr-u/ssp:s1/id", token_type, 12),
        (b"2/nmd/usr-u/ssp::ge/id", token_type, 12),
        (b"2/nmd/usr-u/ssp:s1:ge:x/id", token_type, 12),
        (b"2/nmd/usr-u/ujg:g1/id", token_type, 12),
        (b"2/nmd/usr-u/ujg::/id", token_type, 12),
        (b"2/nmd/usr-u/ujg:g1:ge/id", token_type, 12),
        (b"2/nmd/usr-u/xyz:g1:/id", token_type, 12),
        (b"2/nmd/usr-u/SSP:s1:ge/id", token_type, 12),
        // Id and text.
        (b"2/nmd/usr-u/act/", id, 16),
        (b"2/nmd/usr-u\xff/act/id", utf8, 11),
    ];
    for (text, problem, at) in cases {
        let shown = text.escape_ascii();
        let error = Identifier::read(text).unwrap_err();
        let Problem::Identifier(expected) = error.problem() else { panic!("{shown}: {error}") };
        assert!(expected.starts_with(problem), "{shown}: {error}");
        assert_eq!((error.offset(), error.unit()), (*at, "byte"), "{shown}");
        let key = RootKey::from_derived([1; 32]);
        if let Ok(text) = str::from_utf8(text) {
            assert_eq!(
                Token::mint_legacy(&key, "l", text).unwrap_err(),
                BuildError::Identifier(error),
                "{shown}"
            );
        }
    }
}

#[test]
fn everything_else_is_opaque() {
    let cases: &[&[u8]] = &[
        b"vcPiHpi0xfmkVNtJtyCH5SoGm5Z0000000000000000",
        b"8f2c0123456789abcdef0123456789ab",
        b"2",
        b"22",
        b"v2/nmd/usr-u/act/id",
        b"/2/nmd/usr-u/act/id",
        b"+/x",
        b"-/x",
        b"2 /nmd/usr-u/act/id",
        b" 2/nmd/usr-u/act/id",
        b"2a/x",
        b"\xff\xfe",
        b"\xff/x",
    ];
    for text in cases {
        let identifier = Identifier::read(text).unwrap();
        assert_eq!(identifier, Identifier::Opaque(text));
        assert_eq!((identifier.id(), identifier.v2()), (*text, None));
    }
}

/// code, name and key in JSON, kind of the target, consumer, parameters behind the target
const INVITES: [(&str, &str, &str, &str, InviteConsumer, &str); 14] = [
    ("ujg", "userJoinGroup", "groupId", "group", InviteConsumer::User, ""),
    ("gjg", "groupJoinGroup", "groupId", "group", InviteConsumer::User, ""),
    ("ujs", "userJoinSpace", "spaceId", "space", InviteConsumer::User, ""),
    ("gjs", "groupJoinSpace", "spaceId", "space", InviteConsumer::User, ""),
    ("ssp", "supportSpace", "spaceId", "space", InviteConsumer::Provider, "ge"),
    ("hjs", "harvesterJoinSpace", "spaceId", "space", InviteConsumer::User, ""),
    ("rop", "registerOneprovider", "adminUserId", "user", InviteConsumer::Anyone, ""),
    ("ujc", "userJoinCluster", "clusterId", "cluster", InviteConsumer::User, ""),
    ("gjc", "groupJoinCluster", "clusterId", "cluster", InviteConsumer::User, ""),
    ("ujh", "userJoinHarvester", "harvesterId", "harvester", InviteConsumer::User, ""),
    ("gjh", "groupJoinHarvester", "harvesterId", "harvester", InviteConsumer::User, ""),
    ("sjh", "spaceJoinHarvester", "harvesterId", "harvester", InviteConsumer::User, ""),
    ("uji", "userJoinAtmInventory", "atmInventoryId", "atmInventory", InviteConsumer::User, ""),
    ("gji", "groupJoinAtmInventory", "atmInventoryId", "atmInventory", InviteConsumer::User, ""),
];

#[test]
fn every_invitation_has_its_code_and_its_json() {
    assert_eq!(InviteType::all().len(), INVITES.len());
    for ((code, name, key, kind, consumer, parameters), invite) in INVITES.into_iter().zip(InviteType::all())
    {
        assert_eq!((invite.code(), invite.name()), (code, name));
        assert_eq!((invite.target_key(), invite.target_kind()), (key, kind), "{code}");
        assert_eq!(invite.consumer(), consumer, "{code}");
        assert_eq!((InviteType::from_code(code), InviteType::from_name(name)), (Some(invite), Some(invite)));
        let text = format!("2/nmd/usr-u/{code}:t1:{parameters}/id");
        let identifier = v2(&text);
        assert_eq!(identifier.token_type, TokenType::Invite { invite, target: "t1" });
        assert_eq!(identifier.write().unwrap(), text);
        let json = serde_json::to_string(&identifier.token_type).unwrap();
        assert_eq!(
            json,
            format!(r#"{{"inviteToken":{{"inviteType":"{name}","{key}":"t1","parameters":{{}}}}}}"#)
        );
    }
}

#[test]
fn json_is_as_onedata_writes_it() {
    let cases = [
        (
            "2/nmd/usr-u1/act/x",
            r#"{"version":2,"persistence":"named","subject":{"type":"user","id":"u1"},"type":{"accessToken":{}},"id":"x"}"#,
        ),
        (
            "2/tmp-7/prv-p1/act:s/x",
            r#"{"version":2,"persistence":{"temporary":7},"subject":{"type":"oneprovider","id":"p1"},"type":{"accessToken":{"sessionId":"s"}},"id":"x"}"#,
        ),
        (
            "2/nmd/grp-g1/idn/x",
            r#"{"version":2,"persistence":"named","subject":{"type":"group","id":"g1"},"type":{"identityToken":{}},"id":"x"}"#,
        ),
        (
            "2/nmd/nobody/idn/x",
            r#"{"version":2,"persistence":"named","subject":{"type":"nobody","id":null},"type":{"identityToken":{}},"id":"x"}"#,
        ),
    ];
    for (text, json) in cases {
        assert_eq!(serde_json::to_string(&v2(text)).unwrap(), json);
    }
}

/// A separator in a part would read back as the end of that part, and change the identifier's meaning.
#[test]
fn parts_with_separators_are_not_minted() {
    let whole = v2("2/nmd/usr-u/act:s/id");
    let key = RootKey::from_derived([1; 32]);
    let invite = |target| TokenType::Invite { invite: InviteType::SupportSpace, target };
    let other = |target| TokenType::Invite { invite: InviteType::UserJoinGroup, target };
    for identifier in [
        IdentifierV2 { id: "", ..whole },
        IdentifierV2 { id: "a/b", ..whole },
        IdentifierV2 { id: "/", ..whole },
        IdentifierV2 { subject: Subject::User(""), ..whole },
        IdentifierV2 { subject: Subject::User("a/b"), ..whole },
        IdentifierV2 { subject: Subject::Provider("a|b"), ..whole },
        IdentifierV2 { subject: Subject::User("u/act/id"), ..whole },
        IdentifierV2 { token_type: TokenType::Access { session: Some("") }, ..whole },
        IdentifierV2 { token_type: TokenType::Access { session: Some("a/b") }, ..whole },
        IdentifierV2 { token_type: invite(""), ..whole },
        IdentifierV2 { token_type: invite("a:b"), ..whole },
        IdentifierV2 { token_type: invite("a:"), ..whole },
        IdentifierV2 { token_type: invite("a/b"), ..whole },
        IdentifierV2 { token_type: other(":"), ..whole },
        IdentifierV2 { token_type: other("a:"), ..whole },
    ] {
        assert!(identifier.write().is_err(), "{identifier:?}");
        assert!(
            matches!(Token::mint(&key, "l", &identifier), Err(BuildError::Identifier(_))),
            "{identifier:?}"
        );
    }
    for subject in [Subject::Nobody, Subject::Group("g")] {
        let minted = Token::mint(&key, "l", &IdentifierV2 { subject, ..whole });
        assert_eq!(minted.unwrap_err(), BuildError::Subject, "{subject}");
    }
    let modern = Token::mint_legacy(&key, "l", "2/nmd/usr-u/act/id").unwrap_err();
    assert_eq!(modern, BuildError::NotOpaque);
    assert!(matches!(Token::mint_legacy(&key, "l", ""), Err(BuildError::Empty)));
}

/// The first `tokenType` of a legacy token counts, as in verification. A version-2 identifier counts before any.
#[test]
fn a_token_states_its_purpose() {
    use token_core::{LegacyType, RootKey, Token};
    let key = RootKey::from_derived([7; 32]);
    let legacy = |caveats: &[&str]| {
        let mut token = Token::mint_legacy(&key, "onezone", "opaque").unwrap();
        caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
        token
    };
    assert_eq!(legacy(&["time < 5"]).stated_legacy_type(), None);
    let two = legacy(&["time < 5", "tokenType = space_support_token", "tokenType = space_create_token"]);
    assert_eq!(two.stated_legacy_type(), Some(LegacyType::SpaceSupport));
    let identifier = IdentifierV2 {
        persistence: Persistence::Named,
        subject: Subject::User("u1"),
        token_type: TokenType::Identity,
        id: "t1",
    };
    let mut modern = Token::mint(&key, "onezone", &identifier).unwrap();
    modern.attenuate("tokenType = space_support_token").unwrap();
    assert_eq!(modern.stated_legacy_type(), None);
}
