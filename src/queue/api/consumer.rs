//! Requests about consumers.

use serde::{Deserialize, Serialize};

use super::{
    answer::{Answer, Body, Kind},
    metadata::add_server,
    page::{INFOS, Missing, NAMES, Page},
    request::Request,
};
use crate::queue::{
    advisory,
    config::{ConsumerConfig, is_group_name},
    consumer::{Action, ConsumerInfo},
    error::{Error, Result},
    facade::Queue,
    time::Timestamp,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreateRequest {
    stream_name: String,
    config: ConsumerConfig,
    action: Action,
    pedantic: bool,
}

/// Durations as the request has them: those of a configuration have no sign.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Signs {
    config: SignsOfConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SignsOfConfig {
    ack_wait: i64,
    backoff: Vec<i64>,
}

impl SignsOfConfig {
    fn check(&self) -> Result<()> {
        if self.backoff.iter().any(|wait| *wait < 0) {
            return Err(Error::NEGATIVE_BACKOFF);
        }
        if self.ack_wait < 0 && self.backoff.is_empty() {
            return Err(Error::NEGATIVE_ACK_WAIT);
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PauseRequest {
    pause_until: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResetRequest {
    seq: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UnpinRequest {
    group: String,
}

#[derive(Serialize)]
struct Reset {
    #[serde(flatten)]
    info: ConsumerInfo,
    reset_seq: u64,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListRequest {
    offset: i64,
}

#[derive(Serialize)]
struct Paged<T> {
    #[serde(flatten)]
    page: Page,
    consumers: Vec<T>,
    #[serde(flatten)]
    missing: Option<Missing>,
}

pub(super) async fn perform(queue: &Queue, request: &Request, rest: &[&str]) -> Option<Answer> {
    Some(match *rest {
        ["CREATE", stream] => {
            Kind::CONSUMER_CREATE.answer(create(queue, request, Place::ephemeral(stream)).await)
        }
        ["CREATE", stream, name, ref filter @ ..] => {
            let place =
                Place { stream, name: Some(name), filter: filter.join("."), durable: false };
            Kind::CONSUMER_CREATE.answer(create(queue, request, place).await)
        }
        ["DURABLE", "CREATE", stream, name] => {
            let place = Place { stream, name: Some(name), filter: String::new(), durable: true };
            Kind::CONSUMER_CREATE.answer(create(queue, request, place).await)
        }
        ["DURABLE", "CREATE", ..] => {
            Kind::CONSUMER_CREATE.answer(Err(Error::DURABLE_NOT_IN_SUBJECT))
        }
        ["INFO", stream, name] => Kind::CONSUMER_INFO.answer(info(queue, request, stream, name)),
        ["NAMES", stream] => Kind::CONSUMER_NAMES.answer(names(queue, request, stream)),
        ["LIST", stream] => Kind::CONSUMER_LIST.answer(list(queue, request, stream)),
        ["DELETE", stream, name] => {
            let deleted = delete(queue, request, stream, name);
            Kind::CONSUMER_DELETE.change_consumer(queue, (stream, name), deleted).await
        }
        ["PAUSE", stream, name] => {
            let paused = pause(queue, request, stream, name);
            Kind::CONSUMER_PAUSE.change_consumer(queue, (stream, name), paused).await
        }
        ["RESET", stream, name] => {
            let reset = reset(queue, request, stream, name);
            Kind::CONSUMER_RESET.change_consumer(queue, (stream, name), reset).await
        }
        ["UNPIN", stream, name] => {
            let unpinned = async { unpin(queue, request, stream, name) };
            Kind::CONSUMER_UNPIN.change_consumer(queue, (stream, name), unpinned).await
        }
        ["LEADER", "STEPDOWN", _, _] => {
            Kind::CONSUMER_STEP_DOWN.answer(Err(Error::CLUSTER_REQUIRED))
        }
        _ => return None,
    })
}

/// What the subject says of the consumer to create.
struct Place<'a> {
    stream: &'a str,
    name: Option<&'a str>,
    filter: String,
    /// Whether it is the old request for a durable consumer.
    durable: bool,
}

impl<'a> Place<'a> {
    fn ephemeral(stream: &'a str) -> Self {
        Self { stream, name: None, filter: String::new(), durable: false }
    }
}

async fn create(queue: &Queue, request: &Request, place: Place<'_>) -> Result<Body> {
    let CreateRequest { stream_name, config, action, pedantic } = request.parse()?;
    let signs = request.parse_leniently::<Signs>()?.config;
    request.check_level()?;
    if place.stream != stream_name {
        return Err(Error::STREAM_MISMATCH);
    }
    let config = named(config, &place)?;
    queue.check_consumer_free(place.stream, &config.name)?;
    if config.num_replicas > 1 {
        return Err(Error::REPLICAS_NOT_SUPPORTED);
    }
    let consumers = queue.consumers(place.stream)?;
    signs.check()?;
    if pedantic {
        config.check_strictly(&consumers.stream.config())?;
    }
    let (consumer, is_new) = consumers.create(config, action).await?;
    let info = consumer.info();
    if is_new {
        advise(queue, place.stream, &info.name, advisory::Action::Create);
    }
    consumer.advise_pause();
    Body::of(&described(info))
}

/// The configuration with the name that is in the subject.
fn named(mut config: ConsumerConfig, place: &Place<'_>) -> Result<ConsumerConfig> {
    let Some(name) = place.name else {
        if !config.durable_name.is_empty() {
            return Err(Error::EPHEMERAL_WITH_DURABLE);
        }
        return Ok(config);
    };
    if name.contains(['/', '\\']) {
        return Err(Error::CONSUMER_NAME_SEPARATORS);
    }
    if place.durable && config.durable_name.is_empty() {
        return Err(Error::DURABLE_NAME_NOT_SET);
    }
    if !config.durable_name.is_empty() && config.durable_name != name {
        return Err(Error::DURABLE_DOES_NOT_MATCH);
    }
    name.clone_into(&mut config.name);
    if !place.filter.is_empty() {
        if !config.filter_subjects.is_empty() {
            return Err(Error::MULTIPLE_FILTERS_IN_SUBJECT);
        }
        if config.filter_subject.as_deref() != Some(&*place.filter) {
            return Err(Error::FILTER_DOES_NOT_MATCH);
        }
    }
    Ok(config)
}

fn described(mut info: ConsumerInfo) -> ConsumerInfo {
    add_server(&mut info.config.metadata);
    info
}

fn info(queue: &Queue, request: &Request, stream: &str, name: &str) -> Result<Body> {
    request.check_empty()?;
    request.check_level()?;
    Body::of(&described(queue.consumer(stream, name)?.info()))
}

fn names(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<ListRequest>()?;
    let names = queue.consumers(stream)?.names();
    let (page, consumers) = Page::cut(names, options.offset, NAMES);
    Body::of(&Paged::<String> { page, consumers, missing: None })
}

fn list(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<ListRequest>()?;
    let all = queue.consumers(stream)?;
    let missing = Some(Missing::of(all.offline()));
    let (page, consumers) = Page::cut(all.all(), options.offset, INFOS);
    let consumers = consumers.iter().map(|consumer| consumer.info()).collect();
    Body::of(&Paged::<ConsumerInfo> { page, consumers, missing })
}

async fn delete(queue: &Queue, request: &Request, stream: &str, name: &str) -> Result<Body> {
    request.check_level()?;
    request.check_empty()?;
    queue.delete_consumer(stream, name).await?;
    advise(queue, stream, name, advisory::Action::Delete);
    Body::success()
}

async fn pause(queue: &Queue, request: &Request, stream: &str, name: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<PauseRequest>()?;
    let until = options.pause_until.unwrap_or_default();
    Body::of(&queue.consumer(stream, name)?.pause(until).await?)
}

async fn reset(queue: &Queue, request: &Request, stream: &str, name: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<ResetRequest>()?;
    let consumer = queue.consumer(stream, name)?;
    let reset_seq = consumer.reset(options.seq).await?;
    Body::of(&Reset { info: described(consumer.info()), reset_seq })
}

fn unpin(queue: &Queue, request: &Request, stream: &str, name: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse::<UnpinRequest>()?;
    if options.group.is_empty() {
        return Err(Error::invalid_json("consumer group not specified"));
    }
    if !is_group_name(&options.group) {
        return Err(Error::INVALID_GROUP);
    }
    queue.consumer(stream, name)?.unpin(&options.group)?;
    Body::of(&Nothing {})
}

fn advise(queue: &Queue, stream: &str, name: &str, action: advisory::Action) {
    advisory::consumer(queue.broker(), queue.now(), (stream, name), action);
}
