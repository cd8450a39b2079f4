//! Stores at paths that hold something else, or are shared, moved or replaced.

use std::{fs, path::Path};

use token_core::UnixTime;
use token_store::{KeyRing, Raise, RedbStore, Retry, SledStore, StoreError, TokenStore};
use token_test::{
    files::{content, copy},
    records::{FOR_GOOD, generation, id, user},
    stores::{Backend, EMBEDDED, REDB, SLED},
};

fn foreign_redb(path: &Path) {
    const TABLE: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("theirs");
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TABLE).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
}

/// Something at a path, and whether it must stay the same byte for byte.
type Place = (&'static str, fn(&Path), bool);

#[test]
fn what_is_not_a_store_is_refused_and_left_alone() {
    let garbage = |path: &Path| fs::write(path, [0xa5; 10_000]).unwrap();
    let places: [(Backend, &[Place]); 2] = [
        (
            REDB,
            &[
                ("an empty file", |path| fs::write(path, "").unwrap(), true),
                ("a short file", |path| fs::write(path, "redb").unwrap(), true),
                ("garbage", garbage, true),
                ("an empty directory", |path| fs::create_dir(path).unwrap(), true),
                ("a sled store", |path| drop(SledStore::create(path).unwrap()), true),
                // redb marks the file as open, and as closed again.
                ("a redb database of another program", foreign_redb, false),
            ],
        ),
        (
            SLED,
            &[
                ("an empty file", |path| fs::write(path, "").unwrap(), true),
                ("garbage", garbage, true),
                ("a redb store", |path| drop(RedbStore::create(path).unwrap()), true),
                (
                    "a directory of others",
                    |path| {
                        fs::create_dir(path).unwrap();
                        fs::write(path.join("notes"), "something").unwrap();
                    },
                    true,
                ),
                (
                    "what sled leaves of others",
                    |path| {
                        fs::create_dir(path).unwrap();
                        for name in ["conf", "db", "snap.0000000000000000"] {
                            fs::write(path.join(name), "something").unwrap();
                        }
                    },
                    true,
                ),
            ],
        ),
    ];
    for (backend, places) in places {
        for (name, make, untouched) in places {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("place");
            make(&path);
            let before = content(dir.path());
            let error = (backend.create)(&path).unwrap_err();
            assert!(
                matches!(&error, StoreError::Exists { path: told } if *told == path),
                "{name}: {error:?}"
            );
            assert!(content(dir.path()) == before, "{name} was changed");
            let error = (backend.open)(&path).unwrap_err();
            assert!(
                matches!(&error, StoreError::NotAStore { path: told, .. } if *told == path),
                "{name}: {error:?}"
            );
            if *untouched {
                assert!(content(dir.path()) == before, "{name} was changed");
            }
        }
    }
}

#[test]
fn another_programs_redb_keeps_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs");
    foreign_redb(&path);
    assert!(matches!(RedbStore::open(&path), Err(StoreError::NotAStore { .. })));
    let database = redb::Database::open(&path).unwrap();
    let names: Vec<String> = {
        use redb::{ReadableDatabase, TableHandle};
        database.begin_read().unwrap().list_tables().unwrap().map(|table| table.name().into()).collect()
    };
    assert_eq!(names, ["theirs"]);
}

#[test]
fn a_new_store_stands_where_nothing_stood() {
    for backend in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!((backend.create)(&dir.path().join("absent/store")), Err(StoreError::Io(_))));
        assert!(content(dir.path()).len() == 1, "nothing was made for it");
        drop((backend.create)(&dir.path().join("store")).unwrap());
        drop((backend.open)(&dir.path().join("store")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::create(dir.path()).unwrap());
    drop(SledStore::open(dir.path()).unwrap());
}

#[test]
fn opening_makes_nothing() {
    for backend in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        for path in ["store", "absent/store"].map(|name| dir.path().join(name)) {
            let error = (backend.open)(&path).unwrap_err();
            assert!(matches!(&error, StoreError::NotFound { path: told } if *told == path), "{error:?}");
            assert!(error.to_string().contains("create one there"), "{error}");
        }
        assert!(content(dir.path()).len() == 1, "nothing was made");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(SledStore::open(dir.path()), Err(StoreError::NotFound { .. })), "an empty directory");
    assert!(content(dir.path()).len() == 1, "nothing was made");
}

#[test]
fn a_store_is_not_made_anew() {
    for backend in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop((backend.create)(&path).unwrap());
        let before = content(dir.path());
        let error = (backend.create)(&path).unwrap_err();
        assert!(matches!(&error, StoreError::Exists { path: told } if *told == path), "{error:?}");
        assert!(content(dir.path()) == before);
    }
}

#[test]
fn open_or_create_does_either() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        drop(RedbStore::open_or_create(dir.path().join("redb")).unwrap());
        drop(SledStore::open_or_create(dir.path().join("sled")).unwrap());
    }
    assert!(matches!(RedbStore::open_or_create(dir.path()), Err(StoreError::NotAStore { .. })));
    assert!(matches!(SledStore::open_or_create(dir.path()), Err(StoreError::NotAStore { .. })));
}

#[cfg(unix)]
#[test]
fn a_new_store_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (backend, expected) in [(REDB, 0o600), (SLED, 0o700)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop((backend.create)(&path).unwrap());
        assert_eq!(mode(&path), expected);
    }
    // Also in a directory that all users may enter.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(SledStore::create(dir.path()).unwrap());
    for (name, expected) in [("onetoken-store", 0o600), ("db", 0o600), ("conf", 0o600), ("blobs", 0o700)] {
        assert_eq!(mode(&dir.path().join(name)), expected, "{name}");
    }
}

#[test]
fn a_second_open_is_told_that_it_is_one() {
    for backend in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let first = (backend.create)(&path).unwrap();
        for _ in 0..3 {
            assert!(
                matches!((backend.open)(&path), Err(StoreError::AlreadyOpen { path: told }) if told == path)
            );
        }
        drop(first);
        drop((backend.open)(&path).unwrap());
    }
}

/// As a daemon does.
#[test]
fn a_process_may_change_its_directory() {
    for Backend { create, open, .. } in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        std::env::set_current_dir(&dir).unwrap();
        let store = create(Path::new("store")).unwrap();
        std::env::set_current_dir("/").unwrap();
        let generation = generation(&KeyRing::generate().unwrap(), 1);
        assert_eq!(store.raise_generation(user(), &generation).unwrap(), Raise::Raised);
        drop(store);
        let store = open(&dir.path().join("store")).unwrap();
        assert_eq!(store.generation(user()).unwrap(), Some(generation));
    }
}

#[test]
fn another_version_is_told_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("redb"), dir.path().join("sled"));
    drop((RedbStore::create(&file).unwrap(), SledStore::create(&folder).unwrap()));

    let opened_as = |version: u32| {
        let database = redb::Database::open(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let name = redb::TableDefinition::<&[u8], &[u8]>::new("onetoken");
            let mut table = transaction.open_table(name).unwrap();
            table.insert(b"format".as_slice(), version.to_be_bytes().as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        RedbStore::open(&file).unwrap_err()
    };
    assert!(matches!(opened_as(2), StoreError::NewerVersion { found: 2, known: 1 }));

    let marker = folder.join("onetoken-store");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("store 1\n", "store 2\n")).unwrap();
    assert!(matches!(SledStore::open(&folder), Err(StoreError::NewerVersion { found: 2, known: 1 })));
}

#[test]
fn a_sled_store_that_lost_a_file_is_not_begun_anew() {
    for name in ["db", "conf"] {
        let dir = tempfile::tempdir().unwrap();
        drop(SledStore::create(dir.path()).unwrap());
        fs::remove_file(dir.path().join(name)).unwrap();
        assert!(matches!(SledStore::open(dir.path()), Err(StoreError::Corrupt { .. })), "{name}");
        assert!(!dir.path().join(name).exists(), "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::create(dir.path()).unwrap());
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "onetoken-store" && path.is_file() {
            fs::write(path, "").unwrap();
        }
    }
    assert!(matches!(SledStore::open(dir.path()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_sled_store_whose_making_was_cut_short_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::create(dir.path()).unwrap());
    let marker = dir.path().join("onetoken-store");
    let text = fs::read_to_string(&marker).unwrap();
    for len in [0, 5, text.len() - 1] {
        fs::write(&marker, &text[..len]).unwrap();
        assert!(matches!(SledStore::open(dir.path()), Err(StoreError::NotFound { .. })), "not yet a store");
        drop(SledStore::create(dir.path()).unwrap());
        assert_eq!(fs::read_to_string(&marker).unwrap(), text);
    }
}

/// sled writes its `conf` first, and refuses one that is cut short.
#[test]
fn a_sled_store_whose_making_was_cut_short_at_once_is_begun_again() {
    let made = tempfile::tempdir().unwrap();
    drop(SledStore::create(made.path()).unwrap());
    let conf = fs::read(made.path().join("conf")).unwrap();
    for len in 0..conf.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("onetoken-store"), "").unwrap();
        fs::create_dir(dir.path().join("blobs")).unwrap();
        fs::write(dir.path().join("conf"), &conf[..len]).unwrap();
        drop(SledStore::create(dir.path()).unwrap_or_else(|error| panic!("{len}: {error}")));
        drop(SledStore::open(dir.path()).unwrap());
    }
}

#[test]
fn an_unfinished_snapshot_of_sled_is_set_aside() {
    for unfinished in [b"".as_slice(), b"half of it"] {
        let dir = tempfile::tempdir().unwrap();
        drop(SledStore::create(dir.path()).unwrap());
        let name = "snap.FFFFFFFFFFFFFFFF.generating";
        fs::write(dir.path().join(name), unfinished).unwrap();
        drop(SledStore::open(dir.path()).unwrap());
        assert!(!dir.path().join(name).exists());
        assert_eq!(fs::read(dir.path().join(format!("aside.{name}"))).unwrap(), unfinished);
    }
}

#[test]
fn an_inspection_leaves_the_store_alone() {
    for backend in EMBEDDED {
        let inspect = backend.inspect;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let nothing = inspect(&path);
        assert!(matches!(nothing, Err(StoreError::NotFound { path: named }) if named == path));
        assert!(!path.exists());

        let store = (backend.create)(&path).unwrap();
        assert!(matches!(inspect(&path), Err(StoreError::AlreadyOpen { path: named }) if named == path));
        drop(store);
        let before = content(&path);
        let store = inspect(&path).unwrap();
        assert_eq!(store.get(&id("a")).unwrap(), None);
        assert!(matches!(store.revoke(&id("a"), &FOR_GOOD), Err(StoreError::ReadOnly)));
        let another = inspect(&path).unwrap();
        assert_eq!(another.purge(UnixTime::MAX, 0).unwrap(), 0);
        assert!(matches!(another.purge(UnixTime::MAX, 1), Err(StoreError::ReadOnly)));
        drop((store, another));
        assert_eq!(content(&path), before);
        drop((backend.open)(&path).unwrap());
    }
}

#[test]
fn an_inspection_makes_no_store_of_what_is_none() {
    for Backend { inspect, .. } in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        for (name, make) in [
            ("an empty directory", (|path| fs::create_dir(path).unwrap()) as fn(&Path)),
            ("garbage", |path| fs::write(path, [0xa5; 10_000]).unwrap()),
            ("an empty file", |path| fs::write(path, "").unwrap()),
        ] {
            let path = dir.path().join(name);
            make(&path);
            let before = content(&path);
            let refused = inspect(&path).err();
            assert!(
                matches!(
                    refused,
                    Some(StoreError::NotFound { .. } | StoreError::NotAStore { .. } | StoreError::Io(_))
                ),
                "{name}: {refused:?}"
            );
            assert_eq!(content(&path), before);
        }
    }
}

/// A file that begins as redb and ends within its header is damaged, so that a retry is pointless.
#[test]
fn a_redb_file_that_is_cut_within_its_header_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(RedbStore::create(&path).unwrap());
    for len in [319, 200, 64, 10] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        let error = RedbStore::open(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::NotAStore { .. }),
            "{len} bytes: {error:?}"
        );
    }
}

/// A change to the files of an open store, and the only backend that it applies to, if any.
type Loss = (&'static str, Option<Backend>, fn(&Path));

/// A store whose file was moved away acknowledges nothing, and reads nothing from then on.
#[cfg(unix)]
#[test]
fn a_store_that_is_moved_or_replaced_while_it_is_open_stops() {
    let keys = KeyRing::generate().unwrap();
    let raise =
        |store: &dyn TokenStore, number: u64| store.raise_generation(user(), &generation(&keys, number));
    let ways: [Loss; 7] = [
        ("moved", None, |path| fs::rename(path, path.with_file_name("aside")).unwrap()),
        ("its directory moved", None, |path| {
            let dir = path.parent().unwrap();
            fs::rename(dir, dir.with_file_name("aside")).unwrap();
        }),
        ("removed", None, |path| match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }),
        ("replaced by a copy", None, |path| {
            let aside = path.with_file_name("aside");
            fs::rename(path, &aside).unwrap();
            copy(&aside, path);
        }),
        ("a link that leads elsewhere", None, |path| {
            let (aside, other) = (path.with_file_name("aside"), path.with_file_name("other"));
            fs::rename(path, &aside).unwrap();
            fs::write(&other, "").unwrap();
            std::os::unix::fs::symlink(&other, path).unwrap();
        }),
        ("its log removed", Some(SLED), |path| fs::remove_file(path.join("db")).unwrap()),
        ("its marker removed", Some(SLED), |path| fs::remove_file(path.join("onetoken-store")).unwrap()),
    ];
    for backend in EMBEDDED {
        for (way, only, lose) in ways {
            if only.is_some_and(|only| only.name != backend.name) {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("in")).unwrap();
            let path = dir.path().join("in/store");
            let store = (backend.create)(&path).unwrap();
            assert_eq!(raise(&*store, 1).unwrap(), Raise::Raised);
            lose(&path);
            let error = raise(&*store, 2).unwrap_err();
            assert!(
                matches!(&error, StoreError::Replaced { path: named } if *named == path),
                "{way}: {error}"
            );
            assert_eq!(error.retry(), Retry::Ask);
            assert!(matches!(store.generation(user()), Err(StoreError::Replaced { .. })), "{way}");
            if way == "replaced by a copy" {
                let other = (backend.open)(&path).unwrap();
                assert_eq!(raise(&*other, 2).unwrap(), Raise::Raised);
                assert!(matches!(raise(&*store, 2), Err(StoreError::Replaced { .. })));
                assert_eq!(other.generation(user()).unwrap().unwrap().number, 2);
            }
        }
    }
}
