//! The checks of mirrors and sources.

use std::{
    collections::{HashSet, VecDeque},
    rc::Rc,
};

use super::{
    check::{Checker, refused},
    stream::{StreamConfig, StreamSource, SubjectTransform},
    values::is_name,
};
use crate::queue::{
    error::{Error, Result},
    subject,
    transform::Transform,
};

impl Checker<'_> {
    /// Checks a mirror; returns whether it answers direct gets.
    pub(super) fn check_mirror(
        &self,
        config: &StreamConfig,
        mirror: &StreamSource,
    ) -> Result<bool> {
        for (wrong, cause) in [
            (config.first_seq > 0, Error::MIRROR_WITH_FIRST_SEQ),
            (!config.subjects.is_empty(), Error::MIRROR_WITH_SUBJECTS),
            (!config.sources.is_empty(), Error::MIRROR_WITH_SOURCES),
            (config.allow_msg_counter, Error::MIRROR_WITH_COUNTERS),
            (config.allow_atomic, Error::MIRROR_WITH_ATOMIC),
            (config.allow_batched, Error::MIRROR_WITH_BATCHED),
            (config.allow_msg_schedules, Error::MIRROR_WITH_SCHEDULES),
            (!consumer_is_valid(mirror), Error::MIRROR_CONSUMER_INVALID),
            (has_both_filters(mirror), Error::MIRROR_MULTIPLE_FILTERS),
        ] {
            if wrong {
                return Err(cause);
            }
        }
        if mirror.opt_start_seq > 0 && mirror.opt_start_time.is_some() {
            return Err(Error::MIRROR_START);
        }
        if !config.subject_delete_marker_ttl.is_zero() {
            return Err(refused("subject delete markers forbidden on mirrors"));
        }
        check_filters(
            &mirror.subject_transforms,
            subject::overlap,
            &FilterErrors {
                source: Error::mirror_filter,
                transform: Error::mirror_transform,
                overlapping: Error::MIRROR_OVERLAPPING_FILTERS,
            },
        )?;
        check_filter(&mirror.filter_subject, "the mirror")?;
        if mirror.external.is_some() {
            return Err(refused("external streams are not supported"));
        }
        if !is_name(&mirror.name) {
            return Err(Error::MIRROR_INVALID_NAME);
        }
        let Some(origin) = (self.stream)(&mirror.name) else { return Ok(config.mirror_direct) };
        if is_smaller(config.max_msg_size, origin.max_msg_size) {
            return Err(Error::MIRROR_MAX_MSG_SIZE);
        }
        if config.mirror_direct != origin.allow_direct {
            self.strictly("origin stream has direct get set, mirror has it disabled")?;
        }
        Ok(origin.allow_direct)
    }

    pub(super) fn check_sources(&self, config: &StreamConfig) -> Result<()> {
        if !config.sources.is_empty() && config.allow_msg_schedules {
            return Err(Error::SOURCE_WITH_SCHEDULES);
        }
        let (mut seen, mut consumers) = (HashSet::new(), HashSet::new());
        for source in &config.sources {
            if !is_name(&source.name) {
                return Err(Error::SOURCE_INVALID_NAME);
            }
            if !seen.insert(source.index_name()) {
                return Err(Error::SOURCE_DUPLICATE);
            }
            if has_both_filters(source) {
                return Err(Error::SOURCE_MULTIPLE_FILTERS);
            }
            check_filters(
                &source.subject_transforms,
                subject::is_subset,
                &FilterErrors {
                    source: Error::source_filter,
                    transform: Error::source_transform,
                    overlapping: Error::SOURCE_OVERLAPPING_FILTERS,
                },
            )?;
            if !consumer_is_valid(source) {
                return Err(Error::SOURCE_CONSUMER_INVALID);
            }
            if let Some(consumer) = &source.consumer
                && !consumers.insert((&source.name, &consumer.name))
            {
                return Err(Error::SOURCE_CONSUMER_DUPLICATE);
            }
            check_filter(&source.filter_subject, "the source:")?;
            if source.external.is_some() {
                return Err(refused("external streams are not supported"));
            }
            if let Some(origin) = (self.stream)(&source.name)
                && is_smaller(config.max_msg_size, origin.max_msg_size)
            {
                return Err(Error::SOURCE_MAX_MSG_SIZE);
            }
        }
        Ok(())
    }

    /// A stream must not get its own messages back from its sources.
    pub(super) fn check_cycles(&self, config: &StreamConfig) -> Result<()> {
        let mut next = VecDeque::from([Rc::new(config.clone())]);
        let mut visited = HashSet::new();
        while let Some(stream) = next.pop_front() {
            visited.insert(stream.name.clone());
            for source in &stream.sources {
                let filter = &source.filter_subject;
                let fits = filter.is_empty()
                    || stream.subjects.iter().any(|own| subject::overlap(own, filter));
                match (self.stream)(&source.name) {
                    _ if visited.contains(&source.name) && fits => {
                        return Err(refused("detected cycle"));
                    }
                    Some(origin) if !visited.contains(&source.name) => next.push_back(origin),
                    _ => {}
                }
            }
            if let Some(mirror) = &stream.mirror {
                if visited.contains(&mirror.name) {
                    return Err(refused("detected cycle"));
                }
                next.extend((self.stream)(&mirror.name));
            }
        }
        Ok(())
    }
}

impl StreamSource {
    /// What makes it another source than the others of a stream, as in `Nats-Stream-Source`: its
    /// name, its filters and their destinations.
    pub(in crate::queue) fn index_name(&self) -> String {
        let listed = |part: fn(&SubjectTransform) -> &String| {
            let parts: Vec<_> = self
                .subject_transforms
                .iter()
                .map(|t| match part(t).as_str() {
                    "" => ">",
                    some => some,
                })
                .collect();
            parts.join("\u{c}")
        };
        if self.subject_transforms.is_empty() {
            let filter = if self.filter_subject.is_empty() { ">" } else { &self.filter_subject };
            return format!("{} {filter} >", self.name);
        }
        format!("{} {} {}", self.name, listed(|t| &t.src), listed(|t| &t.dest))
    }
}

struct FilterErrors {
    source: fn(String) -> Error,
    transform: fn(String) -> Error,
    overlapping: Error,
}

/// Checks the filters of subject transforms.
fn check_filters(
    transforms: &[SubjectTransform],
    collide: fn(&str, &str) -> bool,
    errors: &FilterErrors,
) -> Result<()> {
    for transform in transforms {
        if !transform.src.is_empty() && !subject::is_valid(&transform.src) {
            return Err((errors.source)(format!("invalid subject {}", transform.src)));
        }
        Transform::new(&transform.src, &transform.dest).map_err(errors.transform)?;
    }
    for (place, one) in transforms.iter().enumerate() {
        let others = transforms.iter().enumerate().filter(|(other, _)| *other != place);
        if others.into_iter().any(|(_, other)| collide(&one.src, &other.src)) {
            return Err(errors.overlapping.clone());
        }
    }
    Ok(())
}

/// Checks that a filter is a subject or empty.
fn check_filter(filter: &str, of: &str) -> Result<()> {
    match filter.is_empty() || subject::is_valid(filter) {
        true => Ok(()),
        false => {
            let text = format!("subject filter '{filter}' for {of} invalid subject");
            Err(Error::stream_create(text))
        }
    }
}

fn has_both_filters(source: &StreamSource) -> bool {
    !source.filter_subject.is_empty() && !source.subject_transforms.is_empty()
}

/// With a consumer there must be no filter and no start: these are the consumer's.
fn consumer_is_valid(source: &StreamSource) -> bool {
    source.consumer.as_ref().is_none_or(|consumer| {
        is_name(&consumer.name)
            && subject::is_literal(&consumer.deliver_subject)
            && source.opt_start_seq == 0
            && source.opt_start_time.is_none()
            && source.filter_subject.is_empty()
    })
}

/// Whether messages of the origin may be too large.
fn is_smaller(own: i64, origin: i64) -> bool {
    own > 0 && origin > 0 && own < origin
}
