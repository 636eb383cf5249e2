//! The fast batches of a stream that are in progress.

use std::{collections::HashMap, rc::Rc};

use super::batch::FastBatch;

#[derive(Default)]
pub(in crate::queue::stream) struct FastBatches {
    pub(super) batches: HashMap<Rc<str>, FastBatch>,
}
