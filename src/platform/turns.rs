//! Long work in short steps. Everything runs on one thread, and what finds all that it reads in
//! memory is never made to wait: it would have the thread to its end.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    time::Duration,
};

use web_time::Instant;

use super::next_turn;

/// For how long a task has the thread.
const LONGEST: Duration = Duration::from_millis(8);
/// How often the clock is asked: not each time, which would show in what is short.
const ASKED_EVERY: u32 = 16;

thread_local! {
    /// When the task that is being run was given the thread.
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static UNASKED: Cell<u32> = const { Cell::new(0) };
}

/// Makes known when a task is given the thread.
pub(super) async fn in_turns(task: impl Future<Output = ()>) {
    let mut task = std::pin::pin!(task);
    poll_fn(move |context| {
        BEGUN.set(Some(Instant::now()));
        let polled = task.as_mut().poll(context);
        BEGUN.set(None);
        polled
    })
    .await;
}

/// Where a task can wait, as before each read: lets others go on when it has had the thread for
/// long.
pub async fn give_way() {
    let unasked = UNASKED.get() + 1;
    UNASKED.set(unasked % ASKED_EVERY);
    if unasked == ASKED_EVERY && BEGUN.get().is_some_and(|begun| begun.elapsed() >= LONGEST) {
        next_turn().await;
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::rc::Rc;

    use futures::channel::oneshot;

    use super::*;
    use crate::platform::{run, spawn};

    #[test]
    fn others_go_on_while_a_task_works_for_long() {
        run(async {
            let (done, worked) = oneshot::channel();
            let answered = Rc::new(Cell::new(false));
            let before = answered.clone();
            spawn(async move {
                let begun = Instant::now();
                // It would never end if it did not give way.
                while !before.get() && begun.elapsed() < Duration::from_secs(60) {
                    give_way().await;
                }
                done.send(before.get()).unwrap();
            });
            spawn(async move { answered.set(true) });
            assert!(worked.await.unwrap());
        });
    }
}
