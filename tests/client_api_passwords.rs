//! Passwords are hashed beside everything else: natively on another thread, of which these tests
//! say when it goes on. That browsers do so too is for `tests/system/runtime-helper.test.mjs`.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::{future::Future, sync::mpsc};

use futures::poll;
use neurite::{platform, users::NewDevice};
use support::client::{Client, password_login, server};
use tokio::task::spawn_blocking;

/// Runs a test with a single thread for what would hold this one.
fn with_one_thread(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Has that thread do nothing, once it has come to this, until the sender is used.
fn hold() -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    spawn_blocking(move || receiver.recv());
    sender
}

/// Lets everything go on that can.
async fn settle() {
    for _ in 0..1000 {
        platform::next_turn().await;
    }
}

#[test]
fn others_are_answered_while_a_password_is_hashed() {
    with_one_thread(async {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let held = hold();
        let anonymous = Client::anonymous(&server);
        let mut login = std::pin::pin!(anonymous.post("/v3/login", password_login("alice")));
        for _ in 0..100 {
            alice.get("/v3/account/whoami").await.ok();
            assert!(poll!(&mut login).is_pending());
        }
        held.send(()).unwrap();
        anonymous.logged_in(&login.await.ok()).get("/v3/account/whoami").await.ok();
    });
}

#[test]
fn who_began_to_log_in_with_a_password_that_is_changed_is_not_logged_in() {
    with_one_thread(async {
        let server = server().await;
        Client::register(&server, "alice").await;
        let users = &server.users;
        let alice = users.user_id("alice").unwrap();
        let before = hold();
        let mut changed = std::pin::pin!(users.set_password(&alice, "another", None));
        assert!(poll!(&mut changed).is_pending());
        let after = hold();
        let device = NewDevice::default();
        let mut login = std::pin::pin!(users.login_by_password(&alice, "password", device));
        assert!(poll!(&mut login).is_pending());
        settle().await;
        assert!(poll!(&mut login).is_pending());
        before.send(()).unwrap();
        changed.await.unwrap();
        after.send(()).unwrap();
        assert!(login.await.unwrap().is_none());
        assert!(users.check_password(&alice, "another").await.unwrap());
    });
}
