//! Answers: JSON with the type of the response, or with an error.

use serde::Serialize;

use crate::queue::{
    error::{Error, Result},
    facade::Queue,
};

/// A kind of response.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    name: &'static str,
    /// Fields that an error response has too.
    beside_error: &'static str,
}

/// An answer, ready to be sent.
pub(super) struct Answer {
    kind: Kind,
    outcome: Result<Body>,
}

/// The fields of a response without an error.
pub(super) struct Body {
    json: String,
    counts: bool,
}

/// The answer that has nothing more to say.
#[derive(Serialize)]
struct Success {
    success: bool,
}

const fn kind(name: &'static str) -> Kind {
    Kind { name, beside_error: "" }
}

const fn paged(name: &'static str, beside_error: &'static str) -> Kind {
    Kind { name, beside_error }
}

impl Kind {
    pub(super) const ACCOUNT_INFO: Self = kind("account_info");
    pub(super) const STREAM_CREATE: Self = kind("stream_create");
    pub(super) const STREAM_UPDATE: Self = kind("stream_update");
    pub(super) const STREAM_DELETE: Self = kind("stream_delete");
    pub(super) const STREAM_INFO: Self = paged("stream_info", r#","total":0,"offset":0,"limit":0"#);
    pub(super) const STREAM_NAMES: Self =
        paged("stream_names", r#","total":0,"offset":0,"limit":0,"streams":null"#);
    pub(super) const STREAM_LIST: Self =
        paged("stream_list", r#","total":0,"offset":0,"limit":0,"streams":[]"#);
    pub(super) const STREAM_PURGE: Self = paged("stream_purge", r#","purged":0"#);
    pub(super) const STREAM_SNAPSHOT: Self = kind("stream_snapshot");
    pub(super) const STREAM_RESTORE: Self = paged("stream_restore", r#","deliver_subject":"""#);
    pub(super) const STREAM_STEP_DOWN: Self = kind("stream_leader_stepdown");
    pub(super) const STREAM_REMOVE_PEER: Self = kind("stream_remove_peer");
    pub(super) const MSG_GET: Self = kind("stream_msg_get");
    pub(super) const MSG_DELETE: Self = kind("stream_msg_delete");
    pub(super) const CONSUMER_CREATE: Self = kind("consumer_create");
    pub(super) const CONSUMER_INFO: Self = kind("consumer_info");
    pub(super) const CONSUMER_DELETE: Self = kind("consumer_delete");
    pub(super) const CONSUMER_NAMES: Self =
        paged("consumer_names", r#","total":0,"offset":0,"limit":0,"consumers":[]"#);
    pub(super) const CONSUMER_LIST: Self =
        paged("consumer_list", r#","total":0,"offset":0,"limit":0,"consumers":[]"#);
    pub(super) const CONSUMER_PAUSE: Self =
        paged("consumer_pause", r#","paused":false,"pause_until":"0001-01-01T00:00:00Z""#);
    pub(super) const CONSUMER_RESET: Self = paged("consumer_reset", r#","reset_seq":0"#);
    pub(super) const CONSUMER_UNPIN: Self = kind("consumer_unpin");
    pub(super) const CONSUMER_STEP_DOWN: Self = kind("consumer_leader_stepdown");

    pub(super) fn answer(self, outcome: Result<Body>) -> Answer {
        Answer { kind: self, outcome }
    }

    /// The answer to a change of a stream, which is refused for the program's own.
    pub(super) async fn change(
        self,
        queue: &Queue,
        stream: &str,
        change: impl Future<Output = Result<Body>>,
    ) -> Answer {
        match queue.check_free(stream) {
            Ok(()) => self.answer(change.await),
            Err(cause) => self.answer(Err(cause)),
        }
    }

    /// The same for a consumer.
    pub(super) async fn change_consumer(
        self,
        queue: &Queue,
        (stream, name): (&str, &str),
        change: impl Future<Output = Result<Body>>,
    ) -> Answer {
        match queue.check_consumer_free(stream, name) {
            Ok(()) => self.answer(change.await),
            Err(cause) => self.answer(Err(cause)),
        }
    }
}

impl Body {
    /// The fields of `value`.
    pub(super) fn of(value: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_string(value).map_err(Error::invalid_json)?;
        Ok(Self { json, counts: true })
    }

    /// The answer that has nothing more to say.
    pub(super) fn success() -> Result<Self> {
        Self::of(&Success { success: true })
    }

    /// The same, not counted as a use of the API.
    pub(super) fn uncounted(self) -> Self {
        Self { counts: false, ..self }
    }
}

impl Answer {
    pub(super) fn is_error(&self) -> bool {
        self.outcome.is_err()
    }

    /// Whether it is counted as a use of the API.
    pub(super) fn counts(&self) -> bool {
        self.outcome.as_ref().map_or(true, |body| body.counts)
    }

    pub(super) fn json(&self) -> String {
        let Kind { name, beside_error } = self.kind;
        let start = format!(r#"{{"type":"io.nats.jetstream.api.v1.{name}_response""#);
        match &self.outcome {
            // The fields of an object, without its opening brace.
            Ok(Body { json, .. }) => match json.strip_prefix('{') {
                Some(fields) if fields != "}" => format!("{start},{fields}"),
                _ => format!("{start}}}"),
            },
            Err(error) => {
                // Numbers and text always have a JSON form.
                let error = serde_json::to_string(error).unwrap_or_default();
                format!(r#"{start},"error":{error}{beside_error}}}"#)
            }
        }
    }
}
