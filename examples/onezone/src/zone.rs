//! What this zone knows: its users, providers, groups and spaces. A real one has a database.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use token_api::{Entity, EntityKind, Host, HostError, Purpose, Subject};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    users: BTreeMap<String, Account>,
    providers: BTreeMap<String, Account>,
    /// For each group the users who may make tokens for it; likewise for each space.
    groups: BTreeMap<String, BTreeSet<String>>,
    spaces: BTreeMap<String, BTreeSet<String>>,
    /// The providers of each space, until the server ends.
    #[serde(skip)]
    supports: Mutex<BTreeSet<(String, String)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    id: String,
    password: String,
    #[serde(default)]
    admin: bool,
}

impl Zone {
    /// Returns who this is; `None` if there is no such name or the password is another.
    pub fn authenticate(&self, name: &str, password: &str) -> Option<Subject<String>> {
        let known = |account: &&Account| bool::from(account.password.as_bytes().ct_eq(password.as_bytes()));
        let user = self.users.get(name).filter(known).map(|user| Subject::User(user.id.clone()));
        user.or_else(|| {
            let provider = self.providers.get(name).filter(known)?;
            Some(Subject::Provider(provider.id.clone()))
        })
    }

    /// Makes the provider support the space. Doing it again changes nothing, so a retry is harmless.
    pub fn support(&self, space: &str, provider: &str) {
        let mut supports = self.supports.lock().unwrap_or_else(PoisonError::into_inner);
        supports.insert((space.to_owned(), provider.to_owned()));
    }

    fn members(&self, resource: &Entity) -> Option<&BTreeSet<String>> {
        match resource.known_kind()? {
            EntityKind::Group => self.groups.get(&resource.id),
            EntityKind::Space => self.spaces.get(&resource.id),
            _ => None,
        }
    }
}

impl Host for Zone {
    fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
        Ok(self.members(resource).is_some())
    }

    fn may(&self, who: Subject<&str>, _: Purpose, resource: &Entity) -> Result<bool, HostError> {
        let Subject::User(user) = who else { return Ok(false) };
        Ok(self.members(resource).is_some_and(|members| members.contains(user)))
    }

    fn may_see(&self, who: Subject<&str>, _: &Entity) -> Result<bool, HostError> {
        let Subject::User(id) = who else { return Ok(false) };
        Ok(self.users.values().any(|user| user.id == id && user.admin))
    }
}
