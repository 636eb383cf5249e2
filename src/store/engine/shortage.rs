//! What the engine does when the browser gives no more room.
//!
//! Opening needs none. Where the records that take the database over find no room, they are kept
//! and written before the first write that finds some. Until then only the lock that the worker
//! holds keeps others out; should somebody have written meanwhile, the database is theirs.
//!
//! While there is room, the engine keeps a reserve, a blob that means nothing. Where a write that
//! makes room ([`Purpose::MakeRoom`]) finds none, the reserve is removed for it. Once something that
//! was to be kept found no room, nothing that is to be kept is tried, until there is room for one
//! reserve more: it would use up what the reserve has left, and what makes room would fail with it
//! if it were submitted behind it.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use futures::lock::Mutex;

use super::{
    Engine,
    backend::{Operation, Transaction},
    recovery::{self, Found},
};
use crate::{
    platform::{self, Notify},
    store::{Blob, Error, Result},
};

/// The blob of the reserve.
const RESERVE: &str = "reserve";
/// How long is waited at least, and at most, between attempts to find room: each writes a reserve.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To keep something.
    Keep,
    /// To make room: to remove something, or to merge a journal into the leaves.
    MakeRoom,
}

/// Whether the reserve is there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reserve {
    #[default]
    Unknown,
    Kept,
    Missing,
}

/// Who is told when there is no more room, and when there is some again.
type Watcher = Rc<dyn Fn(bool)>;

/// What is known of a lack of room.
#[derive(Default)]
pub(crate) struct Shortage {
    /// Whether the newest write that was to keep something found no room.
    full: Cell<bool>,
    watchers: RefCell<Vec<Watcher>>,
    /// What the opening found, as long as it has not taken the database over.
    unclaimed: Cell<Option<Found>>,
    reserve: Cell<Reserve>,
    /// Whether something was removed since the last checkpoint began: it goes from the disk only
    /// with the next one.
    freed: Cell<bool>,
    /// Whether a task looks for room.
    looking: Cell<bool>,
    /// Room was made.
    made: Notify,
    /// Held by whoever claims the database, makes or removes the reserve.
    turn: Mutex<()>,
}

impl Shortage {
    /// Of an opening that did not find the room to take the database over, if `unclaimed` has what
    /// it found there.
    pub(crate) fn new(unclaimed: Option<Found>) -> Self {
        Self { unclaimed: Cell::new(unclaimed), ..Self::default() }
    }

    /// Whether there is no room for what is to be kept, as far as is known.
    pub(crate) fn is_full(&self) -> bool {
        self.full.get()
    }

    /// Calls `watcher` each time that [`Shortage::is_full`] changes.
    pub(crate) fn watch(&self, watcher: Watcher) {
        self.watchers.borrow_mut().push(watcher);
    }

    /// Something was removed.
    pub(crate) fn note_freed(&self) {
        self.freed.set(true);
    }

    /// Whether something was removed that a checkpoint has not removed from the disk yet.
    pub(crate) fn has_freed(&self) -> bool {
        self.freed.get()
    }

    /// A checkpoint begins with all that was removed until now.
    pub(crate) fn take_freed(&self) {
        self.freed.set(false);
    }

    /// The disk may have more room than before.
    pub(crate) fn note_made(&self) {
        self.made.notify();
    }

    fn set_full(&self, full: bool) {
        if self.full.replace(full) != full {
            let watchers = self.watchers.borrow().clone();
            watchers.iter().for_each(|watcher| watcher(full));
        }
    }
}

impl Engine {
    /// Writes; once the database turns out to be gone or another's, nothing is accepted any more.
    pub(crate) async fn write_to_backend(
        &self,
        transaction: Transaction,
        to: Purpose,
    ) -> Result<()> {
        let outcome = match self.prepare(to).await {
            Ok(()) => self.write_within(to, || self.backend.write(transaction.clone())).await,
            Err(cause) => Err(cause),
        };
        match &outcome {
            Err(cause @ Error::Closed(_)) => {
                self.closed.reach(cause.clone());
            }
            Ok(()) if to == Purpose::Keep => self.shortage.set_full(false),
            _ => {}
        }
        outcome
    }

    /// # Errors
    /// When nothing that is to be kept is tried for lack of room.
    pub(crate) fn check_room(&self) -> Result<()> {
        match self.shortage.is_full() && self.options.reserve_bytes > 0 {
            true => Err(Error::QuotaExceeded),
            false => Ok(()),
        }
    }

    /// Keeps a large value.
    pub(crate) async fn put_blob(&self, id: &str, blob: Blob) -> Result<()> {
        self.check_open()?;
        self.check_room()?;
        self.prepare(Purpose::Keep).await?;
        self.backend.put_blob(id, blob).await
    }

    /// Removes a large value.
    pub(crate) async fn delete_blob(&self, id: &str) -> Result<()> {
        self.check_open()?;
        self.write_within(Purpose::MakeRoom, || self.backend.delete_blob(id)).await?;
        self.shortage.note_made();
        Ok(())
    }

    /// A write failed, or the opening could not claim the database.
    pub(crate) fn note_failure(self: &Rc<Self>, cause: &Error) {
        if !matches!(cause, Error::QuotaExceeded) {
            return;
        }
        self.shortage.set_full(true);
        if self.options.reserve_bytes > 0 && !self.shortage.looking.replace(true) {
            platform::spawn(look_for_room(Rc::downgrade(self)));
        }
    }

    /// Writes, and once more without the reserve if that helps.
    async fn write_within<'a>(
        &'a self,
        to: Purpose,
        write: impl Fn() -> Operation<'a, ()>,
    ) -> Result<()> {
        match write().await {
            Err(Error::QuotaExceeded) if to == Purpose::MakeRoom => {
                let turn = self.shortage.turn.lock().await;
                let released = self.release_reserve().await?;
                drop(turn);
                if released { write().await } else { Err(Error::QuotaExceeded) }
            }
            outcome => outcome,
        }
    }

    /// Does what has to be done before a write: mostly nothing.
    pub(crate) async fn prepare(&self, to: Purpose) -> Result<()> {
        if self.is_prepared(to) {
            return Ok(());
        }
        let _turn = self.shortage.turn.lock().await;
        if self.is_prepared(to) {
            return Ok(());
        }
        if to == Purpose::Keep {
            self.find_reserve().await?;
        }
        self.claim_again(to).await
    }

    fn is_prepared(&self, to: Purpose) -> bool {
        let reserved = self.options.reserve_bytes == 0
            || self.shortage.reserve.get() == Reserve::Kept
            || to == Purpose::MakeRoom;
        reserved && self.shortage.unclaimed.get().is_none()
    }

    /// Takes the database over, if the opening found no room for that.
    async fn claim_again(&self, to: Purpose) -> Result<()> {
        let Some(found) = self.shortage.unclaimed.get() else { return Ok(()) };
        let claim = || {
            self.backend.claim(Box::new(move |records| {
                let (recovered, changes) = recovery::recover(&records)?;
                if recovered.found == found { Ok(changes) } else { Err(Error::taken_over()) }
            }))
        };
        match claim().await {
            Err(Error::QuotaExceeded)
                if to == Purpose::MakeRoom && self.release_reserve().await? =>
            {
                claim().await?;
            }
            outcome => outcome?,
        }
        // Whoever had the database before may have written leaves until now.
        self.leaves.forget();
        self.shortage.unclaimed.set(None);
        Ok(())
    }

    /// Looks for the reserve, and makes it when it is not there.
    async fn find_reserve(&self) -> Result<()> {
        match self.shortage.reserve.get() {
            _ if self.options.reserve_bytes == 0 => return Ok(()),
            Reserve::Kept => return Ok(()),
            Reserve::Unknown if self.backend.blob(RESERVE).await?.is_some() => {}
            Reserve::Unknown | Reserve::Missing => self.make_reserve().await?,
        }
        self.shortage.reserve.set(Reserve::Kept);
        Ok(())
    }

    async fn make_reserve(&self) -> Result<()> {
        let blob = Blob::new(vec![0; self.options.reserve_bytes].into());
        self.backend.put_blob(RESERVE, blob).await
    }

    /// Removes the reserve; whether there may be more room now.
    async fn release_reserve(&self) -> Result<bool> {
        if self.options.reserve_bytes == 0 || self.shortage.reserve.get() == Reserve::Missing {
            return Ok(false);
        }
        self.backend.delete_blob(RESERVE).await?;
        self.shortage.reserve.set(Reserve::Missing);
        Ok(true)
    }

    /// Finds out whether there is room for a reserve, or for one more.
    async fn find_room(&self) -> Result<()> {
        let _turn = self.shortage.turn.lock().await;
        self.make_reserve().await?;
        self.shortage.reserve.set(Reserve::Kept);
        self.claim_again(Purpose::Keep).await
    }
}

/// Looks for room from time to time, and when some was made, until it finds some.
async fn look_for_room(engine: Weak<Engine>) {
    let mut pause = FIRST_RETRY;
    loop {
        let Some(made) = engine.upgrade().map(|engine| engine.shortage.made.listen()) else {
            return;
        };
        if platform::timeout(pause, made).await.is_some() {
            pause = FIRST_RETRY;
        }
        let Some(engine) = engine.upgrade() else { return };
        let looks = engine.shortage.is_full() && engine.check_accepting().is_ok();
        if !looks || engine.find_room().await.is_ok() {
            engine.shortage.looking.set(false);
            engine.shortage.set_full(false);
            return;
        }
        pause = LAST_RETRY.min(pause * 2);
    }
}
