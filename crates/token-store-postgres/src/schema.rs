//! The tables.

use crate::{
    error::{self, Failure},
    session::Session,
};
use token_store::StoreError;

/// The statements that create the tables.
const TABLES: &str = include_str!("schema.sql");

/// The version of the tables that this program needs.
const KNOWN: u32 = 1;

/// Checks that the tables have the version that this program needs. `NotFound` if there are none, else `OlderVersion`
/// or `NewerVersion`.
pub(crate) async fn check(session: &Session) -> Result<(), Failure> {
    match version(session).await? {
        None => Err(Failure::Refused(StoreError::NotFound { path: session.target.place.clone().into() })),
        Some(found) if found < KNOWN => {
            Err(Failure::Refused(StoreError::OlderVersion { found, known: KNOWN }))
        }
        Some(found) if found > KNOWN => {
            Err(Failure::Refused(StoreError::NewerVersion { found, known: KNOWN }))
        }
        Some(_) => Ok(()),
    }
}

/// Creates the tables if there are none; else checks their version. `ForeignOwner` if another role owns the schema.
pub(crate) async fn create(session: &Session) -> Result<(), Failure> {
    /// How often to try if other hosts create them at the same time.
    const ATTEMPTS: usize = 5;
    let mut attempt = 0_usize;
    loop {
        // Check before reading: another owner's schema may contain code that would run with this user's rights.
        owned(session).await?;
        if version(session).await?.is_some() {
            check(session).await?;
            // Another host may have created them a moment ago.
            return session.settle().await;
        }
        attempt = attempt.saturating_add(1);
        let done = create_all(session).await;
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

// If two hosts create the tables, one fails since they exist.
async fn create_all(session: &Session) -> Result<(), Failure> {
    session.simple("BEGIN").await?;
    session.simple(TABLES).await?;
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
            let (place, owner) = (session.target.place.clone(), error::shown(&owner));
            Err(Failure::Refused(StoreError::ForeignOwner { place, owner }))
        }
    }
}

// Returns the version of the tables; `None` if there are none.
async fn version(session: &Session) -> Result<Option<u32>, Failure> {
    let rows = match session.simple("SELECT version FROM onetoken.store").await {
        Err(Failure::Refused(StoreError::NotFound { .. })) => return Ok(None),
        rows => rows?,
    };
    let strange = || Failure::Refused(session.strange("tables without a version"));
    let row = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
    row.and_then(|text| text.parse().ok()).map(Some).ok_or_else(strange)
}
