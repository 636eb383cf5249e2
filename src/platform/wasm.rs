//! The platform in a browser: the event loop of the worker.

use std::{cell::RefCell, collections::VecDeque, future::Future, rc::Rc, time::Duration};

use futures::channel::oneshot;
use gloo::timers::callback::Timeout;
use js_sys::{Array, Date, Function, Intl::DateTimeFormat, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageChannel, MessagePort};

/// Milliseconds since the Unix epoch, negative when it is still to come.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
pub(super) fn wall_clock() -> f64 {
    Date::now()
}

pub(super) fn spawn_task(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// Resolves after `duration`; a hidden page may resolve later, since browsers throttle its timers.
pub async fn sleep(duration: Duration) {
    let (sender, receiver) = oneshot::channel();
    // Browsers count in whole milliseconds up to 2³¹; a longer sleep is cut there.
    let milliseconds = duration.as_millis().min(i32::MAX as u128) as u32;
    // Dropped with this future, which cancels it.
    let _timeout = Timeout::new(milliseconds, move || {
        // The receiver is gone only when nobody waits any longer.
        let _ = sender.send(());
    });
    // The sender is dropped only with the timeout.
    let _ = receiver.await;
}

thread_local! {
    static TURNS: Turns = Turns::new();
}

/// Messages to itself: what a browser puts into the event loop with the least delay.
struct Turns {
    sending: Option<MessagePort>,
    waiting: Rc<RefCell<VecDeque<oneshot::Sender<()>>>>,
}

impl Turns {
    fn new() -> Self {
        let waiting = Rc::new(RefCell::new(VecDeque::<oneshot::Sender<()>>::new()));
        let begun = waiting.clone();
        let sending = MessageChannel::new().ok().map(|channel| {
            let begin = Closure::<dyn FnMut()>::new(move || {
                let next = begun.borrow_mut().pop_front();
                // The receiver is gone when nobody waits any longer.
                next.map(|waiting| waiting.send(()));
            });
            channel.port1().set_onmessage(Some(begin.into_js_value().unchecked_ref()));
            channel.port2()
        });
        Self { sending, waiting }
    }

    fn next(&self) -> Option<oneshot::Receiver<()>> {
        self.sending.as_ref()?.post_message(&JsValue::UNDEFINED).ok()?;
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        Some(receiver)
    }
}

/// Resolves once the event loop has dealt with what is in it now, such as messages that have come.
pub async fn next_turn() {
    if let Some(turn) = TURNS.with(Turns::next) {
        // The sender stays until its turn has come.
        let _ = turn.await;
    }
}

/// How many seconds the clocks of a time zone are ahead of UTC, so many seconds after the Unix
/// epoch; `None` when there is no such zone.
pub fn utc_offset(zone: &str, at: i64) -> Option<i64> {
    let options = Object::new();
    let set = |name: &str, value: &str| {
        Reflect::set(&options, &name.into(), &value.into()).unwrap_or_default()
    };
    if zone != "Local" {
        set("timeZone", zone);
    }
    set("hourCycle", "h23");
    let units = ["year", "month", "day", "hour", "minute", "second"];
    for unit in units {
        set(unit, "numeric");
    }
    let format = Reflect::get(&js_sys::global(), &"Intl".into()).ok()?;
    let format = Reflect::get(&format, &"DateTimeFormat".into()).ok()?;
    // It throws when it does not know the zone.
    let arguments = Array::of2(&"en-u-ca-gregory-nu-latn".into(), &options);
    let format = Reflect::construct(format.unchecked_ref::<Function>(), &arguments).ok()?;
    let at_millis = at as f64 * 1000.0;
    let date = Date::new(&at_millis.into());
    let parts = format.unchecked_ref::<DateTimeFormat>().format_to_parts(&date);
    let part = |unit: &str| {
        let is_it = |part: &JsValue| Reflect::get(part, &"type".into()).is_ok_and(|of| of == unit);
        let part = parts.iter().find(is_it)?;
        Reflect::get(&part, &"value".into()).ok()?.as_string()?.parse::<f64>().ok()
    };
    let [year, month, day, hour, minute, second] = units.map(part);
    let local = Date::utc(year?, month? - 1.0);
    let local =
        local + (((day? - 1.0) * 24.0 + hour?) * 60.0 + minute?) * 60_000.0 + second? * 1000.0;
    Some(((local - at_millis) / 1000.0).round() as i64)
}
