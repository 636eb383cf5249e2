//! What IndexedDB's errors mean.

use indexed_db_futures::{
    error::{DomException, Error as Cause, OpenDbError},
    internals::SystemRepr,
    object_store::ObjectStore,
    transaction::Transaction,
};

use crate::store::Error;

/// The end of a transaction, kept to ask it why it was aborted.
pub(super) struct Failure {
    transaction: web_sys::IdbTransaction,
}

impl Failure {
    /// Errors of single requests abort their transaction; its end tells them all.
    pub(super) fn only_from_the_end(transaction: &Transaction<'_>) {
        transaction.as_sys().set_onerror(None);
    }

    /// Of this transaction.
    pub(super) fn of(transaction: &Transaction<'_>) -> Self {
        let transaction: &web_sys::IdbTransaction = transaction.as_sys();
        Self { transaction: transaction.clone() }
    }

    /// Of the transaction that this object store was got in.
    pub(super) fn of_store(store: &ObjectStore<'_>) -> Self {
        Self { transaction: store.as_sys().transaction() }
    }

    /// What went wrong, given what was noticed first.
    pub(super) fn explain(&self, noticed: Cause) -> Error {
        self.told().unwrap_or_else(|| from(noticed))
    }

    /// What went wrong, if the transaction says so.
    pub(super) fn told(&self) -> Option<Error> {
        self.transaction.error().map(|cause| from_exception(&cause))
    }
}

/// An error of a request or a transaction.
pub(super) fn from(cause: Cause) -> Error {
    match cause {
        Cause::DomException(exception) => from_exception(&web_sys::DomException::from(exception)),
        other => Error::Backend(other.to_string()),
    }
}

/// An error of opening or deleting a database.
pub(super) fn from_opening(cause: OpenDbError) -> Error {
    match cause {
        OpenDbError::Base(cause) => from(cause),
        other => Error::Backend(format!("this browser gives no IndexedDB here: {other}")),
    }
}

/// Whether a database could not be opened because its version is higher.
pub(super) fn is_version_error(cause: &OpenDbError) -> bool {
    match cause {
        OpenDbError::Base(Cause::DomException(DomException::Other(exception))) => {
            exception.name() == "VersionError"
        }
        _ => false,
    }
}

/// The error of an upgrade that can't be made.
pub(super) fn refuse_upgrade(reason: &str) -> Cause {
    js_sys::Error::new(reason).into()
}

fn from_exception(exception: &web_sys::DomException) -> Error {
    match exception.name().as_str() {
        "QuotaExceededError" => Error::QuotaExceeded,
        name => Error::Backend(format!("{name}: {}", exception.message())),
    }
}
