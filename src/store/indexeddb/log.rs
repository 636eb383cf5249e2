//! What Chromium does to databases when it is killed, and what helps.
//!
//! Chromium keeps all databases of an origin in one LevelDB, whose newest writes are in a log. A
//! record is written there in two steps, so that a kill may leave half of one at the end. When the
//! LevelDB is opened again, it skips that half and appends to the same log; and when it is opened
//! once more, half a record and what follows it have a wrong checksum, for which Chromium removes
//! **all** databases of the origin. So the log must not be used again after a kill. Deleting a
//! database makes LevelDB write its log into a table and begin another.

use std::time::Duration;

use futures::future::{Either, select};
use indexed_db_futures::{Build, OpenDbResult, database::Database};
use js_sys::{Reflect, global};

use crate::platform;

/// Lets the browser begin a new log, where it has one, for what is written after this. It takes a
/// few milliseconds. When it can't be done, for want of room or because a frozen page is in the
/// midst of it, a warning is logged.
pub(super) async fn renew(name: &str, patience: Duration) {
    if !is_chromium() {
        return;
    }
    let scratch = format!("{name}/log");
    let renewing = Box::pin(make_and_delete(&scratch));
    match select(renewing, Box::pin(platform::sleep(patience))).await {
        Either::Left((Ok(()), _)) => {}
        Either::Left((Err(cause), _)) => {
            tracing::warn!("the browser does not begin a new log: {cause}");
        }
        Either::Right(_) => tracing::warn!("the browser does not begin a new log in time"),
    }
}

async fn make_and_delete(name: &str) -> OpenDbResult<()> {
    Database::open(name).build()?.await?.close();
    Database::delete_by_name(name)?.await?;
    Ok(())
}

/// Whether this is Chromium or a browser made of it: only these have this member.
fn is_chromium() -> bool {
    let member = |of: &wasm_bindgen::JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    member(&global(), "navigator")
        .and_then(|navigator| member(&navigator, "userAgentData"))
        .is_some_and(|data| data.is_object())
}
