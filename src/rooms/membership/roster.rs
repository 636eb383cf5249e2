//! The members of a room in memory, counted and in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use ruma::{OwnedUserId, UserId, events::room::member::MembershipState};

use super::Member;
use crate::feed::Position;

/// The users whom a room's current state names, with what it says of them. What is asked of all of
/// them is kept as they change, so that no change goes through them.
#[derive(Clone, Debug, Default)]
pub struct Members {
    members: BTreeMap<OwnedUserId, Member>,
    joined: usize,
    invited: usize,
    /// Those who are joined or invited, by their newest membership event.
    present: BTreeSet<(Position, OwnedUserId)>,
    /// Those who left or are banned.
    former: BTreeSet<(Position, OwnedUserId)>,
}

impl Members {
    /// How many are joined.
    pub fn joined_count(&self) -> usize {
        self.joined
    }

    /// How many are invited.
    pub fn invited_count(&self) -> usize {
        self.invited
    }

    /// By whom a room without a name goes for `own`: at most `count` of the others who are joined or
    /// invited, or else of those who were, in the order in which they came.
    /// spec: client-server §Calculating the display name for a room
    pub fn heroes(&self, own: &UserId, count: usize) -> Vec<OwnedUserId> {
        let others = |of: &BTreeSet<(Position, OwnedUserId)>| -> Vec<_> {
            let users = of.iter().map(|(_, user_id)| user_id).filter(|user_id| *user_id != own);
            users.take(count).cloned().collect()
        };
        let present = others(&self.present);
        if present.is_empty() { others(&self.former) } else { present }
    }

    /// Sets what the state says of a user; `None` when it names them no longer.
    pub(in crate::rooms) fn set(&mut self, user_id: OwnedUserId, member: Option<Member>) {
        if let Some(before) = self.members.remove(&user_id) {
            self.count(&user_id, &before, false);
        }
        if let Some(member) = member {
            self.count(&user_id, &member, true);
            self.members.insert(user_id, member);
        }
    }

    fn count(&mut self, user_id: &UserId, member: &Member, is_there: bool) {
        let order = match member.membership {
            MembershipState::Join | MembershipState::Invite => &mut self.present,
            MembershipState::Leave | MembershipState::Ban => &mut self.former,
            _ => return,
        };
        let place = (member.position, user_id.to_owned());
        match is_there {
            true => order.insert(place),
            false => order.remove(&place),
        };
        let count = match member.membership {
            MembershipState::Join => &mut self.joined,
            MembershipState::Invite => &mut self.invited,
            _ => return,
        };
        match is_there {
            true => *count += 1,
            false => *count -= 1,
        }
    }
}

impl Deref for Members {
    type Target = BTreeMap<OwnedUserId, Member>;

    fn deref(&self) -> &Self::Target {
        &self.members
    }
}

#[cfg(test)]
mod tests {
    use ruma::{OwnedEventId, events::room::member::MembershipState, owned_event_id};

    use super::*;

    fn member(membership: MembershipState, position: Position) -> Option<Member> {
        let event_id: OwnedEventId = owned_event_id!("$event");
        let sender = user("sender");
        let (displayname, avatar_url) = (None, None);
        Some(Member { membership, event_id, position, sender, displayname, avatar_url })
    }

    fn user(name: &str) -> OwnedUserId {
        UserId::parse(format!("@{name}:neurite.test")).unwrap()
    }

    #[test]
    fn counts_and_order_follow_each_change() {
        let mut members = Members::default();
        let mut set = |name: &str, member: Option<Member>| {
            members.set(user(name), member);
            let heroes = members.heroes(&user("own"), 2);
            let heroes: Vec<_> = heroes.iter().map(|hero| hero.localpart().to_owned()).collect();
            (members.joined_count(), members.invited_count(), heroes.join(" "))
        };
        let is = |joined, invited, heroes: &str| (joined, invited, heroes.to_owned());
        assert_eq!(set("own", member(MembershipState::Join, 1)), is(1, 0, ""));
        assert_eq!(set("b", member(MembershipState::Invite, 2)), is(1, 1, "b"));
        assert_eq!(set("a", member(MembershipState::Join, 3)), is(2, 1, "b a"));
        assert_eq!(set("b", member(MembershipState::Join, 4)), is(3, 0, "a b"));
        assert_eq!(set("c", member(MembershipState::Knock, 5)), is(3, 0, "a b"));
        assert_eq!(set("c", member(MembershipState::Join, 6)), is(4, 0, "a b"));
        assert_eq!(set("a", member(MembershipState::Leave, 7)), is(3, 0, "b c"));
        assert_eq!(set("b", None), is(2, 0, "c"));
        assert_eq!(set("c", member(MembershipState::Ban, 8)), is(1, 0, "a c"));
        assert_eq!(set("a", None), is(1, 0, "c"));
    }
}
