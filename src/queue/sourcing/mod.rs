//! Sourcing: mirrors and sources, streams that store what other streams of the queue store. ADR-59,
//! ADR-60

mod check;
mod source;
mod task;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

pub(super) use self::check::check_origins;
use self::source::Source;
pub use self::source::StreamSourceInfo;
use super::{stream::Stream, streams::Streams};
use crate::platform;

/// What the streams of a queue source, by their ids.
#[derive(Default)]
pub(super) struct Sourcing {
    sources: RefCell<HashMap<u64, Vec<Rc<Source>>>>,
}

/// The state of a stream's mirror and sources.
#[derive(Default)]
pub(super) struct SourcingInfo {
    pub(super) mirror: Option<StreamSourceInfo>,
    pub(super) sources: Vec<StreamSourceInfo>,
}

impl Sourcing {
    /// Has a stream source what its configuration says, and nothing else.
    pub(super) fn follow(&self, stream: &Rc<Stream>, streams: &Rc<Streams>) {
        let config = stream.config();
        let mirror = config.mirror.iter().map(|mirror| (mirror, true));
        let wanted: Vec<_> =
            mirror.chain(config.sources.iter().map(|source| (source, false))).collect();
        let mut all = self.sources.borrow_mut();
        let sources = all.entry(stream.id).or_default();
        sources.retain(|source| {
            let stays = wanted.contains(&(&source.config, source.is_mirror));
            source.stopped.set(!stays);
            stays
        });
        for (config, is_mirror) in wanted {
            if sources.iter().any(|source| source.config == *config) {
                continue;
            }
            let new = Rc::new(Source::new(config.clone(), is_mirror));
            sources.push(new.clone());
            platform::spawn(task::run(new, Rc::downgrade(stream), Rc::downgrade(streams)));
        }
        if sources.is_empty() {
            all.remove(&stream.id);
        }
    }

    /// Forgets a stream that is deleted; its tasks end by themselves.
    pub(super) fn forget(&self, stream: &Stream) {
        self.sources.borrow_mut().remove(&stream.id);
    }

    pub(super) fn info(&self, stream: &Stream) -> SourcingInfo {
        let all = self.sources.borrow();
        let (now, mut info) = (stream.clock.now(), SourcingInfo::default());
        for source in all.get(&stream.id).into_iter().flatten() {
            match source.is_mirror {
                true => info.mirror = Some(source.info(now)),
                false => info.sources.push(source.info(now)),
            }
        }
        info
    }
}
