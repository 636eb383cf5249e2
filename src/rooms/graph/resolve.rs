//! The state where branches of the graph meet. The algorithm is ruma's; here its inputs are
//! gathered. spec: room version 2 §State resolution, room version 12 §State resolution

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};

use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    state_res::{self, utils::event_id_set::EventIdSet},
};

use super::{LiveRoom, StateEntry, StateGroup, StateMap};
use crate::{
    Error, Result,
    rooms::{Rooms, events::auth::Loaded},
};

type RumaStateMap = state_res::StateMap<OwnedEventId>;

/// The state where some states meet.
pub(in crate::rooms) enum Resolved {
    /// One of them.
    Same(Option<Rc<StateGroup>>),
    /// One of them with changes.
    Changed(Rc<StateGroup>, Vec<Rc<StateEntry>>),
}

impl Rooms {
    /// Resolves the states after some events.
    ///
    /// # Errors
    /// When the store can't be read, or an event that the states rest on is not there.
    pub(in crate::rooms) async fn resolve(
        &self,
        live: &LiveRoom,
        mut groups: Vec<Option<Rc<StateGroup>>>,
    ) -> Result<Resolved> {
        let id = |group: &Option<Rc<StateGroup>>| group.as_ref().map(|group| group.id);
        groups.sort_by_key(id);
        groups.dedup_by_key(|group| id(group));
        let mut groups = groups.into_iter().flatten().rev();
        let Some(newest) = groups.next() else { return Ok(Resolved::Same(None)) };
        let others: Vec<_> = groups.collect();
        if others.is_empty() {
            return Ok(Resolved::Same(Some(newest)));
        }
        let maps: Vec<_> =
            [&newest].into_iter().chain(&others).map(|group| live.map(Some(group))).collect();
        let resolved = self.resolve_maps(live, &maps).await?;
        let changes = maps.first().map(|map| map.changes_to(&resolved)).unwrap_or_default();
        match changes.is_empty() {
            true => Ok(Resolved::Same(Some(newest))),
            false => Ok(Resolved::Changed(newest, changes)),
        }
    }

    async fn resolve_maps(
        &self,
        live: &LiveRoom,
        maps: &[Rc<StateMap>],
    ) -> Result<BTreeMap<(StateEventType, String), OwnedEventId>> {
        let rules = live
            .rules
            .state_res
            .v2_rules()
            .ok_or_else(|| Error::internal(format!("state resolution of {}", live.version)))?;
        let mut named: HashMap<&EventId, usize> = HashMap::new();
        for (_, _, event_id) in maps.iter().flat_map(|map| map.iter()) {
            *named.entry(event_id).or_default() += 1;
        }
        let (shared, conflicted): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|(_, times)| *times == maps.len());
        let mut events = Loaded::new();
        // What every state rests on is in every auth chain, and so in no difference of them.
        let shared: HashSet<_> = self
            .auth_chain(
                live,
                shared.into_iter().map(|(id, _)| id.to_owned()).collect(),
                &mut events,
            )
            .await?;
        let conflicted: HashSet<_> = conflicted.into_iter().map(|(id, _)| id).collect();
        let mut chains = Vec::with_capacity(maps.len());
        for map in maps {
            let own =
                map.iter().filter(|(_, _, id)| conflicted.contains(&***id)).map(|(_, _, id)| id);
            let chain = self.auth_chain(live, own.cloned().collect(), &mut events).await?;
            chains.push(chain.into_iter().filter(|id| !shared.contains(id)).collect());
        }
        let create = live.tip().head.create.clone();
        if !events.contains_key(&create) {
            events.insert(create.clone(), self.auth_event(live, &create).await?);
        }
        let states: Vec<RumaStateMap> = maps
            .iter()
            .map(|map| {
                map.iter()
                    .map(|(kind, key, id)| ((kind.clone(), key.to_owned()), id.clone()))
                    .collect()
            })
            .collect();
        let resolved = state_res::resolve(
            &live.rules.authorization,
            rules,
            states.iter(),
            chains,
            |id| events.get(id).map(|pdu| &**pdu),
            |conflicted| Some(conflicted_subgraph(conflicted, &events)),
        )
        .map_err(Error::internal)?;
        Ok(resolved.into_iter().collect())
    }

    /// The ids of events that some events rest on by way of their auth events; the events go to
    /// `events`, with those asked for.
    async fn auth_chain(
        &self,
        live: &LiveRoom,
        from: Vec<OwnedEventId>,
        events: &mut Loaded,
    ) -> Result<HashSet<OwnedEventId>> {
        let mut chain = HashSet::new();
        let mut next = from;
        while let Some(event_id) = next.pop() {
            let pdu = match events.get(&event_id) {
                Some(pdu) => pdu.clone(),
                None => {
                    let event = self.find_event(live, &event_id).await?.ok_or_else(|| {
                        Error::internal(format!("{event_id} is missing in an auth chain"))
                    })?;
                    events.insert(event_id, event.pdu.clone());
                    event.pdu
                }
            };
            for auth_event in &pdu.auth_events {
                if chain.insert(auth_event.clone()) {
                    next.push(auth_event.clone());
                }
            }
        }
        Ok(chain)
    }
}

/// The events on the ways along auth events from one conflicted event to another, with both ends.
/// spec: room version 12 §State resolution, "conflicted state subgraph"
fn conflicted_subgraph(
    conflicted: &state_res::StateMap<Vec<OwnedEventId>>,
    events: &Loaded,
) -> EventIdSet<OwnedEventId> {
    let ends: HashSet<&OwnedEventId> = conflicted.values().flatten().collect();
    // Whether a conflicted event can be reached from an event; an event itself counts.
    let mut leads: HashMap<&OwnedEventId, bool> = HashMap::new();
    for &end in &ends {
        // Depth first, without recursion: an event is settled after those that it rests on.
        let mut stack = vec![(end, false)];
        while let Some((event_id, visited)) = stack.pop() {
            let auth_events = events.get(event_id).map_or(&[][..], |pdu| &pdu.auth_events);
            if visited {
                let reaches = ends.contains(event_id)
                    || auth_events.iter().any(|id| leads.get(id).copied().unwrap_or(false));
                leads.insert(event_id, reaches);
            } else if !leads.contains_key(event_id) {
                leads.insert(event_id, false);
                stack.push((event_id, true));
                stack.extend(auth_events.iter().map(|id| (id, false)));
            }
        }
    }
    leads.into_iter().filter(|(_, leads)| *leads).map(|(id, _)| id.clone()).collect()
}
