//! The checks of a stream's configuration, and the defaults that depend on one another.

use std::{rc::Rc, time::Duration};

use super::{
    stream::{Discard, PersistMode, Placement, Retention, Storage, StreamConfig},
    values::{LAST_SEQUENCE, MAX_NAME_LENGTH, is_name},
};
use crate::queue::{
    error::{Error, Result},
    subject,
    transform::Transform,
};

/// JetStream's own default and limits.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
const LEAST_AGE: Duration = Duration::from_millis(100);
const MAX_DESCRIPTION: usize = 4 * 1024;
const MAX_METADATA: usize = 128 * 1024;
const MAX_REPLICAS: i64 = 5;
/// The level of JetStream's API that a configuration asks for. ADR-44
const REQUIRED_LEVEL: &str = "_nats.req.level";
const SERVER_METADATA: &str = "_nats.";

/// What a configuration is checked against.
pub(in crate::queue) struct Checker<'a> {
    /// Whether a default that would change what was asked for is an error.
    pub(in crate::queue) pedantic: bool,
    /// The configurations of other streams.
    pub(in crate::queue) stream: &'a dyn Fn(&str) -> Option<Rc<StreamConfig>>,
}

pub(super) fn refused(description: impl std::fmt::Display) -> Error {
    Error::stream_config(description)
}

impl Checker<'_> {
    /// Checks a configuration and fills in the defaults.
    pub(in crate::queue) fn check(&self, mut config: StreamConfig) -> Result<StreamConfig> {
        config.check_names()?;
        self.fill_limits(&mut config)?;
        self.fill_window(&mut config)?;
        self.check_features(&mut config)?;
        if let Some(mirror) = config.mirror.clone() {
            config.mirror_direct = self.check_mirror(&config, &mirror)?;
        }
        self.check_sources(&config)?;
        self.check_cycles(&config)?;
        if config.subjects.is_empty() && config.mirror.is_none() && config.sources.is_empty() {
            config.subjects.push(config.name.clone());
        }
        config.check_subjects()?;
        self.check_transforms(&mut config)?;
        config.placement.take_if(|placement| *placement == Placement::default());
        if config.placement.as_ref().is_some_and(|placement| !placement.preferred.is_empty()) {
            return Err(refused("preferred server not permitted in placement"));
        }
        config.note_required_level();
        Ok(config)
    }

    pub(super) fn strictly(&self, description: &str) -> Result<()> {
        if self.pedantic { Err(Error::pedantic(description)) } else { Ok(()) }
    }

    fn fill_limits(&self, config: &mut StreamConfig) -> Result<()> {
        match config.num_replicas {
            ..0 => return Err(Error::NEGATIVE_REPLICAS),
            0 => config.num_replicas = 1,
            1 => {}
            2..=MAX_REPLICAS => return Err(Error::REPLICAS_NOT_SUPPORTED),
            _ => return Err(refused(format!("maximum replicas is {MAX_REPLICAS}"))),
        }
        for (name, limit) in [
            ("max_msgs", &mut config.max_msgs),
            ("max_msgs_per_subject", &mut config.max_msgs_per_subject),
            ("max_bytes", &mut config.max_bytes),
            ("max_msg_size", &mut config.max_msg_size),
            ("max_consumers", &mut config.max_consumers),
        ] {
            if *limit < -1 {
                self.strictly(&format!("{name} must be set to -1"))?;
            }
            if *limit <= 0 {
                *limit = -1;
            }
        }
        if config.first_seq > LAST_SEQUENCE {
            return Err(refused(format!("first sequence can be at most {LAST_SEQUENCE}")));
        }
        if !config.max_age.is_zero() && config.max_age < LEAST_AGE {
            return Err(refused("max age needs to be >= 100ms"));
        }
        Ok(())
    }

    fn fill_window(&self, config: &mut StreamConfig) -> Result<()> {
        let own = config.mirror.is_none() && config.sources.is_empty();
        let (window, max_age) = (config.duplicate_window, config.max_age);
        if window.is_zero() && own {
            let shorter = !max_age.is_zero() && max_age < DUPLICATE_WINDOW;
            if shorter {
                self.strictly("duplicate window cannot be bigger than max age")?;
            }
            config.duplicate_window = if shorter { max_age } else { DUPLICATE_WINDOW };
        }
        if !max_age.is_zero() && window > max_age {
            return Err(refused("duplicates window can not be larger then max age"));
        }
        if !window.is_zero() && window < LEAST_AGE {
            return Err(refused("duplicates window needs to be >= 100ms"));
        }
        Ok(())
    }

    /// Checks which features go together.
    fn check_features(&self, config: &mut StreamConfig) -> Result<()> {
        if config.deny_purge && config.allow_rollup_hdrs {
            return Err(refused("roll-ups require the purge permission"));
        }
        let new = config.discard == Discard::New;
        let persist_async = config.persist_mode == PersistMode::Async;
        for (wrong, description) in [
            (config.allow_msg_counter && new, "counter stream cannot use discard new"),
            (
                config.allow_msg_counter && config.allow_msg_ttl,
                "counter stream cannot use message TTLs",
            ),
            (
                config.allow_msg_counter && config.allow_msg_schedules,
                "counter stream cannot use message schedules",
            ),
            (
                config.allow_msg_counter && config.retention != Retention::Limits,
                "counter stream can only use limits retention",
            ),
            (
                config.discard_new_per_subject && !new,
                "discard new per subject requires discard new policy to be set",
            ),
            (
                config.discard_new_per_subject && config.max_msgs_per_subject <= 0,
                "discard new per subject requires max msgs per subject > 0",
            ),
            (config.allow_msg_schedules && new, "message scheduling cannot use discard new"),
            (
                persist_async && config.storage != Storage::File,
                "async persist mode is only supported on file storage",
            ),
            (
                persist_async && config.allow_atomic,
                "async persist mode is not supported with atomic batch publish",
            ),
        ] {
            if wrong {
                return Err(refused(description));
            }
        }
        if !config.subject_delete_marker_ttl.is_zero() {
            if config.subject_delete_marker_ttl < Duration::from_secs(1) {
                return Err(refused("subject delete marker TTL must be at least 1 second"));
            }
            if !config.allow_msg_ttl && self.pedantic {
                return Err(refused(
                    "subject delete marker cannot be set if message TTLs are disabled",
                ));
            }
            config.allow_msg_ttl = true;
            self.allow_rollup(
                config,
                "subject delete marker cannot be set if roll-ups are disabled",
            )?;
        }
        if config.allow_msg_schedules {
            self.allow_rollup(config, "message scheduling cannot be set if roll-ups are disabled")?;
        }
        Ok(())
    }

    fn allow_rollup(&self, config: &mut StreamConfig, description: &str) -> Result<()> {
        if !config.allow_rollup_hdrs {
            if self.pedantic {
                return Err(refused(description));
            }
            config.allow_rollup_hdrs = true;
            config.deny_purge = false;
        }
        Ok(())
    }

    fn check_transforms(&self, config: &mut StreamConfig) -> Result<()> {
        if let Some(transform) = &config.subject_transform {
            if !transform.src.is_empty() && !subject::is_valid(&transform.src) {
                return Err(Error::transform_source(format!("invalid subject {}", transform.src)));
            }
            Transform::new(&transform.src, &transform.dest)
                .map_err(Error::transform_destination)?;
        }
        let Some(republish) = &mut config.republish else { return Ok(()) };
        if republish.src.is_empty() {
            self.strictly("republish source can not be empty")?;
            republish.src = ">".to_owned();
        }
        // Without subjects of its own, republishing goes to what the stream's transform makes.
        if let Some(transform) = &config.subject_transform
            && republish.src == ">"
            && republish.dest == ">"
            && config.subjects == [transform.src.as_str()]
        {
            self.strictly("implicit republish based on subject transform")?;
            republish.src = transform.dest.clone();
            republish.dest = transform.dest.clone();
        }
        if config.subjects.iter().any(|own| subject::overlap(&republish.dest, own)) {
            return Err(refused("stream configuration for republish destination forms a cycle"));
        }
        if Transform::new(&republish.src, &republish.dest).is_err() || republish.dest.is_empty() {
            return Err(refused(format!(
                "stream configuration for republish with transform from '{}' to '{}' not valid",
                republish.src, republish.dest
            )));
        }
        Ok(())
    }
}

impl StreamConfig {
    fn check_names(&self) -> Result<()> {
        if self.name.len() > MAX_NAME_LENGTH {
            return Err(refused(format!(
                "stream name is too long, maximum allowed is {MAX_NAME_LENGTH}"
            )));
        }
        if !is_name(&self.name) {
            return Err(refused(
                r"stream name is required and can not contain '.', '*', '>', '\', '/'",
            ));
        }
        if self.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
            return Err(refused(format!(
                "stream description is too long, maximum allowed is {MAX_DESCRIPTION}"
            )));
        }
        let metadata: usize =
            self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if metadata > MAX_METADATA {
            return Err(refused(format!(
                "stream metadata exceeds maximum size of {MAX_METADATA} bytes"
            )));
        }
        Ok(())
    }

    fn check_subjects(&self) -> Result<()> {
        for (place, filter) in self.subjects.iter().enumerate() {
            if !subject::is_valid(filter) {
                return Err(refused("invalid subject"));
            }
            if filter == ">" && !self.no_ack {
                return Err(refused("capturing all subjects requires no-ack to be true"));
            }
            let reserved = ["$JS.>", "$JSC.>", "$NRG.>"];
            let overlaps = |space: &&str| subject::overlap(filter, space);
            if !self.no_ack
                && reserved.iter().any(overlaps)
                && !subject::is_subset(filter, "$JS.EVENT.>")
            {
                return Err(refused(
                    "subjects that overlap with jetstream api require no-ack to be true",
                ));
            }
            if !self.no_ack && overlaps(&"$SYS.>") && !subject::is_subset(filter, "$SYS.ACCOUNT.>")
            {
                return Err(refused(
                    "subjects that overlap with system api require no-ack to be true",
                ));
            }
            for other in &self.subjects[place + 1..] {
                if subject::overlap(filter, other) {
                    return Err(refused(format!("subject \"{filter}\" overlaps with \"{other}\"")));
                }
            }
        }
        Ok(())
    }

    /// Notes which API level the configuration needs. ADR-44
    fn note_required_level(&mut self) {
        let level = if self.allow_batched {
            4
        } else if self.allow_msg_counter
            || self.allow_atomic
            || self.allow_msg_schedules
            || self.persist_mode == PersistMode::Async
        {
            2
        } else {
            i32::from(self.allow_msg_ttl)
        };
        self.metadata.retain(|key, _| !key.starts_with(SERVER_METADATA));
        self.metadata.insert(REQUIRED_LEVEL.to_owned(), level.to_string());
    }

    /// Whether both are the same, apart from what the server adds.
    pub(in crate::queue) fn is_same(&self, other: &Self) -> bool {
        let plain = |config: &Self| {
            let mut config = config.clone();
            config.metadata.retain(|key, _| !key.starts_with(SERVER_METADATA));
            config
        };
        plain(self) == plain(other)
    }
}
