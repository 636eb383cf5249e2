//! The one connection to the database: opened, watched, closed.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::{
    channel::oneshot,
    future::{Either, select},
};
use indexed_db_futures::{
    Build, OpenDbResult, database::Database, error::Error as Cause, internals::SystemRepr,
    prelude::*,
};
use wasm_bindgen::prelude::*;

use super::{
    failure::{self, Failure},
    log,
    migrations::{self, MAGIC, MAGIC_KEY},
    reads::to_key,
};
use crate::{
    platform,
    store::{
        Error, Result,
        engine::{backend::Space, ending::Ending},
    },
};

/// A connection that ends when another page wants to delete or upgrade the database, when the
/// browser takes it away, or when it is closed.
pub(super) struct Connection {
    database: Database,
    closed: Rc<Ending>,
    _listeners: [Closure<dyn FnMut(web_sys::Event)>; 2],
}

impl Connection {
    /// Opens the database of this name, or makes it; waits only so long for other pages.
    pub(super) async fn open(name: &str, patience: Duration) -> Result<Self> {
        let opening = open_at(name, migrations::CURRENT, patience);
        let (opened, ()) = futures::join!(opening, log::renew(name, patience));
        let database = match opened? {
            Ok(database) => database,
            Err(cause) if failure::is_version_error(&cause) => {
                return Err(newer(name, patience).await?);
            }
            Err(cause) => return Err(failure::from_opening(cause)),
        };
        if let Err(cause) = check_ours(&database).await {
            database.close();
            return Err(cause);
        }
        Ok(Self::watch(database))
    }

    fn watch(database: Database) -> Self {
        let closed = Rc::new(Ending::default());
        let ends = |reason: &'static str| {
            let (closed, database) = (closed.clone(), database.clone());
            Closure::new(move |_: web_sys::Event| {
                closed.reach(Error::Closed(reason.to_owned()));
                database.as_sys().close();
            })
        };
        let changed = ends("a page has deleted or upgraded it");
        let taken = ends("the browser has taken it away");
        database.as_sys().set_onversionchange(Some(changed.as_ref().unchecked_ref()));
        database.as_sys().set_onclose(Some(taken.as_ref().unchecked_ref()));
        Self { database, closed, _listeners: [changed, taken] }
    }

    /// The database.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) fn database(&self) -> Result<&Database> {
        self.closed().map_or(Ok(&self.database), Err)
    }

    /// Why it has ended, if it has.
    pub(super) fn closed(&self) -> Option<Error> {
        self.closed.reason()
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) -> Error {
        self.closed.wait().await
    }

    /// Ends it, for this reason unless there is one already.
    pub(super) fn close(&self, cause: Error) {
        self.closed.reach(cause);
        self.database.as_sys().close();
    }

    /// What an error means: everything fails on a connection that has ended.
    pub(super) fn failure(&self, cause: Cause) -> Error {
        self.closed().unwrap_or_else(|| failure::from(cause))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.database.as_sys().set_onversionchange(None);
        self.database.as_sys().set_onclose(None);
        self.database.as_sys().close();
    }
}

/// Deletes the database of this name, if there is one. Homeservers that have it open lose it.
///
/// # Errors
/// When somebody does not let go of it.
pub(in crate::store) async fn delete(name: &str, patience: Duration) -> Result<()> {
    let deleting = Database::delete_by_name(name).map_err(failure::from_opening)?;
    match select(deleting, Box::pin(platform::sleep(patience))).await {
        Either::Left((outcome, _)) => outcome.map_err(failure::from),
        Either::Right(_) => Err(Error::Blocked),
    }
}

/// Opens a database, and upgrades it to `version`; the inner error is the browser's.
async fn open_at(name: &str, version: u32, patience: Duration) -> Result<OpenDbResult<Database>> {
    let (blocked, is_blocked) = oneshot::channel();
    let upgrade = Rc::new(RefCell::new(None));
    let upgraded = upgrade.clone();
    let opening = Database::open(name)
        .with_version(version)
        .with_on_blocked(move |_| {
            // Nobody waits for it any longer.
            let _ = blocked.send(());
            Ok(())
        })
        .with_on_upgrade_needed(move |event, database| {
            upgraded.replace(migrations::upgrade(event.old_version() as u32, &database)?);
            Ok(())
        })
        .build();
    let outcome = match opening {
        Ok(opening) => patiently(opening, is_blocked, patience).await?,
        Err(cause) => Err(cause),
    };
    // Opening only says that the upgrade was aborted, and not why.
    let told = upgrade.borrow().as_ref().and_then(Failure::told);
    match (outcome, told) {
        (Err(_), Some(cause)) => Err(cause),
        (outcome, _) => Ok(outcome),
    }
}

/// Waits for a database to open; not long once it is known to be blocked, and not for ever when
/// nothing happens at all, as when a deletion is blocked before it. Should it open after that, it
/// is closed again.
async fn patiently(
    opening: impl Future<Output = OpenDbResult<Database>> + 'static,
    is_blocked: oneshot::Receiver<()>,
    patience: Duration,
) -> Result<OpenDbResult<Database>> {
    let too_long = Box::pin(async move {
        let longest = Box::pin(platform::sleep(patience * 5));
        if let Either::Left((Ok(()), _)) = select(is_blocked, longest).await {
            platform::sleep(patience).await;
        }
    });
    match select(Box::pin(opening), too_long).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right((_, opening)) => {
            platform::spawn(async move {
                if let Ok(database) = opening.await {
                    database.close();
                }
            });
            Err(Error::Blocked)
        }
    }
}

/// Why a database of a higher version can't be used.
async fn newer(name: &str, patience: Duration) -> Result<Error> {
    let opening = Database::open(name).build().map_err(failure::from_opening)?;
    let (_never, is_blocked) = oneshot::channel();
    let database =
        patiently(opening, is_blocked, patience).await?.map_err(failure::from_opening)?;
    let found = database.version() as u32;
    let ours = check_ours(&database).await;
    database.close();
    Ok(match ours {
        Ok(()) => Error::SchemaTooNew { found, known: migrations::CURRENT },
        Err(cause) => cause,
    })
}

async fn check_ours(database: &Database) -> Result<()> {
    let foreign = || Error::Foreign(database.name());
    let names: Vec<String> = database.object_store_names().collect();
    let meta = Space::Meta.name();
    if !names.iter().any(|name| name == meta) {
        return Err(foreign());
    }
    let transaction = database.transaction(meta).build().map_err(failure::from)?;
    let store = transaction.object_store(meta).map_err(failure::from)?;
    let magic = store.get::<JsValue, JsValue, _>(to_key(MAGIC_KEY)).primitive();
    let magic = magic.map_err(failure::from)?.await.map_err(failure::from)?;
    match magic.and_then(|magic| magic.dyn_into::<js_sys::Uint8Array>().ok()) {
        Some(magic) if magic.to_vec() == MAGIC => Ok(()),
        _ => Err(foreign()),
    }
}
