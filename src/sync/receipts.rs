//! How far users have read. spec: client-server §Receipts

use std::{collections::BTreeMap, rc::Rc};

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
    events::receipt::{ReceiptThread, ReceiptType},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Result,
    feed::{Change, Feed, Position, is_unthreaded},
    platform::{self, KeyedMutex},
    push::Push,
    rooms::Event,
    store::{Batch, Declaration, Erasure, Json, Rows, Store, Table},
};

/// Room, user, receipt type, thread → receipt.
const RECEIPTS: Rows<(OwnedRoomId, OwnedUserId, String, String), Json<Receipt>> =
    Rows::new(Table::Receipts, Erasure::Removed);
/// All tables of this part.
pub(crate) const TABLES: &[Declaration] = &[RECEIPTS.declaration()];

/// A handle to the receipts; clones share it.
#[derive(Clone)]
pub struct Receipts {
    store: Store,
    feed: Feed,
    push: Push,
    /// One receipt of a user at a time.
    users: Rc<KeyedMutex<OwnedUserId>>,
}

/// A receipt as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose it is.
    pub user_id: OwnedUserId,
    /// Public or private.
    pub receipt_type: ReceiptType,
    /// Which part of the room it is for.
    #[serde(default, skip_serializing_if = "is_unthreaded")]
    pub thread: ReceiptThread,
    /// The event that was read.
    pub event_id: OwnedEventId,
    /// Where that event is.
    pub event_position: Position,
    /// When it was read.
    pub ts: MilliSecondsSinceUnixEpoch,
}

impl Receipts {
    pub(super) fn new(store: Store, feed: Feed, push: Push) -> Self {
        Self { store, feed, push, users: Rc::default() }
    }

    /// A user has read a part of a room up to some events, by the types of receipts; written
    /// together with `batch`. Receipts never go back: one for an older event than before changes
    /// nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set(
        &self,
        mut batch: Batch,
        room_id: &RoomId,
        user_id: &UserId,
        thread: &ReceiptThread,
        read: &[(ReceiptType, Event)],
    ) -> Result<()> {
        let _only = self.users.lock(user_id.to_owned()).await;
        let mut receipts = Vec::with_capacity(read.len());
        for (receipt_type, event) in read {
            let standing = self.get(room_id, user_id, receipt_type, thread).await?;
            if standing.is_none_or(|standing| standing.event_position < event.position) {
                receipts.push(Receipt {
                    user_id: user_id.to_owned(),
                    receipt_type: receipt_type.clone(),
                    thread: thread.clone(),
                    event_id: event.pdu.event_id.clone(),
                    event_position: event.position,
                    ts: platform::now(),
                });
            }
        }
        if let Some(farthest) = receipts.iter().map(|receipt| receipt.event_position).max() {
            self.push.read_up_to(&mut batch, user_id, room_id, thread, farthest).await?;
        }
        for receipt in receipts {
            let part = receipt.thread.as_str().unwrap_or_default();
            let key = (room_id, user_id, receipt.receipt_type.as_str(), part);
            RECEIPTS.put(&mut batch, key, &receipt)?;
            let change = Change::Receipt {
                room_id: room_id.to_owned(),
                user_id: receipt.user_id,
                receipt_type: receipt.receipt_type,
                thread: receipt.thread,
            };
            self.feed.record(&mut batch, change);
        }
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.store.commit(batch).await?)
    }

    /// A user's receipt of a type in a part of a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn get(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
        receipt_type: &ReceiptType,
        thread: &ReceiptThread,
    ) -> Result<Option<Receipt>> {
        let part = thread.as_str().unwrap_or_default();
        let key = (room_id, user_id, receipt_type.as_str(), part);
        Ok(RECEIPTS.get(&self.store, key).await?)
    }

    /// All receipts of a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn all(&self, room_id: &RoomId) -> Result<Vec<Receipt>> {
        Ok(RECEIPTS.scan((room_id,)).values(&self.store).await?)
    }
}

/// The `m.receipt` event of some receipts, without the private ones of others; `None` for none.
pub(super) fn event(receipts: &[Receipt], reader: &UserId) -> Option<Value> {
    let mut content: BTreeMap<&EventId, BTreeMap<&str, BTreeMap<&UserId, Value>>> = BTreeMap::new();
    for receipt in receipts {
        if receipt.receipt_type == ReceiptType::ReadPrivate && receipt.user_id != reader {
            continue;
        }
        let mut data = json!({ "ts": receipt.ts });
        if let Some(thread) = receipt.thread.as_str() {
            data["thread_id"] = thread.into();
        }
        let users = content
            .entry(&receipt.event_id)
            .or_default()
            .entry(receipt.receipt_type.as_str())
            .or_default();
        // The form has place for one receipt of a user at an event: that which says most.
        if is_unthreaded(&receipt.thread) || !users.contains_key(&*receipt.user_id) {
            users.insert(&receipt.user_id, data);
        }
    }
    (!content.is_empty()).then(|| json!({ "type": "m.receipt", "content": content }))
}
