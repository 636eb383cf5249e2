//! Sessions of User-Interactive Authentication: which stages a client has completed for which
//! request. They live in memory, since a client whose session is gone begins again.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use ruma::{
    OwnedDeviceId, OwnedUserId, UserId,
    api::client::uiaa::{AuthFlow, AuthType},
    serde::JsonObject,
};
use sha2::{Digest, Sha256};

use super::{
    Session, Users,
    sessions::{Login, now},
};
use crate::{
    Error, Result,
    platform::{self, KeyedGuard, KeyedMutex, Secret},
};

/// How long a session is kept, from its beginning: using it makes it no younger.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How many sessions are kept at most.
const SESSIONS: usize = 1024;
/// How many bytes of parameters a session keeps; who asks for more says it all again.
const PARAMETERS: usize = 16 << 10;

/// The hash of something that is asked, which may be long, or a new password.
pub type Fingerprint = [u8; 32];

/// What a session authenticates, and for whom: it is of no use for anything else, nor to anybody
/// else, whatever was completed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Who began it, on which device; nobody is logged in yet who registers.
    owner: Option<(OwnedUserId, OwnedDeviceId)>,
    /// An endpoint and what is asked of it.
    request: Fingerprint,
}

fn owner(sender: Option<&Session>) -> Option<(OwnedUserId, OwnedDeviceId)> {
    sender.map(|sender| (sender.user_id.clone(), sender.device_id.clone()))
}

impl Purpose {
    /// A request of `sender`.
    pub fn new(sender: Option<&Session>, request: &str) -> Self {
        Self { owner: owner(sender), request: Sha256::digest(request).into() }
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
    sessions: RefCell<HashMap<String, Kept>>,
    turns: KeyedMutex<String>,
}

struct Kept {
    begun: u64,
    state: State,
}

enum State {
    Open {
        stages: Stages,
        /// What was asked in it, which the client need not say again.
        parameters: Option<Secret>,
    },
    /// It authenticates nothing any more; whoever sends the same request has lost the answer.
    Registered { by: Fingerprint, user_id: OwnedUserId, login: Option<Login> },
}

/// Whether a session that was begun then is still there.
fn lives(begun: u64, now: u64) -> bool {
    // A clock that was set back gives no session more time than it had.
    now.abs_diff(begun) < LIFETIME.as_millis() as u64
}

impl Interactive {
    /// Drops the sessions that are too old at `now`.
    pub(super) fn expire(&self, now: u64) {
        self.sessions.borrow_mut().retain(|_, kept| lives(kept.begun, now));
    }

    /// What `look` finds in a session, if it is there.
    fn look<T>(&self, session: &str, look: impl FnOnce(&State) -> Option<T>) -> Option<T> {
        let sessions = self.sessions.borrow();
        let kept = sessions.get(session).filter(|kept| lives(kept.begun, now()))?;
        look(&kept.state)
    }
}

impl Users {
    /// Begins a session of User-Interactive Authentication; its id.
    pub fn begin_stages(&self, purpose: Purpose, flows: Vec<AuthFlow>) -> String {
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if sessions.len() >= SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, kept)| kept.begun);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&oldest);
            }
        }
        let id = platform::random_string(24);
        let stages = Stages { purpose, flows, completed: Vec::new() };
        let state = State::Open { stages, parameters: None };
        sessions.insert(id.clone(), Kept { begun: now(), state });
        id
    }

    /// What was completed in a session, if it is there.
    pub fn stages(&self, session: &str) -> Option<Stages> {
        self.inner.interactive.look(session, |state| match state {
            State::Open { stages, .. } => Some(stages.clone()),
            State::Registered { .. } => None,
        })
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
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if let Some(State::Open { stages, .. }) = sessions.get_mut(session).map(|it| &mut it.state)
            && !stages.completed.contains(&stage)
        {
            stages.completed.push(stage);
        }
    }

    /// Keeps what was asked in a session, for those who go on with it and don't say it again.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn keep_parameters(&self, session: &str, asked: &JsonObject) -> Result<()> {
        let asked = Secret::new(serde_json::to_vec(asked).map_err(Error::internal)?);
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if let Some(State::Open { parameters, .. }) =
            sessions.get_mut(session).map(|it| &mut it.state)
        {
            *parameters = Some(asked).filter(|asked| asked.len() <= PARAMETERS);
        }
        Ok(())
    }

    /// What `sender` has asked in a session that they began.
    pub fn parameters(&self, session: &str, sender: Option<&Session>) -> Option<JsonObject> {
        self.inner.interactive.look(session, |state| match state {
            State::Open { stages, parameters } if stages.purpose.owner == owner(sender) => {
                serde_json::from_slice(parameters.as_ref()?).ok()
            }
            _ => None,
        })
    }

    /// Ends a session: it authenticates nothing any more.
    pub fn end_stages(&self, session: &str) {
        self.inner.interactive.sessions.borrow_mut().remove(session);
    }

    /// Waits for all other requests that register in a session.
    pub async fn turn_to_register(&self, session: &str) -> KeyedGuard<String> {
        self.inner.interactive.turns.lock(session.to_owned()).await
    }

    /// Ends a session, in which the request of this fingerprint has registered a user.
    pub fn end_registration(
        &self,
        session: &str,
        by: Fingerprint,
        user_id: OwnedUserId,
        login: Option<Login>,
    ) {
        let mut sessions = self.inner.interactive.sessions.borrow_mut();
        if let Some(kept) = sessions.get_mut(session) {
            kept.state = State::Registered { by, user_id, login };
        }
    }

    /// Whom the request of this fingerprint has registered in a session.
    pub fn registered(
        &self,
        session: &str,
        by: &Fingerprint,
    ) -> Option<(OwnedUserId, Option<Login>)> {
        self.inner.interactive.look(session, |state| match state {
            State::Registered { by: request, user_id, login } if request == by => {
                Some((user_id.clone(), login.clone()))
            }
            _ => None,
        })
    }
}
