//! The queue alone, without a homeserver.

use js_sys::Function;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{
    errors,
    nats::{self, NatsConnection},
    storage::Storage,
};
use crate::{
    queue::{self, protocol::Server},
    store::Store,
};

/// The queue over the database of one storage name.
#[wasm_bindgen]
pub struct Queue {
    store: Store,
    queue: queue::Queue,
    server: Server,
}

/// What `QueueStatus` says of streams.
#[derive(Serialize)]
struct Status {
    streams: Vec<queue::StreamStatus>,
    offline: Vec<queue::OfflineStatus>,
}

#[wasm_bindgen]
impl Queue {
    /// Opens the queue in `options.storage`, or makes a new one there. Rejects with an Error whose
    /// `name` says what kind it is.
    pub async fn start(options: JsValue) -> Result<Queue, JsValue> {
        console_error_panic_hook::set_once();
        let storage: Storage = serde_wasm_bindgen::from_value(options)
            .map_err(|cause| errors::config_error(&cause.to_string()))?;
        let store = storage.open().await.map_err(errors::from_store)?;
        let queue = queue::Queue::open(store.clone()).await.map_err(errors::from_queue)?;
        let server = Server::new(&queue);
        Ok(Self { store, queue, server })
    }

    /// Serves a NATS client; see [`nats::connect`].
    pub fn connect(&self, send: Function, closed: Function) -> NatsConnection {
        nats::connect(&self.server, send, closed)
    }

    /// What `QueueStatus` says of streams.
    pub async fn status(&self) -> Result<JsValue, JsValue> {
        let streams = self.queue.status().await.map_err(errors::from_queue)?;
        let streams = streams.into_iter().map(Into::into).collect();
        let offline = self.queue.offline_status();
        Ok(serde_wasm_bindgen::to_value(&Status { streams, offline })?)
    }

    /// Whether the browser gives no more room.
    pub fn full(&self) -> bool {
        self.store.is_full()
    }

    /// Calls `changed` with what [`full`](Self::full) says each time that this has changed.
    #[wasm_bindgen(js_name = watchFull)]
    pub fn watch_full(&self, changed: Function) {
        self.store.watch_full(move |full| {
            // The script posts it to ports, which does not throw.
            let _ = changed.call1(&JsValue::UNDEFINED, &full.into());
        });
    }

    /// Why it can't go on, if that is so: its database was deleted or taken away.
    pub fn closed(&self) -> Option<String> {
        self.store.closed().map(|cause| cause.to_string())
    }

    /// Resolves once that is so, with why; also when nobody asks for anything.
    pub async fn ended(&self) -> String {
        self.store.ended().await.to_string()
    }

    /// Ends it: clients are left, what was submitted is durable, and the database is closed.
    pub async fn stop(&self) {
        self.server.shut_down();
        self.store.close().await;
    }

    /// Deletes the database of that name.
    pub async fn destroy(storage: String) -> Result<(), JsValue> {
        Storage::delete(&storage).await.map_err(errors::from_store)
    }
}
