//! One-time keys and fallback keys. spec: client-server §One-time and fallback keys

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    fmt,
    rc::Rc,
};

use ruma::{DeviceId, OneTimeKeyAlgorithm, OwnedDeviceId, OwnedOneTimeKeyId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Users, key_forms::check_one_time_key, remembered::Remembered, sessions::Session};
use crate::{
    Error, Result,
    feed::{Change, Feed, Position},
    store::{self, Batch, Erasure, Json, Key, Operation, Rows, Submission, Table},
};

/// How much of a claimed key's hash is kept.
const CLAIMED_BYTES: usize = 16;
/// Of how many devices the counts are kept in memory at most.
const COUNTED_DEVICES: usize = 4096;

/// User, device, algorithm, position, place in the upload → one-time key.
pub(super) const ONE_TIME_KEYS: Rows<
    (OwnedUserId, OwnedDeviceId, String, Position, u64),
    Json<StoredKey>,
> = Rows::new(Table::OneTimeKeys, Erasure::Removed);
/// User, device, algorithm → fallback key.
pub(super) const FALLBACK_KEYS: Rows<(OwnedUserId, OwnedDeviceId, String), Json<StoredKey>> =
    Rows::new(Table::FallbackKeys, Erasure::Removed);
/// The hashes of the keys of a device that were claimed: none is given out again, however often it is
/// uploaded. No client keeps as many private keys, so what is forgotten would be of no use to anybody.
pub(super) const CLAIMED_KEYS: Remembered = Remembered::new(Table::ClaimedKeys, 4096);

/// How many one-time keys a device has at most, of all algorithms together. Clients upload 50 to 100.
const MOST: usize = 4096;

/// Keys by their ids: an object with signatures, or a string.
pub type KeysById = BTreeMap<OwnedOneTimeKeyId, Value>;

/// What a device has left for others to claim.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCounts {
    /// How many one-time keys of each algorithm; that of Olm is there even when there are none,
    /// since clients upload more when they are told so.
    pub one_time_keys: BTreeMap<OneTimeKeyAlgorithm, u64>,
    /// The algorithms of fallback keys that nobody has claimed.
    pub unused_fallback_keys: Vec<OneTimeKeyAlgorithm>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredKey {
    id: OwnedOneTimeKeyId,
    key: Value,
    /// Whether it was claimed, for a fallback key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    used: bool,
}

/// The counts of devices that were asked for lately.
#[derive(Default)]
pub(super) struct KeyCountCache {
    counts: RefCell<HashMap<(OwnedUserId, OwnedDeviceId), Rc<KeyCounts>>>,
    changes: Cell<u64>,
}

impl StoredKey {
    /// What tells it from others: its id and the public key. A device that lost its keys counts from
    /// the first id again.
    fn claimed(&self) -> Key {
        let public = self.key.get("key").unwrap_or(&self.key);
        let hash = Sha256::digest(format!("{} {public}", self.id));
        Key::new().bytes(&hash[..CLAIMED_BYTES])
    }

    /// Whether another is the same key, whatever its signatures.
    fn is_same_key(&self, other: &Self) -> bool {
        self.claimed() == other.claimed()
    }
}

/// Adds one-time keys to those of a device.
struct NewKeys {
    feed: Feed,
    change: Change,
    user_id: OwnedUserId,
    device_id: OwnedDeviceId,
    keys: Vec<StoredKey>,
}

impl Operation for NewKeys {
    fn submit(self: Box<Self>, batch: &mut Submission) -> store::Result<()> {
        let Self { feed, change, user_id, device_id, keys } = *self;
        let position = feed.record_now(batch, change);
        for (place, key) in keys.iter().enumerate() {
            let algorithm = key.id.algorithm();
            // In the order of upload, so that the oldest key is claimed first.
            let row = (&user_id, &device_id, algorithm.as_str(), position, place as u64);
            ONE_TIME_KEYS.put(batch, row, key)?;
        }
        Ok(())
    }
}

impl fmt::Debug for NewKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKeys({}, {:?})", self.keys.len(), self.change)
    }
}

fn key_counts(user_id: &UserId, device_id: &DeviceId) -> Change {
    Change::OneTimeKeys { user_id: user_id.to_owned(), device_id: device_id.to_owned() }
}

impl Users {
    /// Writes into `batch` one-time keys to add and fallback keys to replace of the sender's device;
    /// the caller holds the user's lock.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` for what is no key; 400 `M_INVALID_PARAM` when a key has the id of another that is there; 413 `M_TOO_LARGE` for
    /// more keys than a device may have.
    pub(super) async fn add_one_time_keys(
        &self,
        batch: &mut Batch,
        sender: &Session,
        one_time_keys: KeysById,
        fallback_keys: KeysById,
    ) -> Result<()> {
        if one_time_keys.is_empty() && fallback_keys.is_empty() {
            return Ok(());
        }
        one_time_keys.values().chain(fallback_keys.values()).try_for_each(check_one_time_key)?;
        let Session { user_id, device_id, .. } = sender;
        let store = &self.inner.store;
        let rows = ONE_TIME_KEYS.scan((user_id, device_id)).values(store).await?.into_iter();
        let present: HashMap<_, _> = rows.map(|row| (row.id, row.key)).collect();
        let mut new = Vec::new();
        for (id, key) in one_time_keys {
            match present.get(&id) {
                None => {
                    let key = StoredKey { id, key, used: false };
                    if !CLAIMED_KEYS.has(store, (user_id, device_id), &key.claimed()).await? {
                        new.push(key);
                    }
                }
                // Sent again, since the answer was lost.
                Some(known) if *known == key => {}
                Some(_) => {
                    let message = format!("One time key {id} already exists and is another");
                    return Err(Error::invalid_param(message));
                }
            }
        }
        // Not if none are new: a device of an older version may have more.
        if !new.is_empty() && present.len() + new.len() > MOST {
            return Err(Error::too_large(format!("A device has at most {MOST} one-time keys")));
        }
        for (id, key) in fallback_keys {
            let algorithm = id.algorithm();
            let place = (user_id, device_id, algorithm.as_str());
            let mut key = StoredKey { id, key, used: false };
            let before = FALLBACK_KEYS.get(store, place).await?;
            // Sent again it is no newer than it was.
            key.used = before.is_some_and(|before| before.used && before.is_same_key(&key));
            FALLBACK_KEYS.put(batch, place, &key)?;
        }
        self.forget_key_counts(batch, user_id, device_id);
        let (feed, change) = (self.inner.feed.clone(), key_counts(user_id, device_id));
        let (user_id, device_id) = (user_id.clone(), device_id.clone());
        batch.add(NewKeys { feed, change, user_id, device_id, keys: new });
        Ok(())
    }

    /// Takes a key of each device that is named, in one go: each one-time key is given out once,
    /// the oldest first, and the fallback key when there is none. Devices without a key are left
    /// out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim_keys(
        &self,
        wanted: &BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, OneTimeKeyAlgorithm>>,
    ) -> Result<BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, KeysById>>> {
        let mut guards = Vec::with_capacity(wanted.len());
        // The map is in the order of users, so claims never wait for each other in a circle.
        for user_id in wanted.keys() {
            guards.push(self.inner.locks.lock(user_id.clone()).await);
        }
        let mut batch = Batch::new();
        let mut claimed: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (user_id, devices) in wanted {
            for (device_id, algorithm) in devices {
                let key = self.take_key(&mut batch, user_id, device_id, algorithm).await?;
                let Some(key) = key else { continue };
                let keys = KeysById::from([(key.id, key.key)]);
                claimed.entry(user_id.clone()).or_default().insert(device_id.clone(), keys);
            }
        }
        for (user_id, devices) in &claimed {
            for device_id in devices.keys() {
                self.forget_key_counts(&mut batch, user_id, device_id);
                self.inner.feed.record(&mut batch, key_counts(user_id, device_id));
            }
        }
        self.inner.store.commit(batch).await?;
        Ok(claimed)
    }

    async fn take_key(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        device_id: &DeviceId,
        algorithm: &OneTimeKeyAlgorithm,
    ) -> Result<Option<StoredKey>> {
        let store = &self.inner.store;
        let of = (user_id, device_id, algorithm.as_str());
        if let Some(((position, place), key)) = ONE_TIME_KEYS.scan(of).first(store).await? {
            ONE_TIME_KEYS.delete(batch, (user_id, device_id, algorithm.as_str(), position, place));
            CLAIMED_KEYS.add(store, batch, (user_id, device_id), &key.claimed()).await?;
            return Ok(Some(key));
        }
        let Some(mut fallback) = FALLBACK_KEYS.get(store, of).await? else { return Ok(None) };
        if !fallback.used {
            fallback.used = true;
            FALLBACK_KEYS.put(batch, of, &fallback)?;
        }
        Ok(Some(fallback))
    }

    /// What a device has left for others to claim.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn key_counts(
        &self,
        user_id: &UserId,
        device_id: &DeviceId,
    ) -> Result<Rc<KeyCounts>> {
        let cache = &self.inner.key_counts;
        let device = (user_id.to_owned(), device_id.to_owned());
        if let Some(counts) = cache.counts.borrow().get(&device) {
            return Ok(counts.clone());
        }
        let changes = cache.changes.get();
        let store = &self.inner.store;
        let mut one_time_keys = BTreeMap::from([(OneTimeKeyAlgorithm::SignedCurve25519, 0)]);
        for (algorithm, _, _) in ONE_TIME_KEYS.scan((user_id, device_id)).keys(store).await? {
            *one_time_keys.entry(algorithm.into()).or_insert(0) += 1;
        }
        let fallback_keys = FALLBACK_KEYS.scan((user_id, device_id)).values(store).await?;
        let unused = fallback_keys.into_iter().filter(|key| !key.used);
        let unused_fallback_keys = unused.map(|key| key.id.algorithm()).collect();
        let counts = Rc::new(KeyCounts { one_time_keys, unused_fallback_keys });
        // What changed while it was counted, is counted anew the next time.
        if changes == cache.changes.get() {
            let mut kept = cache.counts.borrow_mut();
            if kept.len() >= COUNTED_DEVICES {
                kept.clear();
            }
            kept.insert(device, counts.clone());
        }
        Ok(counts)
    }

    /// Counts a device's keys anew once `batch` is durable.
    pub(super) fn forget_key_counts(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        device_id: &DeviceId,
    ) {
        let (users, device) = (self.clone(), (user_id.to_owned(), device_id.to_owned()));
        batch.on_durable(move || {
            let cache = &users.inner.key_counts;
            cache.changes.set(cache.changes.get() + 1);
            cache.counts.borrow_mut().remove(&device);
        });
    }
}
