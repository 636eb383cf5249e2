//! Sessions of User-Interactive Authentication: which stages a client has completed for which
//! request. They live in memory, since a client whose session is gone begins again.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use ruma::{
    OwnedDeviceId, OwnedUserId, UserId,
    api::client::uiaa::{AuthFlow, AuthType},
};
use sha2::{Digest, Sha256};

use super::{Session, Users, sessions::now};
use crate::{Error, Result, platform};

/// How long a session is kept, from its beginning: using it makes it no younger.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How many sessions are kept at most.
const SESSIONS: usize = 1024;

/// What a session authenticates, and for whom: it is of no use for anything else, nor to anybody
/// else, whatever was completed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Who began it, on which device; nobody is logged in yet who registers.
    owner: Option<(OwnedUserId, OwnedDeviceId)>,
    /// The hash of an endpoint and what is asked of it, which may be long, or a new password.
    request: [u8; 32],
}

impl Purpose {
    /// A request of `sender`.
    pub fn new(sender: Option<&Session>, request: &str) -> Self {
        let owner = sender.map(|sender| (sender.user_id.clone(), sender.device_id.clone()));
        let request = Sha256::digest(request).into();
        Self { owner, request }
    }

    /// Whose stages these are to pass, where that is known.
    pub fn user_id(&self) -> Option<&UserId> {
        self.owner.as_ref().map(|(user_id, _)| &**user_id)
    }
}

/// The stages that a client has completed in a session.
#[derive(Clone, Debug)]
pub struct Stages {
    /// What they are for.
    pub purpose: Purpose,
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
    // A clock that was set back gives no session more time than it had.
    now.abs_diff(begun) < LIFETIME.as_millis() as u64
}

impl Interactive {
    /// Drops the sessions that are too old at `now`.
    pub(super) fn expire(&self, now: u64) {
        self.sessions.borrow_mut().retain(|_, (_, begun)| lives(*begun, now));
    }
}

impl Users {
    /// Begins a session of User-Interactive Authentication; its id.
    pub fn begin_stages(&self, purpose: Purpose, flows: Vec<AuthFlow>) -> String {
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if sessions.len() >= SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, (_, begun))| *begun);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&oldest);
            }
        }
        let id = platform::random_string(24);
        let stages = Stages { purpose, flows, completed: Vec::new() };
        sessions.insert(id.clone(), (stages, now()));
        id
    }

    /// What was completed in a session, if it is there.
    pub fn stages(&self, session: &str) -> Option<Stages> {
        let sessions = self.inner.interactive.sessions.borrow();
        let (stages, begun) = sessions.get(session)?;
        lives(*begun, now()).then(|| stages.clone())
    }

    /// The same for somebody who goes on with a session.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the session was begun by another, or for another request.
    pub fn stages_for(&self, session: &str, purpose: &Purpose) -> Result<Option<Stages>> {
        match self.stages(session) {
            Some(stages) if stages.purpose != *purpose => {
                Err(Error::forbidden("The session is for another request"))
            }
            stages => Ok(stages),
        }
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
