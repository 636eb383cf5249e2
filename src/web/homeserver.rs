//! The homeserver.

use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use super::{
    errors,
    exchange::{self, UnderWay},
    nats::{self, NatsConnection},
    options::Options,
    request,
    storage::Storage,
};
use crate::{http::refusal, queue::protocol::Server};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** An answer; `headers` are names and values in turn. */
export interface FetchResponse {
  status: number;
  headers: string[];
  body: Uint8Array<ArrayBuffer> | Blob | undefined;
}
"#;

/// A homeserver over the database of one storage name.
#[wasm_bindgen]
pub struct Homeserver {
    server: Rc<crate::Homeserver>,
    nats: Server,
    under_way: UnderWay,
}

#[wasm_bindgen]
impl Homeserver {
    /// Opens the homeserver in `options.storage`, or makes a new one there. Rejects with an Error
    /// whose `name` says what kind it is.
    pub async fn start(options: JsValue) -> Result<Homeserver, JsValue> {
        exchange::watch_for_panics();
        let options = Options::read(options)?;
        let name = options.name()?;
        // What is wrong is told before there is a database.
        options.settle(name.clone())?;
        let store = options.storage.open().await.map_err(errors::from_store)?;
        let name =
            crate::Homeserver::settle_name(&store, &name).await.map_err(errors::from_store)?;
        let config = options.settle(name)?;
        let server =
            crate::Homeserver::start(config, store).await.map_err(errors::from_homeserver)?;
        let nats = Server::new(&server.queue);
        Ok(Self { server, nats, under_way: UnderWay::default() })
    }

    /// The part after the colon in user ids: the database's, when `options` gave none.
    #[wasm_bindgen(getter, js_name = serverName)]
    pub fn server_name(&self) -> String {
        self.server.config.server_name.to_string()
    }

    /// Answers a request for a path and query below the base URL. `headers` are names and values
    /// in turn; `body` is text, a Uint8Array, a Blob or undefined. `number` is no other request's. Rejects with an Error named `AbortError` when it is aborted, and with one
    /// named `Panic` when the homeserver is broken.
    #[wasm_bindgen(unchecked_return_type = "Promise<FetchResponse>")]
    pub fn fetch(
        &self,
        number: u32,
        method: String,
        path: String,
        headers: Vec<String>,
        body: JsValue,
    ) -> Promise {
        let server = self.server.clone();
        self.under_way.promise(number, move |caller| async move {
            let response = match request::read(&method, &path, &headers, &body) {
                Ok(request) => server.answer(request, caller).await,
                Err(error) => refusal(error),
            };
            request::write(response)
        })
    }

    /// Nobody waits for the answer to request `number` any longer. What it does, it still does.
    pub fn abort(&self, number: u32) {
        self.under_way.abort(number);
    }

    /// Serves a NATS client of the queue; see [`nats::connect`].
    pub fn connect(&self, send: Function, closed: Function) -> NatsConnection {
        nats::connect(&self.nats, send, closed)
    }

    /// The state of the homeserver's parts: `streams`, `rooms` and `users` of `Status`.
    pub async fn status(&self) -> Result<JsValue, JsValue> {
        let status = self.server.status().await.map_err(errors::from_homeserver)?;
        Ok(serde_wasm_bindgen::to_value(&status)?)
    }

    /// Whether the browser gives no more room.
    pub fn full(&self) -> bool {
        self.server.store.is_full()
    }

    /// Calls `changed` with what [`full`](Self::full) says each time that this has changed.
    #[wasm_bindgen(js_name = watchFull)]
    pub fn watch_full(&self, changed: Function) {
        self.server.store.watch_full(move |full| {
            // The script posts it to ports, which does not throw.
            let _ = changed.call1(&JsValue::UNDEFINED, &full.into());
        });
    }

    /// Why it can't go on, if that is so: its database was deleted or taken away.
    pub fn closed(&self) -> Option<String> {
        self.server.store.closed().map(|cause| cause.to_string())
    }

    /// Resolves once that is so, with why; also when nobody asks for anything.
    pub async fn ended(&self) -> String {
        self.server.store.ended().await.to_string()
    }

    /// Ends it: NATS clients are left, what was submitted is durable, and the database is closed.
    pub async fn stop(&self) {
        self.nats.shut_down();
        self.server.store.close().await;
    }

    /// Deletes the database of that name.
    pub async fn destroy(storage: String) -> Result<(), JsValue> {
        Storage::delete(&storage).await.map_err(errors::from_store)
    }
}
