//! One request under way: it can be aborted, and when it panics its caller is told.
//!
//! A panic in wasm is a trap: nothing unwinds, the future is never polled again and its promise
//! would stay pending for ever. So the future that is being polled is known, and the panic hook
//! rejects its promise before the trap.

use std::{
    cell::RefCell,
    collections::HashMap,
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

/// The requests under way, by the number that who asked gave each. A number and not an
/// `AbortSignal`: to listen to a signal costs more than a small request, and hardly any is aborted.
#[derive(Default)]
pub(super) struct UnderWay(Rc<RefCell<HashMap<u32, AbortHandle>>>);

impl UnderWay {
    /// A promise for what `future` gives, rejected with an `AbortError` when request `number` is
    /// aborted, upon which the future is dropped.
    pub(super) fn promise(
        &self,
        number: u32,
        future: impl Future<Output = JsValue> + 'static,
    ) -> Promise {
        let mut future = Some(future);
        Promise::new(&mut |resolve, reject| {
            // The executor of a promise is called once, at once.
            let Some(future) = future.take() else { return };
            let (handle, registration) = AbortHandle::new_pair();
            self.0.borrow_mut().insert(number, handle);
            let under_way = self.0.clone();
            let reject = Rc::new(reject);
            let watched = Watched { future: Box::pin(future), reject: reject.clone() };
            platform::spawn(async move {
                let outcome = Abortable::new(watched, registration).await;
                under_way.borrow_mut().remove(&number);
                let settled = match outcome {
                    Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                    Err(aborted) => {
                        let error = named("AbortError", &aborted.to_string());
                        reject.call1(&JsValue::UNDEFINED, &error)
                    }
                };
                // Functions that settle a promise do not throw.
                let _ = settled;
            });
        })
    }

    /// Aborts request `number`, if it is under way.
    pub(super) fn abort(&self, number: u32) {
        if let Some(handle) = self.0.borrow().get(&number) {
            handle.abort();
        }
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
