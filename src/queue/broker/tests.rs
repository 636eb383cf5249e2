use std::{cell::RefCell, rc::Rc};

use futures::FutureExt;

use super::*;

type Heard = Rc<RefCell<Vec<String>>>;

/// Records under `name` what it gets.
fn listen(
    broker: &Broker,
    heard: &Heard,
    name: &'static str,
    filter: &str,
    group: Option<&str>,
) -> Subscription {
    let heard = heard.clone();
    broker.subscribe(filter, group, move |message| {
        heard.borrow_mut().push(format!("{name}:{}", message.subject));
    })
}

fn publish(broker: &Broker, subject: &str) -> usize {
    broker.publish(&CoreMessage::new(subject, "payload"))
}

#[test]
fn those_whose_filter_matches_are_delivered() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let _all = [
        listen(&broker, &heard, "literal", "a.b", None),
        listen(&broker, &heard, "star", "a.*", None),
        listen(&broker, &heard, "first star", "*.b", None),
        listen(&broker, &heard, "rest", "a.>", None),
        listen(&broker, &heard, "all", ">", None),
        listen(&broker, &heard, "longer", "a.b.c", None),
        listen(&broker, &heard, "other", "a.c", None),
    ];
    assert_eq!(publish(&broker, "a.b"), 5);
    heard.borrow_mut().sort();
    assert_eq!(*heard.take(), ["all:a.b", "first star:a.b", "literal:a.b", "rest:a.b", "star:a.b"]);
    assert_eq!(publish(&broker, "a"), 1, "`a.>` needs one more token");
    assert_eq!(publish(&broker, "a.b.c.d"), 2);
    assert!(broker.has_interest("a.b"));
}

#[test]
fn a_subscription_ends_when_dropped_and_leaves_nothing() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let filters = ["a.b", "a.*.c", "a.>", ">", "a.*"];
    let all = filters.map(|filter| listen(&broker, &heard, "one", filter, None));
    let again = listen(&broker, &heard, "again", "a.b", None);
    drop(all);
    assert_eq!(publish(&broker, "a.b"), 1);
    drop(again);
    assert_eq!(publish(&broker, "a.b"), 0);
    assert!(!broker.has_interest("a.b"));
    assert_eq!(*heard.take(), ["again:a.b"]);
    assert!(broker.inner.interest.borrow().matching("a.b").each.is_empty());
}

#[test]
fn one_of_a_queue_group_is_delivered_whatever_its_filter() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let _all = [
        listen(&broker, &heard, "q", "a.b", Some("q")),
        listen(&broker, &heard, "q", "a.*", Some("q")),
        listen(&broker, &heard, "r", "a.b", Some("r")),
        listen(&broker, &heard, "each", "a.b", None),
    ];
    for _ in 0..4 {
        assert_eq!(publish(&broker, "a.b"), 3);
    }
    let heard = heard.take();
    for name in ["q:a.b", "r:a.b", "each:a.b"] {
        assert_eq!(heard.iter().filter(|one| *one == name).count(), 4, "{name}");
    }
}

#[test]
fn members_of_a_queue_group_take_turns() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let names = ["one", "two", "three"];
    let _all = names.map(|name| listen(&broker, &heard, name, "work", Some("q")));
    for _ in 0..9 {
        publish(&broker, "work");
    }
    for name in names {
        let of = heard.borrow().iter().filter(|one| one.starts_with(name)).count();
        assert_eq!(of, 3, "{name}");
    }
}

#[test]
fn what_is_delivered_may_publish_subscribe_and_unsubscribe() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let late = Rc::new(RefCell::new(None));
    let first = {
        let (broker, heard, late) = (broker.clone(), heard.clone(), late.clone());
        broker.clone().subscribe("a", None, move |_| {
            // The one after this has been found already, and gets nothing any more.
            late.replace(Some(listen(&broker, &heard, "new", "b", None)));
            publish(&broker, "b");
        })
    };
    late.replace(Some(listen(&broker, &heard, "late", "a", None)));
    assert_eq!(publish(&broker, "a"), 1);
    assert_eq!(*heard.take(), ["new:b"]);
    drop(first);
}

#[test]
fn a_client_may_not_want_to_hear_itself() {
    let (broker, heard) = (Broker::new(), Heard::default());
    let (one, two) = (broker.client_id(), broker.client_id());
    let note = heard.clone();
    let _deaf = broker.subscribe_as(one, false, "a", Some("q"), move |message| {
        note.borrow_mut().push(format!("deaf:{}", message.subject));
    });
    let message = CoreMessage::new("a", "");
    assert_eq!(broker.publish_from(one, &message), 0);
    assert_eq!(broker.publish_from(two, &message), 1);
    assert_eq!(broker.publish(&message), 1);
    let _member = listen(&broker, &heard, "member", "a", Some("q"));
    heard.take();
    for _ in 0..2 {
        assert_eq!(broker.publish_from(one, &message), 1);
    }
    assert_eq!(*heard.take(), ["member:a", "member:a"]);
}

#[test]
fn interest_is_watched() {
    let broker = Broker::new();
    let mut came = Box::pin(broker.watch_interest());
    assert!(came.as_mut().now_or_never().is_none());
    let subscription = broker.subscribe("a", None, |_| {});
    assert!(came.now_or_never().is_some());
    let left = broker.watch_interest();
    drop(subscription);
    assert!(left.now_or_never().is_some());
    assert_ne!(broker.inbox(), broker.inbox());
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn who_delivers_much_keeps_pace_with_those_who_listen() {
    platform::run(async {
        let broker = Broker::new();
        let (slow, other) = (broker.client_id(), broker.client_id());
        let _subscription = broker.subscribe_as(slow, true, "a.*", None, |_| {});
        broker.set_behind(other, true);
        assert!(broker.keep_pace("a.b").now_or_never().is_some(), "another does not listen");
        broker.set_behind(slow, true);
        let mut pace = Box::pin(broker.keep_pace("a.b"));
        assert!(pace.as_mut().now_or_never().is_none());
        assert!(broker.keep_pace("b").now_or_never().is_some());
        broker.set_behind(slow, false);
        assert!(pace.now_or_never().is_some());
    });
}
