//! One request under way: its caller can leave, and is told when it panics.
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

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use super::errors::named;
use crate::platform::{self, Caller, Waiting};

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
pub(super) struct UnderWay(Rc<RefCell<HashMap<u32, Asked>>>);

/// Somebody's wait for an answer.
struct Asked {
    reject: Rc<Function>,
    _waiting: Waiting,
}

impl UnderWay {
    /// A promise for what the work on a request gives. When request `number` is aborted it is
    /// rejected with an `AbortError`, and the caller that `work` was given has left; the work goes
    /// on to its end.
    pub(super) fn promise<F: Future<Output = JsValue> + 'static>(
        &self,
        number: u32,
        work: impl FnOnce(Caller) -> F,
    ) -> Promise {
        let mut work = Some(work);
        Promise::new(&mut |resolve, reject| {
            // The executor of a promise is called once, at once.
            let Some(work) = work.take() else { return };
            let (caller, waiting) = Caller::new();
            let reject = Rc::new(reject);
            let asked = Asked { reject: reject.clone(), _waiting: waiting };
            self.0.borrow_mut().insert(number, asked);
            let under_way = self.0.clone();
            let watched = Watched { future: Box::pin(work(caller)), reject };
            platform::spawn(async move {
                let value = watched.await;
                // Of an aborted request there is nobody left to tell.
                if under_way.borrow_mut().remove(&number).is_some() {
                    // Functions that settle a promise do not throw.
                    let _ = resolve.call1(&JsValue::UNDEFINED, &value);
                }
            });
        })
    }

    /// Aborts request `number`, if it is under way.
    pub(super) fn abort(&self, number: u32) {
        let asked = self.0.borrow_mut().remove(&number);
        if let Some(asked) = asked {
            let error = named("AbortError", "the request was aborted");
            // A function that rejects a promise does not throw.
            let _ = asked.reject.call1(&JsValue::UNDEFINED, &error);
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
