//! One request under way: it can be aborted, and when it panics its caller is told.
//!
//! A panic in wasm is a trap: nothing unwinds, the future is never polled again and its promise
//! would stay pending for ever. So the future that is being polled is known, and the panic hook
//! rejects its promise before the trap.

use std::{
    cell::RefCell,
    future::Future,
    panic,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::future::{AbortHandle, Abortable};
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use super::errors::named;
use crate::platform;

thread_local! {
    /// What rejects the promise of the future that is being polled.
    static POLLED: RefCell<Option<Rc<Function>>> = const { RefCell::new(None) };
}

/// Tells panics to the console, and to who asked for what panicked.
pub(super) fn watch_for_panics() {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        if let Some(reject) = POLLED.take() {
            // A function that rejects a promise does not throw.
            let _ = reject.call1(&JsValue::UNDEFINED, &named("Panic", &info.to_string()));
        }
    }));
}

/// A promise for what `future` gives, rejected with the reason of `signal` when that aborts, upon
/// which the future is dropped.
pub(super) fn promise(
    signal: Option<web_sys::AbortSignal>,
    future: impl Future<Output = JsValue> + 'static,
) -> Promise {
    let mut future = Some(future);
    let mut signal = Some(signal);
    Promise::new(&mut |resolve, reject| {
        // The executor of a promise is called once, at once.
        let (Some(future), Some(signal)) = (future.take(), signal.take()) else { return };
        let (handle, registration) = AbortHandle::new_pair();
        let listening = signal.map(|signal| Listening::new(signal, handle));
        let reject = Rc::new(reject);
        let watched = Watched { future: Box::pin(future), reject: reject.clone() };
        platform::spawn(async move {
            let outcome = Abortable::new(watched, registration).await;
            let settled = match (outcome, &listening) {
                (Ok(value), _) => resolve.call1(&JsValue::UNDEFINED, &value),
                (Err(_), Some(listening)) => {
                    reject.call1(&JsValue::UNDEFINED, &listening.signal.reason())
                }
                // Without a signal nothing aborts.
                (Err(_), None) => return,
            };
            // Functions that settle a promise do not throw.
            let _ = settled;
        });
    })
}

/// Aborts when a signal does, as long as this exists.
struct Listening {
    signal: web_sys::AbortSignal,
    _listener: Closure<dyn FnMut()>,
}

impl Listening {
    fn new(signal: web_sys::AbortSignal, handle: AbortHandle) -> Self {
        if signal.aborted() {
            handle.abort();
        }
        let listener = Closure::once(move || handle.abort());
        signal.set_onabort(Some(listener.as_ref().unchecked_ref()));
        Self { signal, _listener: listener }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}

/// A future that is known while it is polled.
struct Watched<F> {
    future: Pin<Box<F>>,
    reject: Rc<Function>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        POLLED.set(Some(self.reject.clone()));
        let polled = self.future.as_mut().poll(context);
        POLLED.set(None);
        polled
    }
}
