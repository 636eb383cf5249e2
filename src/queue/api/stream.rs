//! Requests about streams.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    answer::{Answer, Body, Kind},
    message,
    metadata::described,
    page::{INFOS, Missing, NAMES, Page},
    request::Request,
    snapshot,
};
use crate::queue::{
    config::StreamConfig,
    error::{Error, Result},
    facade::{Queue, StreamInfo},
    server::NAME,
    stream::Purge,
    subject,
};

/// How many subjects a page has.
const SUBJECTS: usize = 100_000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListRequest {
    offset: i64,
    subject: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InfoRequest {
    offset: i64,
    deleted_details: bool,
    subjects_filter: String,
}

/// Durations as the request has them: those of a configuration have no sign.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Signs {
    max_age: i64,
    duplicate_window: i64,
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    info: StreamInfo,
    did_create: bool,
}

#[derive(Serialize)]
struct Paged<T> {
    #[serde(flatten)]
    page: Page,
    #[serde(flatten)]
    info: T,
}

/// With the cluster, which has one server.
#[derive(Serialize)]
struct Informed {
    #[serde(flatten)]
    info: StreamInfo,
    cluster: Cluster,
}

#[derive(Serialize)]
struct Cluster {
    leader: &'static str,
}

#[derive(Serialize)]
struct Streams {
    /// `null` when there are none.
    streams: Option<Vec<String>>,
}

#[derive(Serialize)]
struct ListedStreams {
    streams: Vec<StreamInfo>,
    #[serde(flatten)]
    missing: Missing,
}

#[derive(Serialize)]
struct Purged {
    success: bool,
    purged: u64,
}

pub(super) async fn perform(queue: &Queue, request: &Request, rest: &[&str]) -> Option<Answer> {
    Some(match *rest {
        ["CREATE", name] => Kind::STREAM_CREATE.answer(create(queue, request, name).await),
        ["UPDATE", name] => {
            Kind::STREAM_UPDATE.change(queue, name, update(queue, request, name)).await
        }
        ["INFO", name] => Kind::STREAM_INFO.answer(info(queue, request, name).await),
        ["NAMES"] => Kind::STREAM_NAMES.answer(names(queue, request)),
        ["LIST"] => Kind::STREAM_LIST.answer(list(queue, request).await),
        ["DELETE", name] => {
            Kind::STREAM_DELETE.change(queue, name, delete(queue, request, name)).await
        }
        ["PURGE", name] => {
            Kind::STREAM_PURGE.change(queue, name, purge(queue, request, name)).await
        }
        ["MSG", "GET", name] => Kind::MSG_GET.answer(message::get(queue, request, name).await),
        ["MSG", "DELETE", name] => {
            Kind::MSG_DELETE.change(queue, name, message::delete(queue, request, name)).await
        }
        ["SNAPSHOT", name] => {
            Kind::STREAM_SNAPSHOT.answer(snapshot::snapshot(queue, request, name).await)
        }
        ["RESTORE", name] => {
            Kind::STREAM_RESTORE.answer(snapshot::restore(queue, request, name).await)
        }
        ["LEADER", "STEPDOWN", _] => Kind::STREAM_STEP_DOWN.answer(Err(Error::CLUSTER_REQUIRED)),
        ["PEER", "REMOVE", _] => Kind::STREAM_REMOVE_PEER.answer(Err(Error::CLUSTER_REQUIRED)),
        _ => return None,
    })
}

fn check_times(request: &Request) -> Result<()> {
    let Signs { max_age, duplicate_window } = request.parse_leniently()?;
    if max_age < 0 {
        return Err(Error::stream_config("max age can not be negative"));
    }
    if duplicate_window < 0 {
        return Err(Error::stream_config("duplicates window can not be negative"));
    }
    Ok(())
}

async fn create(queue: &Queue, request: &Request, name: &str) -> Result<Body> {
    request.check_level()?;
    let (config, pedantic) = request.parse_pedantic::<StreamConfig>()?;
    check_name(&config, name)?;
    check_times(request)?;
    if name.contains(['/', '\\']) {
        return Err(Error::STREAM_NAME_SEPARATORS);
    }
    let info = queue.create_stream_as(config, pedantic).await?;
    Body::of(&Created { info: described(info), did_create: true })
}

async fn update(queue: &Queue, request: &Request, name: &str) -> Result<Body> {
    request.check_level()?;
    let (config, pedantic) = request.parse_pedantic::<StreamConfig>()?;
    check_name(&config, name)?;
    check_times(request)?;
    Body::of(&described(queue.update_stream_as(config, pedantic).await?))
}

fn check_name(config: &StreamConfig, name: &str) -> Result<()> {
    if config.name == name { Ok(()) } else { Err(Error::STREAM_MISMATCH) }
}

async fn info(queue: &Queue, request: &Request, name: &str) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<InfoRequest>()?;
    let mut info = described(queue.stream_info(name).await?);
    if options.deleted_details {
        info.state.deleted = queue.stream_deleted(name).await?;
    }
    let mut page = Page::new(0, 0, 0);
    if !options.subjects_filter.is_empty() {
        let subjects = queue.stream_subjects(name, &options.subjects_filter).await?;
        if !subjects.is_empty() {
            let all: Vec<_> = subjects.into_iter().collect();
            let subjects: Vec<_>;
            (page, subjects) = Page::cut(all, options.offset, SUBJECTS);
            info.state.subjects = BTreeMap::from_iter(subjects);
        }
    }
    Body::of(&Paged { page, info: Informed { info, cluster: Cluster { leader: NAME } } })
}

/// The names of the streams that take some subject that `filter` matches.
fn filtered(queue: &Queue, filter: &str) -> Vec<String> {
    let all = queue.inner.streams.configs().into_iter();
    let fits = all.filter(|config| {
        filter.is_empty() || config.subjects.iter().any(|own| subject::overlap(own, filter))
    });
    fits.map(|config| config.name.clone()).collect()
}

fn names(queue: &Queue, request: &Request) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<ListRequest>()?;
    let (page, names) = Page::cut(filtered(queue, &options.subject), options.offset, NAMES);
    let streams = (!names.is_empty()).then_some(names);
    Body::of(&Paged { page, info: Streams { streams } })
}

async fn list(queue: &Queue, request: &Request) -> Result<Body> {
    request.check_level()?;
    let options = request.parse_options::<ListRequest>()?;
    let (page, names) = Page::cut(filtered(queue, &options.subject), options.offset, INFOS);
    let mut streams = Vec::with_capacity(names.len());
    for name in names {
        match queue.stream_info(&name).await {
            Ok(info) => streams.push(info),
            // Deleted meanwhile.
            Err(cause) if cause == Error::STREAM_NOT_FOUND => {}
            Err(cause) => return Err(cause),
        }
    }
    let missing = Missing::of(queue.offline_streams());
    Body::of(&Paged { page, info: ListedStreams { streams, missing } })
}

async fn delete(queue: &Queue, request: &Request, name: &str) -> Result<Body> {
    request.check_level()?;
    request.check_empty()?;
    queue.delete_stream(name).await?;
    Body::success()
}

async fn purge(queue: &Queue, request: &Request, name: &str) -> Result<Body> {
    request.check_level()?;
    let purge = request.parse_options::<Purge>()?;
    if purge.seq > 0 && purge.keep > 0 {
        return Err(Error::BAD_REQUEST);
    }
    let purged = queue.purge_stream(name, &purge).await?;
    Body::of(&Purged { success: true, purged })
}
