//! What an error of PostgreSQL means: the codes are those of its documentation, appendix A.

use sqlx::migrate::MigrateError;

use crate::store::StoreError;

/// SQLSTATE, if the server said something.
fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// The transaction was rolled back because of another one: the same may succeed now.
pub fn is_serialisation(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}

/// The connection is gone, or the server goes, comes, or is only to be read: another connection may do.
pub fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        error => code(error).is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300" | "25006" | "25P03")
        }),
    }
}

/// A lock was waited for in vain: the process that has it is slow, or halted.
pub fn is_locked(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("55P03")
}

/// Somebody else makes the same table at the same time.
pub fn is_made_meanwhile(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    is_serialisation(error) || matches!(code(error).as_deref(), Some("23505" | "42P07" | "42710" | "42P06" | "XX000"))
}

fn inner(error: &StoreError) -> Option<&sqlx::Error> {
    match error {
        StoreError::Database(error)
        | StoreError::Migration(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Some(error),
        _ => None,
    }
}

/// Whether a database that cannot be used now may be used later as it is.
pub fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::Busy | StoreError::Silent) || inner(error).is_some_and(is_lost)
}

/// Whether the settings are wrong: the login, the database's name, its rights or its certificate.
pub fn is_misconfigured(error: &StoreError) -> bool {
    inner(error).is_some_and(|error| match error {
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => true,
        error => matches!(code(error).as_deref(), Some("28P01" | "28000" | "3D000" | "42501")),
    })
}
