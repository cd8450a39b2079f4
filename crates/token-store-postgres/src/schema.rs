//! The tables, created by numbered migrations that only go forward.
//!
//! Migration crates depend on parsers of files, dates and regular expressions, and none for this driver keeps two
//! hosts from migrating at once. Some statements in one transaction suffice.

use crate::{
    error::{self, Failure},
    session::Session,
};
use token_store::StoreError;

/// The statements that migrate the tables from each version to the next.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version of the tables that this program needs.
const KNOWN: u32 = 1;

const _: () = assert!(STEPS.len() == KNOWN as usize);

/// Checks that the tables have the version that this program needs.
pub(crate) async fn check(session: &Session) -> Result<(), Failure> {
    match version(session, "").await? {
        None => Err(Failure::Refused(StoreError::NotFound { path: session.place.clone().into() })),
        Some(found) if found < KNOWN => {
            Err(Failure::Refused(StoreError::OlderVersion { found, known: KNOWN }))
        }
        Some(found) if found > KNOWN => {
            Err(Failure::Refused(StoreError::NewerVersion { found, known: KNOWN }))
        }
        Some(_) => Ok(()),
    }
}

/// Creates or migrates the tables.
pub(crate) async fn migrate(session: &Session) -> Result<(), Failure> {
    /// How often to try if other hosts migrate at the same time.
    const ATTEMPTS: usize = 5;
    let mut attempt = 0_usize;
    loop {
        // Check before reading: another owner's schema may contain code that would run with this user's rights.
        owned(session).await?;
        let found = version(session, "").await?.unwrap_or(0);
        if found >= KNOWN {
            check(session).await?;
            // Another host may have created them a moment ago.
            return session.settle().await;
        }
        attempt = attempt.saturating_add(1);
        let done = step(session, found).await;
        if done.is_err() {
            drop(session.simple("ROLLBACK").await);
        }
        match done {
            Err(failure @ Failure::Refused(StoreError::Denied { .. } | StoreError::ForeignOwner { .. })) => {
                return Err(failure);
            }
            Err(failure) if attempt == ATTEMPTS => return Err(failure),
            _ => {}
        }
    }
}

// Runs all migrations from this version on in one transaction. If two hosts create the tables, one fails since they
// exist. If two hosts migrate, one waits for the other and then finds another version.
async fn step(session: &Session, found: u32) -> Result<(), Failure> {
    let steps: String = STEPS.into_iter().skip(usize::try_from(found).unwrap_or(STEPS.len())).collect();
    session.simple("BEGIN").await?;
    if found > 0 {
        if version(session, "FOR UPDATE").await? != Some(found) {
            session.simple("ROLLBACK").await?;
            return Ok(());
        }
        session.simple(&format!("UPDATE onetoken.store SET version = {KNOWN}")).await?;
    }
    session.simple(&steps).await?;
    // Another user may have created the schema a moment ago.
    owned(session).await?;
    session.simple("COMMIT").await?;
    Ok(())
}

// Checks that the schema belongs to this user, or does not exist. Its owner can change everything in it.
async fn owned(session: &Session) -> Result<(), Failure> {
    let rows = session
        .simple(
            "SELECT pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace
             WHERE nspname = 'onetoken' AND pg_get_userbyid(nspowner) <> current_user",
        )
        .await?;
    match rows.into_iter().flatten().flatten().next() {
        None => Ok(()),
        Some(owner) => {
            let (place, owner) = (session.place.clone(), error::shown(&owner));
            Err(Failure::Refused(StoreError::ForeignOwner { place, owner }))
        }
    }
}

// Returns the version of the tables; `None` if there are none.
async fn version(session: &Session, lock: &str) -> Result<Option<u32>, Failure> {
    let rows = match session.simple(&format!("SELECT version FROM onetoken.store {lock}")).await {
        Err(Failure::Refused(StoreError::NotFound { .. })) => return Ok(None),
        rows => rows?,
    };
    let strange = || Failure::Refused(session.strange("tables without a version"));
    let row = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
    row.and_then(|text| text.parse().ok()).map(Some).ok_or_else(strange)
}
