//! The engine: a journal, an overlay in memory, tables packed as leaves.
//!
//! A commit is one record in the journal, however many rows it has. Its rows are kept in memory,
//! in the overlay, until a checkpoint merges them into the leaves and clears the journal. Reads
//! look into the overlay first, then into the leaf that has the key in its stretch.
//!
//! All tables share one order of full keys: the number of the table, then the key in it.

pub(super) mod backend;
mod cache;
mod checkpoint;
mod codec;
mod commit;
mod driver;
pub(super) mod ending;
pub(super) mod facts;
pub(super) mod journal;
mod leaf;
mod leaves;
mod overlay;
mod recovery;
mod scan;
mod shortage;
mod split;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use futures::future::select;
use web_time::Instant;

use self::{
    backend::{Backend, Space},
    commit::Submitted,
    ending::Ending,
    leaves::Leaves,
    overlay::Overlays,
    scan::Scans,
    shortage::Shortage,
};
use super::{Error, Options, Result};
use crate::platform::Notify;

/// The engine over one backend.
pub(super) struct Engine {
    backend: Rc<dyn Backend>,
    options: Options,
    /// The number of this opening of the database.
    owner: u32,
    /// The journal that commits go to.
    journal: Cell<Space>,
    /// The sequence number of the next journal record.
    sequence: Cell<u64>,
    /// The sequence number of the newest record that a head was written for.
    head: Cell<u64>,
    overlays: RefCell<Overlays>,
    leaves: Leaves,
    scans: Scans,
    queue: RefCell<VecDeque<Submitted>>,
    /// When the newest commit began that found that the database is still ours.
    checked: Cell<Option<Instant>>,
    /// How many batches were submitted.
    submitted: Cell<u64>,
    /// Whether a task works off the queue.
    writing: Cell<bool>,
    /// How many batches were being written or waited when the newest group was settled.
    under_way: Cell<usize>,
    /// Whether what waits for others has waited long enough.
    patience_ended: Cell<bool>,
    /// Whether a task waits for nothing to be committed for a while.
    idling: Cell<bool>,
    /// Whether a checkpoint is reading or writing.
    checkpointing: Cell<bool>,
    /// Why the frozen journal is not yet worked off, after an attempt that failed.
    checkpoint_failure: RefCell<Option<Error>>,
    /// An attempt at a checkpoint has ended.
    checkpointed: Notify,
    /// The queue is empty, or a checkpoint pauses.
    settled: Notify,
    shortage: Shortage,
    epoch: Cell<u64>,
    /// Why nothing is accepted any more.
    closed: Ending,
    /// Whether batches are refused because it is about to close, and whether it closes.
    refusing: Cell<bool>,
    closing: Cell<bool>,
}

impl Engine {
    /// Takes over the database in `backend`, as soon as there is room for that.
    ///
    /// # Errors
    /// When its journals can't be read; then nothing was changed.
    pub(super) async fn open(backend: Rc<dyn Backend>, options: Options) -> Result<Rc<Self>> {
        let mut recovered = None;
        let claim = backend.claim(Box::new(|records| {
            let (state, changes) = recovery::recover(&records)?;
            recovered = Some(state);
            Ok(changes)
        }));
        let claimed = claim.await;
        if !matches!(claimed, Err(Error::QuotaExceeded)) {
            claimed.clone()?;
        }
        let Some(recovered) = recovered else {
            let unknown = || Error::Backend("the database was not claimed".to_owned());
            return Err(claimed.err().unwrap_or_else(unknown));
        };
        let interrupted = recovered.overlays.frozen.is_some();
        let engine = Rc::new(Self {
            leaves: Leaves::new(backend.clone(), recovered.tables, options.cache_bytes),
            backend,
            options,
            owner: recovered.found.owner,
            journal: Cell::new(recovered.found.journal),
            sequence: Cell::new(recovered.found.sequence),
            head: Cell::new(recovered.found.sequence - 1),
            overlays: RefCell::new(recovered.overlays),
            scans: Scans::default(),
            queue: RefCell::default(),
            submitted: Cell::new(0),
            checked: Cell::new(None),
            writing: Cell::new(false),
            under_way: Cell::new(0),
            patience_ended: Cell::new(false),
            idling: Cell::new(false),
            checkpointing: Cell::new(false),
            checkpoint_failure: RefCell::default(),
            checkpointed: Notify::default(),
            settled: Notify::default(),
            shortage: Shortage::new(claimed.is_err().then_some(recovered.found)),
            epoch: Cell::new(0),
            closed: Ending::default(),
            refusing: Cell::new(false),
            closing: Cell::new(false),
        });
        if let Err(cause) = &claimed {
            engine.note_failure(cause);
        }
        if interrupted {
            engine.start_checkpoint();
        } else {
            engine.checkpoint_if_due();
        }
        Ok(engine)
    }

    /// Why nothing can be read or written any more, if that is so.
    fn closed(&self) -> Option<Error> {
        self.backend.closed().or_else(|| self.closed.reason())
    }

    /// Waits until that is so.
    async fn ended(&self) -> Error {
        select(self.backend.ended(), Box::pin(self.closed.wait())).await.factor_first().0
    }

    /// # Errors
    /// When the database is no longer there to be read.
    fn check_open(&self) -> Result<()> {
        self.closed().map_or(Ok(()), Err)
    }

    /// # Errors
    /// When nothing new is accepted any more.
    fn check_accepting(&self) -> Result<()> {
        if self.refusing.get() {
            return Err(Error::Closed("it is being stopped".to_owned()));
        }
        self.check_open()
    }

    /// # Errors
    /// When nothing is worked off any more.
    fn check_working(&self) -> Result<()> {
        if self.closing.get() {
            return Err(Error::Closed("it is being stopped".to_owned()));
        }
        self.check_open()
    }
}
