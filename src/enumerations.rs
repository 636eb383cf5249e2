//! Enumerations that the specification closes. Ruma's types take any value for them, since clients
//! get to know new ones; what is sent here is kept and told to others, or means nothing.

use ruma::{
    api::client::{
        filter::EventFormat,
        push::RuleKind,
        room::{Visibility, create_room::v3::RoomPreset},
        search::search_events::v3::{GroupingKey, OrderBy, SearchKeys},
        state::get_state_event_for_key::v3::StateEventFormat,
        threads::get_threads::v1::IncludeThreads,
    },
    events::room::member::MembershipState,
    media::Method,
    presence::PresenceState,
    push::PushFormat,
    thirdparty::Medium,
};

use crate::{Error, Result};

/// An enumeration that has these values and no others.
pub(crate) trait Closed: AsRef<str> + PartialEq + Sized + 'static {
    /// What it has.
    const VALUES: &'static [Self];
}

/// Refuses values that their enumeration does not have.
///
/// # Errors
/// 400 `M_INVALID_PARAM`
pub(crate) fn check<'a, T: Closed>(
    what: &str,
    values: impl IntoIterator<Item = &'a T>,
) -> Result<()> {
    if values.into_iter().all(|value| T::VALUES.contains(value)) {
        return Ok(());
    }
    let known: Vec<&str> = T::VALUES.iter().map(AsRef::as_ref).collect();
    Err(Error::invalid_param(format!("{what} is none of: {}", known.join(", "))))
}

macro_rules! closed {
    ($($of:ident: $($value:ident),+;)+) => {$(
        impl Closed for $of {
            const VALUES: &'static [Self] = &[$(Self::$value),+];
        }
    )+};
}

closed! {
    EventFormat: Client, Federation;
    GroupingKey: RoomId, Sender;
    IncludeThreads: All, Participated;
    Medium: Email, Msisdn;
    MembershipState: Ban, Invite, Join, Knock, Leave;
    Method: Crop, Scale;
    OrderBy: Recent, Rank;
    PresenceState: Offline, Online, Unavailable;
    PushFormat: EventIdOnly;
    RoomPreset: PrivateChat, PublicChat, TrustedPrivateChat;
    RuleKind: Override, Underride, Sender, Room, Content;
    SearchKeys: ContentBody, ContentName, ContentTopic;
    StateEventFormat: Content, Event;
    Visibility: Private, Public;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_enumeration_has_its_values_and_no_others() {
        assert!(check("preset", &Some(RoomPreset::from("public_chat"))).is_ok());
        assert!(check("preset", &None::<RoomPreset>).is_ok());
        for other in ["", "public", "PUBLIC_CHAT", "org.example.chat"] {
            let error = check("preset", [&RoomPreset::from(other)]).unwrap_err();
            let values = "private_chat, public_chat, trusted_private_chat";
            assert!(
                error.to_string().ends_with(&format!("preset is none of: {values}")),
                "{error}"
            );
        }
    }
}
