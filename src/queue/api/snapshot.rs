//! Snapshots of streams, sent and received in chunks. Their format is this server's own.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, channel::mpsc, future::Either};
use serde::{Deserialize, Serialize};

use super::{
    answer::{Body, Kind},
    metadata::described,
    request::Request,
};
use crate::{
    platform::{self, Notify},
    queue::{
        broker::{Broker, CoreMessage},
        clock::Clock,
        config::StreamConfig,
        error::{Error, Result, Status},
        facade::{Queue, Restore, Snapshot, StreamInfo},
        stream::StreamState,
        subject,
    },
};

/// The size of a chunk and of the window of chunks in flight: the defaults and the limits.
const CHUNK: usize = 128 << 10;
const MAX_CHUNK: usize = 1 << 20;
const WINDOW: usize = 8 << 20;
const MAX_WINDOW: usize = 32 << 20;
const LEAST: usize = 1 << 10;
/// How long to wait for interest, and for the acknowledgement of a chunk or the next one.
const INTEREST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize)]
#[serde(default)]
struct SnapshotRequest {
    deliver_subject: String,
    no_consumers: bool,
    chunk_size: usize,
    window_size: usize,
    /// Whether checksums are verified. They always are.
    #[serde(rename = "jsck")]
    _check: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RestoreRequest {
    config: StreamConfig,
    /// The state of the stream. The snapshot has it too.
    #[serde(rename = "state")]
    _state: serde_json::Value,
}

#[derive(Serialize)]
struct SnapshotInfo<'a> {
    config: &'a StreamConfig,
    state: &'a StreamState,
}

#[derive(Serialize)]
struct Restoring<'a> {
    deliver_subject: &'a str,
}

/// Begins to send a snapshot.
pub(super) async fn snapshot(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    if request.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    queue.stream(stream)?;
    let wanted = request.parse::<SnapshotRequest>()?;
    if !subject::is_literal(&wanted.deliver_subject) {
        return Err(Error::SNAPSHOT_SUBJECT_INVALID);
    }
    let snapshot = queue.snapshot(stream, !wanted.no_consumers).await?;
    let StreamInfo { config, state, .. } = &snapshot.info;
    let body = Body::of(&SnapshotInfo { config, state })?;
    let sending = Sending {
        broker: queue.broker().clone(),
        clock: queue.inner.clock.clone(),
        flow: Rc::default(),
        acks: format!("$JS.SNAPSHOT.ACK.{stream}.{}", platform::random_string(22)),
        to: wanted.deliver_subject.as_str().into(),
    };
    // Runs when the request has been answered.
    platform::spawn(async move { sending.run(snapshot, &wanted).await });
    Ok(body)
}

/// A snapshot that is being sent.
struct Sending {
    broker: Broker,
    clock: Rc<dyn Clock>,
    flow: Rc<Flow>,
    /// The subject that chunks are acknowledged to.
    acks: String,
    to: Rc<str>,
}

#[derive(Default)]
struct Flow {
    acknowledged: Cell<usize>,
    rung: Notify,
}

impl Sending {
    async fn run(&self, snapshot: Snapshot, wanted: &SnapshotRequest) {
        let flow = self.flow.clone();
        let _acks = self.broker.subscribe(&format!("{}.>", self.acks), None, move |_| {
            flow.acknowledged.set(flow.acknowledged.get() + 1);
            flow.rung.notify();
        });
        let status = match self.send(snapshot, wanted).await {
            Ok(()) => Status::SNAPSHOT_END,
            Err(status) => status,
        };
        self.publish(None, status.block(), Bytes::new());
    }

    async fn send(&self, mut snapshot: Snapshot, wanted: &SnapshotRequest) -> Result<(), Status> {
        let or = |asked, otherwise| if asked == 0 { otherwise } else { asked };
        let chunk = or(wanted.chunk_size, CHUNK).clamp(LEAST, MAX_CHUNK);
        let window = or(wanted.window_size, WINDOW).clamp(LEAST, MAX_WINDOW);
        let most = (window / chunk).max(1);
        let until = self.clock.now() + INTEREST.as_millis() as u64;
        loop {
            let changed = self.broker.watch_interest();
            if self.broker.has_interest(&self.to) {
                break;
            }
            self.within(until, changed).await.ok_or(Status::NO_INTEREST)?;
        }
        for number in 1.. {
            let until = self.clock.now() + PATIENCE.as_millis() as u64;
            loop {
                let rung = self.flow.rung.listen();
                if number - 1 < self.flow.acknowledged.get() + most {
                    break;
                }
                if !self.broker.has_interest(&self.to) {
                    return Err(Status::NO_INTEREST);
                }
                self.within(until, rung).await.map(drop).ok_or(Status::NO_FLOW_RESPONSE)?;
            }
            let piece = snapshot.next(chunk).await.map_err(Status::snapshot_failed)?;
            if piece.is_empty() {
                break;
            }
            let (reply, last) =
                (format!("{}.{}.{number}", self.acks, piece.len()), piece.len() < chunk);
            self.publish((!last).then_some(&*reply), Bytes::new(), piece);
            if last {
                break;
            }
        }
        Ok(())
    }

    /// The output of `future`, unless it takes too long.
    async fn within<T>(&self, until: u64, future: impl Future<Output = T>) -> Option<T> {
        let late = self.clock.sleep_until(until);
        match futures::future::select(std::pin::pin!(future), late).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    fn publish(&self, reply: Option<&str>, headers: Bytes, payload: Bytes) {
        self.broker.publish(&CoreMessage {
            subject: self.to.clone(),
            reply: reply.map(Into::into),
            headers,
            payload,
        });
    }
}

/// Begins to receive a snapshot.
pub(super) async fn restore(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    if request.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    let RestoreRequest { mut config, .. } = request.parse()?;
    if config.name.is_empty() {
        stream.clone_into(&mut config.name);
    }
    if config.name != stream {
        return Err(Error::STREAM_MISMATCH);
    }
    let restore = queue.restore(config).await?;
    let to = format!("$JS.SNAPSHOT.RESTORE.{stream}.{}", platform::random_string(22));
    let (sender, pieces) = mpsc::unbounded();
    let subscription = queue.broker().subscribe(&to, None, move |message| {
        // The receiver may have given up.
        let _ = sender.unbounded_send(message.clone());
    });
    let (queue, clock) = (queue.clone(), queue.inner.clock.clone());
    platform::spawn(async move {
        let _subscription = subscription;
        receive(&queue, &*clock, restore, pieces).await;
    });
    Body::of(&Restoring { deliver_subject: &to })
}

/// Receives the chunks, until an empty one or a failure ends it.
async fn receive(
    queue: &Queue,
    clock: &dyn Clock,
    mut restore: Restore,
    mut pieces: mpsc::UnboundedReceiver<CoreMessage>,
) {
    loop {
        let stalled = clock.sleep_until(clock.now() + PATIENCE.as_millis() as u64);
        let Either::Left((Some(piece), _)) = futures::future::select(pieces.next(), stalled).await
        else {
            return tracing::warn!("a stream is not restored: no more chunks come");
        };
        let Some(reply) = piece.reply else {
            return tracing::warn!("a stream is not restored: a chunk has no reply subject");
        };
        let failed = if piece.payload.is_empty() {
            let outcome = restore.finish().await;
            let body = outcome.and_then(|info| Body::of(&described(info)));
            let answer = Kind::STREAM_CREATE.answer(body).json();
            queue.broker().publish(&CoreMessage::new(&reply, answer));
            return;
        } else {
            restore.write(&piece.payload).await.err()
        };
        let answer = failed
            .clone()
            .map_or(String::new(), |cause| Kind::STREAM_CREATE.answer(Err(cause)).json());
        queue.broker().publish(&CoreMessage::new(&reply, answer));
        if failed.is_some() {
            return;
        }
    }
}
