//! A Onezone in small. Run it as often as you like.

use std::{error::Error, fs, path::Path};

use token_api::{Authority, ClaimId, Config, Entity, Host, HostError, KeyRing, Purpose, RedbStore, Subject};

/// One space, and one user who may have it supported: your server's own knowledge.
struct Members;

impl Host for Members {
    fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
        Ok(*resource == Entity::space("s1"))
    }

    fn may(&self, who: Subject<&str>, what: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(who == Subject::User("u1") && what == Purpose::SpaceSupport)
    }
}

/// Makes the key ring and the store where there is neither. Where one of them is missing, a person has to restore it:
/// with a new one in its place, no token would be valid.
fn open(home: &Path) -> Result<(KeyRing, RedbStore), Box<dyn Error>> {
    let (keys, store) = (home.join("keys"), home.join("tokens.redb"));
    if keys.try_exists()? || store.try_exists()? {
        return Ok((KeyRing::load(keys)?, RedbStore::open(store)?));
    }
    fs::create_dir_all(home)?;
    Ok((KeyRing::create(keys)?, RedbStore::create(store)?))
}

/// Mints a token and spends it.
pub(crate) fn run(home: &Path) -> Result<(), Box<dyn Error>> {
    let (keys, store) = open(home)?;
    let authority = Authority::new(store, keys, Members, Config::default())?;

    // GET /spaces/s1/providers/token
    let body = authority.get_space_provider_token(Some(Subject::User("u1")), "s1")?;

    // A provider presents the token. The claim names this spend: a retry gets the same answer and costs nothing.
    let (claim, mut context) = (ClaimId::new("request 1")?, authority.context());
    context.consumer = Some(Subject::Provider("p1".into()));
    let spend = || authority.spend(&body.token, Purpose::SpaceSupport, &claim, &context);
    assert!(!spend()?.repeated);
    assert!(spend()?.repeated);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(Path::new("onezone-data"))
}
