//! What IndexedDB's errors mean.

use std::time::Duration;

use indexed_db_futures::{
    error::{DomException, Error as Cause, OpenDbError},
    internals::SystemRepr,
    object_store::ObjectStore,
    transaction::Transaction,
};
use wasm_bindgen_futures::JsFuture;

use crate::{platform, store::Error};

/// How long the end of an aborted transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The end of a transaction, kept to ask it why it was aborted.
pub struct Failure {
    transaction: web_sys::IdbTransaction,
}

impl Failure {
    /// Errors of single requests abort their transaction; its end tells them all.
    pub fn only_from_the_end(transaction: &Transaction<'_>) {
        transaction.as_sys().set_onerror(None);
    }

    /// Of this transaction.
    pub fn of(transaction: &Transaction<'_>) -> Self {
        let transaction: &web_sys::IdbTransaction = transaction.as_sys();
        Self { transaction: transaction.clone() }
    }

    /// Of the transaction that this object store was got in.
    pub fn of_store(store: &ObjectStore<'_>) -> Self {
        Self { transaction: store.as_sys().transaction() }
    }

    /// What went wrong, given what was noticed first.
    pub fn explain(&self, noticed: Cause) -> Error {
        self.told().unwrap_or_else(|| from(noticed))
    }

    /// What went wrong, given what a request said: that it was aborted with its transaction, in
    /// Firefox, comes before the transaction says why.
    pub async fn explain_request(&self, noticed: Cause) -> Error {
        let is_aborted = matches!(&noticed, Cause::DomException(of) if of.name() == "AbortError");
        if is_aborted && self.transaction.error().is_none() {
            let ended = js_sys::Promise::new(&mut |resolve, _| {
                // A listener can always be added.
                let _ = self.transaction.add_event_listener_with_callback("abort", &resolve);
            });
            // Nothing comes where it had ended before.
            platform::timeout(PATIENCE, JsFuture::from(ended)).await;
        }
        self.explain(noticed)
    }

    /// What went wrong, if the transaction says so.
    pub fn told(&self) -> Option<Error> {
        self.transaction.error().map(|cause| from_exception(&cause))
    }
}

/// An error of a request or a transaction.
pub fn from(cause: Cause) -> Error {
    match cause {
        Cause::DomException(exception) => from_exception(&web_sys::DomException::from(exception)),
        other => Error::Backend(other.to_string()),
    }
}

/// An error of opening or deleting a database.
pub fn from_opening(cause: OpenDbError) -> Error {
    match cause {
        OpenDbError::Base(cause) => from(cause),
        other => Error::Backend(format!("this browser gives no IndexedDB here: {other}")),
    }
}

/// Whether a database could not be opened because its version is higher.
pub fn is_version_error(cause: &OpenDbError) -> bool {
    match cause {
        OpenDbError::Base(Cause::DomException(DomException::Other(exception))) => {
            exception.name() == "VersionError"
        }
        _ => false,
    }
}

fn from_exception(exception: &web_sys::DomException) -> Error {
    match exception.name().as_str() {
        "QuotaExceededError" => Error::QuotaExceeded,
        name => Error::Backend(format!("{name}: {}", exception.message())),
    }
}
