//! The log, for the worker's script, which knows who listens.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use js_sys::{Object, Reflect};
use serde::Deserialize;
use tracing::Level;
use wasm_bindgen::prelude::*;

use super::errors::config_error;
use crate::log::{Fields, Levels, Sink, Subscriber, Value, Wanted};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a message or span tells beside its text or name. */
export type LogFields = Record<string, string | number | boolean>;

/** Where messages go, and spans that have just ended after `duration` milliseconds. */
export interface LogSink {
  message(level: string, part: string, text: string, fields: LogFields | undefined): void;
  span(name: string, part: string, fields: LogFields | undefined, duration: number): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// Where messages and spans go.
    #[wasm_bindgen(typescript_type = "LogSink")]
    pub type LogSink;

    #[wasm_bindgen(method, catch)]
    fn message(
        this: &LogSink,
        level: &str,
        part: &str,
        text: &str,
        fields: JsValue,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn span(
        this: &LogSink,
        name: &str,
        part: &str,
        fields: JsValue,
        duration: f64,
    ) -> Result<(), JsValue>;
}

/// `LogWanted` of `worker/shared/log.ts`.
#[derive(Deserialize)]
struct Asked {
    levels: BTreeMap<String, String>,
    spans: bool,
}

thread_local! {
    /// No handle of JavaScript can be in a subscriber, which has to be `Sync`.
    static SINK: RefCell<Option<LogSink>> = const { RefCell::new(None) };
}

/// Logs this from now on: `wanted` has a level for each part that logs.
#[wasm_bindgen(js_name = setLog)]
pub fn set_log(wanted: JsValue, sink: LogSink) -> Result<(), JsValue> {
    static LOG: OnceLock<Arc<Subscriber<ToScript>>> = OnceLock::new();
    let wanted: Asked = serde_wasm_bindgen::from_value(wanted)
        .map_err(|cause| config_error(&format!("log: {cause}")))?;
    let levels =
        Levels::read(&wanted.levels).map_err(|cause| config_error(&format!("log: {cause}")))?;
    SINK.replace(Some(sink));
    let log = LOG.get_or_init(|| {
        let log = Arc::new(Subscriber::new(ToScript));
        // Nobody else sets one.
        let _ = tracing::subscriber::set_global_default(log.clone());
        log
    });
    log.want(Wanted { levels, spans: wanted.spans });
    Ok(())
}

struct ToScript;

impl Sink for ToScript {
    fn message(&self, level: Level, part: &str, text: &str, fields: &Fields) {
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        give(|sink| sink.message(level, part, text, object(fields)));
    }

    fn span(&self, name: &str, part: &str, fields: &Fields, duration: Duration) {
        give(|sink| sink.span(name, part, object(fields), duration.as_secs_f64() * 1000.0));
    }
}

fn give(to: impl FnOnce(&LogSink) -> Result<(), JsValue>) {
    SINK.with_borrow(|sink| {
        if let Some(sink) = sink {
            // Where a log can't be written, there is nowhere to say so.
            let _ = to(sink);
        }
    });
}

/// `LogFields`; undefined when there are none.
fn object(fields: &Fields) -> JsValue {
    if fields.is_empty() {
        return JsValue::UNDEFINED;
    }
    let object = Object::new();
    for (name, value) in fields {
        let value = match value {
            Value::Text(text) => text.into(),
            Value::Number(number) => (*number).into(),
            Value::Flag(flag) => (*flag).into(),
        };
        // A plain object takes any member.
        let _ = Reflect::set(&object, &(*name).into(), &value);
    }
    object.into()
}
