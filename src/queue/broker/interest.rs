//! The interest in subjects: a tree of tokens, so that finding the listeners of a subject takes as
//! many steps as the subject has tokens, however many listeners there are.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::message::{ClientId, CoreMessage};

/// Delivers a message; returns false to decline it.
type Deliver = Box<dyn Fn(&CoreMessage) -> bool>;

/// A listener.
pub(super) struct Listener {
    filter: Box<str>,
    group: Option<Rc<str>>,
    /// The client that it belongs to, if any, and whether that client wants its own messages.
    client: Option<(ClientId, bool)>,
    gone: Cell<bool>,
    deliver: Deliver,
}

/// The listeners of a subject.
#[derive(Default)]
pub(super) struct Matched {
    /// Each of these gets every message.
    pub(super) each: Vec<Rc<Listener>>,
    /// One listener of each group gets the message. A group may be spread over several filters.
    pub(super) groups: Vec<(Rc<str>, Vec<Rc<Listener>>)>,
}

/// The tree.
#[derive(Default)]
pub(super) struct Interest {
    root: Node,
}

#[derive(Default)]
struct Node {
    /// Filters that end with this token.
    here: Vec<Rc<Listener>>,
    /// Filters that go on with `>`.
    rest: Vec<Rc<Listener>>,
    /// Filters that go on with `*`.
    any: Option<Box<Node>>,
    /// Filters that go on with a token.
    next: HashMap<Box<str>, Node>,
}

impl Listener {
    pub(super) fn new(
        filter: &str,
        group: Option<&str>,
        client: Option<(ClientId, bool)>,
        deliver: Deliver,
    ) -> Self {
        let group = group.map(Into::into);
        Self { filter: filter.into(), group, client, gone: Cell::new(false), deliver }
    }

    /// Gives it a message; returns false when it does not take it.
    pub(super) fn receive(&self, message: &CoreMessage, from: Option<ClientId>) -> bool {
        let own = self.client.is_some_and(|(client, echo)| !echo && from == Some(client));
        let wants = !self.gone.get() && !own;
        wants && (self.deliver)(message)
    }

    /// From now on it gets nothing.
    pub(super) fn leave(&self) {
        self.gone.set(true);
    }
}

impl Matched {
    fn add(&mut self, listeners: &[Rc<Listener>]) {
        for listener in listeners {
            let Some(group) = &listener.group else {
                self.each.push(listener.clone());
                continue;
            };
            match self.groups.iter_mut().find(|(name, _)| name == group) {
                Some((_, members)) => members.push(listener.clone()),
                None => self.groups.push((group.clone(), vec![listener.clone()])),
            }
        }
    }
}

impl Interest {
    pub(super) fn add(&mut self, listener: Rc<Listener>) {
        let mut node = &mut self.root;
        for token in listener.filter.split('.') {
            node = match token {
                ">" => {
                    node.rest.push(listener.clone());
                    return;
                }
                "*" => node.any.get_or_insert_default(),
                token => node.next.entry(token.into()).or_default(),
            };
        }
        node.here.push(listener.clone());
    }

    pub(super) fn remove(&mut self, listener: &Rc<Listener>) {
        self.root.remove(Some(&listener.filter), listener);
    }

    pub(super) fn matching(&self, subject: &str) -> Matched {
        let mut matched = Matched::default();
        self.root.visit(Some(subject), &mut |listeners| {
            matched.add(listeners);
            false
        });
        matched
    }

    pub(super) fn has(&self, subject: &str) -> bool {
        self.root.visit(Some(subject), &mut |listeners| !listeners.is_empty())
    }

    /// Whether there is a listener with exactly this subject as its filter, in that queue group or
    /// in none.
    pub(super) fn has_exactly(&self, subject: &str, group: Option<&str>) -> bool {
        let is_one = |listener: &Rc<Listener>| {
            *listener.filter == *subject && listener.group.as_deref() == group
        };
        self.root.visit(Some(subject), &mut |listeners| listeners.iter().any(is_one))
    }

    /// Whether one of `clients` has a listener.
    pub(super) fn has_one_of(&self, clients: &HashSet<ClientId>, subject: &str) -> bool {
        let is_one = |listener: &Rc<Listener>| {
            listener.client.is_some_and(|(client, _)| clients.contains(&client))
        };
        self.root.visit(Some(subject), &mut |listeners| listeners.iter().any(is_one))
    }
}

impl Node {
    /// Calls `found` with the listeners of `subject`, one filter at a time, until it returns true.
    fn visit(
        &self,
        subject: Option<&str>,
        found: &mut impl FnMut(&[Rc<Listener>]) -> bool,
    ) -> bool {
        let Some(subject) = subject else { return found(&self.here) };
        let (token, subject) = first_token(subject);
        found(&self.rest)
            || self.next.get(token).is_some_and(|node| node.visit(subject, found))
            || self.any.as_ref().is_some_and(|node| node.visit(subject, found))
    }

    /// Removes `listener`, whose filter goes on with `filter` from here, and the nodes that become
    /// empty.
    fn remove(&mut self, filter: Option<&str>, listener: &Rc<Listener>) {
        let Some(filter) = filter else { return forget(&mut self.here, listener) };
        let (token, rest) = first_token(filter);
        match token {
            ">" => forget(&mut self.rest, listener),
            "*" => {
                if let Some(node) = &mut self.any {
                    node.remove(rest, listener);
                }
                self.any.take_if(|node| node.is_empty());
            }
            token => {
                let Some(node) = self.next.get_mut(token) else { return };
                node.remove(rest, listener);
                if node.is_empty() {
                    self.next.remove(token);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.rest.is_empty() && self.any.is_none() && self.next.is_empty()
    }
}

fn first_token(subject: &str) -> (&str, Option<&str>) {
    match subject.split_once('.') {
        Some((token, rest)) => (token, Some(rest)),
        None => (subject, None),
    }
}

fn forget(listeners: &mut Vec<Rc<Listener>>, listener: &Rc<Listener>) {
    listeners.retain(|one| !Rc::ptr_eq(one, listener));
}
