//! Who is online. spec: client-server §Presence
//!
//! Only in memory: when the server starts, nobody is online until they say or sync.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use ruma::{MilliSecondsSinceUnixEpoch, OwnedUserId, UserId, presence::PresenceState};
use serde_json::{Value, json, value::to_raw_value};

use super::{Sync, SyncRequest, changes::Changes, device::Moves, filter, response::Response};
use crate::{
    Error, Result,
    feed::{Change, Feed},
    platform,
    rooms::Rooms,
    users::{Profile, Session},
};

/// How often it is looked who was not seen or active any more.
const LOOK: Duration = Duration::from_secs(15);
/// In how many looks somebody is not seen before they are offline: a minute after they were seen,
/// and a look at most.
const LOOKS: u64 = 5;
/// How long after they were active a user counts as active now.
const CURRENTLY_ACTIVE: Duration = Duration::from_secs(5 * 60);
/// In how many looks somebody is not active before they are unavailable.
const IDLE_LOOKS: u64 = CURRENTLY_ACTIVE.as_secs() / LOOK.as_secs();

/// What is known of a user's presence.
#[derive(Clone, Debug)]
pub struct UserPresence {
    /// Whether they are online.
    pub state: PresenceState,
    /// What they say of it.
    pub status_msg: Option<String>,
    /// When they were active last.
    pub last_active: MilliSecondsSinceUnixEpoch,
    /// Before which look they were active last.
    acted: u64,
    /// Before which look they were seen last.
    seen: u64,
    /// Whether it was found that they are so, and they did not say it: offline since they were not
    /// seen any more, or unavailable since they did nothing.
    found: bool,
}

impl UserPresence {
    /// How long ago they were active.
    pub fn last_active_ago(&self) -> Duration {
        let now = u64::from(platform::now().get());
        Duration::from_millis(now.saturating_sub(self.last_active.get().into()))
    }

    /// Whether they are active now.
    pub fn currently_active(&self) -> bool {
        self.state == PresenceState::Online && self.last_active_ago() < CURRENTLY_ACTIVE
    }

    /// The `m.presence` event.
    pub(super) fn event(&self, user_id: &UserId, profile: &Profile) -> Value {
        let mut content = json!({
            "presence": self.state,
            "last_active_ago": self.last_active_ago().as_millis() as u64,
            "currently_active": self.currently_active(),
        });
        if let Some(status) = &self.status_msg {
            content["status_msg"] = status.as_str().into();
        }
        for field in ["displayname", "avatar_url"] {
            if let Some(value) = profile.get(field) {
                content[field] = value.clone();
            }
        }
        json!({ "type": "m.presence", "sender": user_id, "content": content })
    }
}

/// A handle to the presence of users; clones share it.
#[derive(Clone)]
pub struct Presence {
    feed: Feed,
    rooms: Rooms,
    users: Rc<RefCell<BTreeMap<OwnedUserId, UserPresence>>>,
    looks: Rc<Looks>,
}

/// One timer for everybody.
#[derive(Default)]
struct Looks {
    count: Cell<u64>,
    /// Somebody is online, so there are more to come.
    running: Cell<bool>,
}

impl Presence {
    pub(super) fn new(feed: Feed, rooms: Rooms) -> Self {
        Self { feed, rooms, users: Rc::default(), looks: Rc::default() }
    }

    /// What is known of a user's presence.
    pub fn get(&self, user_id: &UserId) -> Option<UserPresence> {
        self.users.borrow().get(user_id).cloned()
    }

    /// Everybody whose presence is known.
    pub(super) fn known_users(&self) -> BTreeSet<OwnedUserId> {
        self.users.borrow().keys().cloned().collect()
    }

    /// A user says how they are; `status_msg` as it was when `None`.
    ///
    /// # Errors
    /// When the store can't take the change.
    pub async fn set(
        &self,
        user_id: &UserId,
        state: PresenceState,
        status_msg: Option<String>,
    ) -> Result<()> {
        self.change(user_id, |user| {
            user.found = false;
            if status_msg.is_some() {
                user.status_msg = status_msg;
            }
            user.state = state;
            user.state == PresenceState::Online
        })
        .await
    }

    /// A user syncs and is to count as `state` by that. It is nothing that they do themselves: who
    /// is idle stays so. spec: client-server §GET /sync; §Presence, Idle timeout
    ///
    /// # Errors
    /// When the store can't take the change.
    pub(super) async fn syncing(&self, user_id: &UserId, state: PresenceState) -> Result<()> {
        self.change(user_id, |user| {
            let is_idle = user.found && user.state == PresenceState::Unavailable;
            let comes = state == PresenceState::Online && user.state != state && !is_idle;
            if !is_idle || state != PresenceState::Online {
                user.state = state;
                user.found = false;
            }
            comes
        })
        .await
    }

    /// A user has done something, such as to send an event: they are online, unless they said that
    /// they are offline. spec: client-server §Presence, Last active ago, Idle timeout
    ///
    /// # Errors
    /// When the store can't take the change.
    pub async fn active(&self, user_id: &UserId) -> Result<()> {
        self.change(user_id, |user| {
            if user.state != PresenceState::Offline || user.found {
                user.state = PresenceState::Online;
                user.found = false;
            }
            true
        })
        .await
    }

    /// Changes what is known of a user, who is there, and tells others of it; `change` says whether
    /// they were active by that.
    async fn change(
        &self,
        user_id: &UserId,
        change: impl FnOnce(&mut UserPresence) -> bool,
    ) -> Result<()> {
        let look = self.looks.count.get();
        let changed = {
            let mut users = self.users.borrow_mut();
            let is_new = !users.contains_key(user_id);
            let user = users.entry(user_id.to_owned()).or_insert_with(|| UserPresence {
                state: PresenceState::Offline,
                status_msg: None,
                last_active: platform::now(),
                acted: look,
                seen: look,
                found: true,
            });
            let told = (user.state.clone(), user.status_msg.clone(), user.currently_active());
            user.seen = look;
            if change(user) {
                user.last_active = platform::now();
                user.acted = look;
            }
            is_new || told != (user.state.clone(), user.status_msg.clone(), user.currently_active())
        };
        self.look_for_leavers();
        match changed {
            true => self.announce(user_id).await,
            false => Ok(()),
        }
    }

    /// A user has another name or avatar, which is told with their presence, if that is known.
    ///
    /// # Errors
    /// When the store can't take the change.
    pub async fn renamed(&self, user_id: &UserId) -> Result<()> {
        match self.get(user_id) {
            Some(_) => self.announce(user_id).await,
            None => Ok(()),
        }
    }

    /// A sync of a user ended; unless they are seen again, they are offline after a while.
    pub(super) fn seen(&self, user_id: &UserId) {
        if let Some(user) = self.users.borrow_mut().get_mut(user_id) {
            user.seen = self.looks.count.get();
        }
    }

    /// Looks now and then, as long as anybody is there, who was not seen or active any more.
    fn look_for_leavers(&self) {
        if self.looks.running.replace(true) {
            return;
        }
        let presence = self.clone();
        platform::spawn(async move {
            while presence.users.borrow().values().any(|user| user.state != PresenceState::Offline)
            {
                platform::sleep(LOOK).await;
                for user_id in presence.look() {
                    if let Err(cause) = presence.announce(&user_id).await {
                        tracing::warn!("that {user_id} is away is not announced: {cause}");
                    }
                }
            }
            presence.looks.running.set(false);
        });
    }

    /// One look: who is offline or unavailable from now on.
    fn look(&self) -> Vec<OwnedUserId> {
        let look = self.looks.count.get() + 1;
        self.looks.count.set(look);
        let mut changed = Vec::new();
        for (user_id, user) in self.users.borrow_mut().iter_mut() {
            let state = match user.state {
                PresenceState::Offline => continue,
                _ if look - user.seen >= LOOKS => PresenceState::Offline,
                PresenceState::Online if look - user.acted >= IDLE_LOOKS => {
                    PresenceState::Unavailable
                }
                _ => continue,
            };
            user.state = state;
            user.found = true;
            changed.push(user_id.clone());
        }
        changed
    }

    async fn announce(&self, user_id: &UserId) -> Result<()> {
        // With these in memory it wakes only those who share a room.
        self.rooms.memberships(user_id).await?;
        self.feed.announce(Change::Presence { user_id: user_id.to_owned() }).await?;
        Ok(())
    }
}

impl Sync {
    /// Tells the presence that changed, and that of users with whom a room is shared since.
    pub(super) async fn add_presence(
        &self,
        response: &mut Response,
        session: &Session,
        request: &SyncRequest,
        moves: &Moves,
        changes: &Changes,
    ) -> Result<()> {
        let users: BTreeSet<OwnedUserId> = match request.since {
            Some(_) => {
                let mut came = moves.came.clone();
                came.remove(&session.user_id);
                came.extend(changes.presence.iter().cloned());
                came
            }
            None => self.inner.presence.known_users(),
        };
        for user_id in users {
            if !filter::passes(&request.filter.presence, "m.presence", Some(&user_id)) {
                continue;
            }
            if !self.shares(&session.user_id, &user_id).await? {
                continue;
            }
            if let Some(presence) = self.inner.presence.get(&user_id) {
                let profile = self.inner.users.profile(&user_id).await?;
                let event = presence.event(&user_id, &profile);
                response.presence.events.push(to_raw_value(&event).map_err(Error::internal)?);
            }
        }
        Ok(())
    }
}
