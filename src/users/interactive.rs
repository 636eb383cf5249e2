//! Sessions of User-Interactive Authentication: which stages a client has completed for which
//! request. They live in memory, since a client whose session is gone begins again.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use ruma::{
    OwnedUserId, UserId,
    api::client::uiaa::{AuthFlow, AuthType},
};

use super::{Users, sessions::now};
use crate::platform;

/// How long a session is kept.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How many sessions are kept at most.
const SESSIONS: usize = 1024;

/// The stages that a client has completed in a session.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// What the session authenticates: an endpoint and what is asked of it.
    pub request: String,
    /// Whom it authenticates, where that is known.
    pub user_id: Option<OwnedUserId>,
    /// The ways through it.
    pub flows: Vec<AuthFlow>,
    /// The stages, in the order of completion.
    pub completed: Vec<AuthType>,
}

#[derive(Default)]
pub(super) struct Interactive {
    sessions: RefCell<HashMap<String, (Stages, u64)>>,
}

/// Whether a session that was begun then is still there.
fn lives(begun: u64, now: u64) -> bool {
    now.saturating_sub(begun) < LIFETIME.as_millis() as u64
}

impl Interactive {
    /// Drops the sessions that are too old at `now`.
    pub(super) fn expire(&self, now: u64) {
        self.sessions.borrow_mut().retain(|_, (_, begun)| lives(*begun, now));
    }
}

impl Users {
    /// Begins a session of User-Interactive Authentication for `request`; its id.
    pub fn begin_stages(
        &self,
        request: String,
        user_id: Option<&UserId>,
        flows: Vec<AuthFlow>,
    ) -> String {
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if sessions.len() >= SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, (_, begun))| *begun);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&oldest);
            }
        }
        let id = platform::random_string(24);
        let user_id = user_id.map(ToOwned::to_owned);
        let stages = Stages { request, user_id, flows, completed: Vec::new() };
        sessions.insert(id.clone(), (stages, now()));
        id
    }

    /// What was completed in a session, if it is there.
    pub fn stages(&self, session: &str) -> Option<Stages> {
        let sessions = self.inner.interactive.sessions.borrow();
        let (stages, begun) = sessions.get(session)?;
        lives(*begun, now()).then(|| stages.clone())
    }

    /// Notes a stage as completed.
    pub fn complete_stage(&self, session: &str, stage: AuthType) {
        if let Some((stages, _)) = self.inner.interactive.sessions.borrow_mut().get_mut(session)
            && !stages.completed.contains(&stage)
        {
            stages.completed.push(stage);
        }
    }

    /// Ends a session: it authenticates nothing any more.
    pub fn end_stages(&self, session: &str) {
        self.inner.interactive.sessions.borrow_mut().remove(session);
    }
}
