//! The connection of one client. Its commands are executed in order.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
    time::Duration,
};

use bytes::Bytes;
use serde::Deserialize;

use super::{
    info::{self, MAX_PAYLOAD},
    outbound::{Outbound, Outlet},
    parser::{Command, Parser, Publish},
};
use crate::{
    platform,
    queue::{
        broker::{Broker, ClientId, CoreMessage, Subscription},
        clock::Clock,
        error::{ProtocolError as Error, Status},
        json, subject,
    },
};

/// How often a client gets PING, and how many may be without an answer, as in nats-server.
const PING_INTERVAL: Duration = Duration::from_secs(120);
const MAX_PINGS_OUT: u32 = 2;

/// What all connections need.
pub(super) struct Shared {
    pub(super) broker: Broker,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) id: String,
}

/// A connected client; the connection ends when this is dropped.
pub struct Connection {
    inner: Rc<Inner>,
}

pub(super) struct Inner {
    shared: Rc<Shared>,
    client: ClientId,
    outbound: Outbound,
    parser: RefCell<Parser>,
    options: Cell<Options>,
    subscriptions: RefCell<HashMap<Bytes, Rc<Subscribed>>>,
    /// The last subject that was published to: often the next one's too.
    last_subject: RefCell<Rc<str>>,
    /// Whether a task will send what is gathered.
    flushing: Cell<bool>,
    pings_out: Cell<u32>,
    /// Whether it is behind with taking what it was sent.
    behind: Cell<bool>,
    closed: Cell<bool>,
}

/// A subscription of the client.
struct Subscribed {
    sid: Bytes,
    subject: Box<str>,
    delivered: Cell<u64>,
    /// After how many messages it ends; 0: never.
    max: Cell<u64>,
    subscription: RefCell<Option<Subscription>>,
}

/// The options of CONNECT. The defaults are those of nats-server.
#[derive(Clone, Copy, Deserialize)]
#[serde(default)]
struct Options {
    verbose: bool,
    pedantic: bool,
    echo: bool,
    headers: bool,
    no_responders: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { verbose: true, pedantic: true, echo: true, headers: false, no_responders: false }
    }
}

impl Connection {
    pub(super) fn new(shared: Rc<Shared>, outlet: Box<dyn Outlet>) -> Self {
        let client = shared.broker.client_id();
        let inner = Rc::new(Inner {
            client,
            outbound: Outbound::new(outlet),
            parser: RefCell::new(Parser::new(MAX_PAYLOAD)),
            options: Cell::default(),
            subscriptions: RefCell::default(),
            last_subject: RefCell::new("".into()),
            flushing: Cell::new(false),
            pings_out: Cell::new(0),
            behind: Cell::new(false),
            closed: Cell::new(false),
            shared,
        });
        let info = info::info(&inner.shared.id, client.get());
        inner.outbound.line(&[b"INFO ", &info]);
        inner.flush_soon();
        platform::spawn(ping(Rc::downgrade(&inner)));
        Self { inner }
    }

    /// Bytes have come from the client.
    pub fn receive(&self, bytes: impl Into<Bytes>) {
        self.inner.receive(bytes.into());
    }

    /// The client took all up to this many bytes of what it was sent.
    pub fn took(&self, bytes: u64) {
        self.inner.outbound.took(bytes);
        self.inner.note_pace();
    }

    /// Closes the connection.
    pub fn close(&self, reason: &str) {
        self.inner.close(reason);
    }

    pub(super) fn downgrade(&self) -> Weak<Inner> {
        Rc::downgrade(&self.inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inner.close("Client Closed");
    }
}

impl Inner {
    fn receive(self: &Rc<Self>, bytes: Bytes) {
        self.pings_out.set(0);
        self.parser.borrow_mut().feed(bytes);
        while !self.closed.get() {
            let next = self.parser.borrow_mut().next_command();
            let done = match next {
                Ok(Some(command)) => self.execute(command),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                self.refuse(error);
            }
        }
    }

    fn execute(self: &Rc<Self>, command: Command) -> Result<(), Error> {
        match command {
            Command::Connect(json) => self.connect(&json),
            Command::Ping => {
                self.send_line(&[b"PONG"]);
                Ok(())
            }
            Command::Pong | Command::Nothing => Ok(()),
            Command::Publish(publish) => self.publish(publish),
            Command::Subscribe { subject, queue_group, sid } => {
                self.subscribe(&subject, queue_group.as_deref(), &sid)
            }
            Command::Unsubscribe { sid, max } => {
                self.unsubscribe(&sid, max);
                self.approve();
                Ok(())
            }
        }
    }

    fn connect(self: &Rc<Self>, json: &[u8]) -> Result<(), Error> {
        let options: Options = json::parse(json).map_err(|_| Error::Parser)?;
        if options.no_responders && !options.headers {
            return Err(Error::NoRespondersRequiresHeaders);
        }
        self.options.set(options);
        self.approve();
        Ok(())
    }

    fn publish(self: &Rc<Self>, publish: Publish) -> Result<(), Error> {
        let options = self.options.get();
        if !publish.headers.is_empty() && !options.headers {
            return Err(Error::HeadersNotSupported);
        }
        let subject = self.subject(&publish.subject)?;
        let reply = publish.reply.as_deref().map(str::from_utf8).transpose();
        let reply = reply.map_err(|_| Error::InvalidPublishSubject)?.map(Rc::from);
        if options.pedantic && !subject::is_literal(&subject) {
            return Err(Error::InvalidPublishSubject);
        }
        if self.shared.broker.is_reserved(&subject) {
            return Err(Error::PublishForbidden(subject));
        }
        self.approve();
        let Publish { headers, payload, .. } = publish;
        let message = CoreMessage { subject, reply, headers, payload };
        let delivered = self.shared.broker.publish_from(self.client, &message);
        if delivered == 0 && options.no_responders {
            self.send_no_responders(&message);
        }
        Ok(())
    }

    /// The subject as text, shared with the last one if it is the same.
    fn subject(&self, bytes: &[u8]) -> Result<Rc<str>, Error> {
        let mut last = self.last_subject.borrow_mut();
        if last.as_bytes() != bytes {
            *last = str::from_utf8(bytes).map_err(|_| Error::InvalidPublishSubject)?.into();
        }
        Ok(last.clone())
    }

    /// Answers a request without responders, where the client is subscribed to its reply subject.
    /// ADR-22
    fn send_no_responders(self: &Rc<Self>, request: &CoreMessage) {
        let Some(reply) = request.reply.clone() else { return };
        let subscriptions = self.subscriptions.borrow();
        let mut all = subscriptions.values();
        let Some(one) = all.find(|one| subject::matches(&one.subject, &reply)) else { return };
        let headers = Status::NO_RESPONDERS.block_with(&[("Nats-Subject", &request.subject)]);
        let answer = CoreMessage { subject: reply, reply: None, headers, payload: Bytes::new() };
        self.outbound.message(&answer, &one.sid, true);
        self.flush_soon();
    }

    fn subscribe(
        self: &Rc<Self>,
        subject: &[u8],
        group: Option<&[u8]>,
        sid: &[u8],
    ) -> Result<(), Error> {
        let subject = str::from_utf8(subject).map_err(|_| Error::InvalidSubject)?;
        if !subject::is_valid(subject) {
            return Err(Error::InvalidSubject);
        }
        let group = group.map(str::from_utf8).transpose().map_err(|_| Error::InvalidQueueName)?;
        self.approve();
        // A second subscription with this id is ignored, as in nats-server.
        if self.subscriptions.borrow().contains_key(sid) {
            return Ok(());
        }
        // Copied, so that it does not keep alive the buffer that it came in.
        let sid = Bytes::copy_from_slice(sid);
        let subscribed = Rc::new(Subscribed {
            sid: sid.clone(),
            subject: subject.into(),
            delivered: Cell::new(0),
            max: Cell::new(0),
            subscription: RefCell::default(),
        });
        self.subscriptions.borrow_mut().insert(sid, subscribed.clone());
        let to = (Rc::downgrade(self), Rc::downgrade(&subscribed));
        let deliver = move |message: &CoreMessage| {
            if let (Some(connection), Some(subscribed)) = (to.0.upgrade(), to.1.upgrade()) {
                connection.deliver(&subscribed, message);
            }
        };
        let broker = &self.shared.broker;
        let echo = self.options.get().echo;
        let subscription = broker.subscribe_as(self.client, echo, subject, group, deliver);
        subscribed.subscription.replace(Some(subscription));
        Ok(())
    }

    fn unsubscribe(&self, sid: &[u8], max: u64) {
        let found = self.subscriptions.borrow().get(sid).cloned();
        if let Some(subscribed) = found {
            subscribed.max.set(max);
            if max <= subscribed.delivered.get() {
                self.end(&subscribed);
            }
        }
    }

    fn deliver(self: &Rc<Self>, to: &Subscribed, message: &CoreMessage) {
        self.outbound.message(message, &to.sid, self.options.get().headers);
        let delivered = to.delivered.get() + 1;
        to.delivered.set(delivered);
        if delivered == to.max.get() {
            self.end(to);
        }
        if self.outbound.is_full() {
            self.outbound.discard();
            return self.refuse(Error::SlowConsumer);
        }
        self.note_pace();
        self.flush_soon();
    }

    /// Notes at the broker whether the client is behind.
    fn note_pace(&self) {
        let was = self.behind.get();
        let is = !self.closed.get() && self.outbound.is_behind(was);
        if is != was {
            self.behind.set(is);
            self.shared.broker.set_behind(self.client, is);
        }
    }

    /// Ends a subscription. It is dropped while nothing is borrowed.
    fn end(&self, subscribed: &Subscribed) {
        let removed = self.subscriptions.borrow_mut().remove(&subscribed.sid);
        drop(removed);
        drop(subscribed.subscription.take());
    }

    /// Sends `+OK` to a verbose client.
    fn approve(self: &Rc<Self>) {
        if self.options.get().verbose {
            self.send_line(&[b"+OK"]);
        }
    }

    fn refuse(self: &Rc<Self>, error: Error) {
        self.send_line(&[b"-ERR '", error.to_string().as_bytes(), b"'"]);
        if !error.is_harmless() {
            self.close(&error.to_string());
        }
    }

    fn send_line(self: &Rc<Self>, line: &[&[u8]]) {
        self.outbound.line(line);
        self.flush_soon();
    }

    /// Sends what is gathered once the work at hand is done.
    fn flush_soon(self: &Rc<Self>) {
        if self.closed.get() || self.flushing.replace(true) {
            return;
        }
        let this = Rc::downgrade(self);
        platform::spawn(async move {
            if let Some(this) = this.upgrade() {
                this.flushing.set(false);
                if !this.closed.get() {
                    this.outbound.flush();
                }
            }
        });
    }

    pub(super) fn close(&self, reason: &str) {
        if self.closed.replace(true) {
            return;
        }
        let subscriptions = self.subscriptions.take();
        for subscribed in subscriptions.values() {
            drop(subscribed.subscription.take());
        }
        self.note_pace();
        self.outbound.close(reason);
    }
}

/// Closes connections of clients that are gone without closing them, as pages do.
async fn ping(connection: Weak<Inner>) {
    while let Some(this) = connection.upgrade().filter(|this| !this.closed.get()) {
        let clock = this.shared.clock.clone();
        drop(this);
        clock.sleep_until(clock.now() + PING_INTERVAL.as_millis() as u64).await;
        let Some(this) = connection.upgrade().filter(|this| !this.closed.get()) else { return };
        let out = this.pings_out.get() + 1;
        if out > MAX_PINGS_OUT {
            return this.refuse(Error::Stale);
        }
        this.pings_out.set(out);
        this.send_line(&[b"PING"]);
    }
}
