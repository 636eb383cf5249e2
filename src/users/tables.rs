//! The tables of accounts and what belongs to them.

use super::{
    account_data::ACCOUNT_DATA,
    accounts::ACCOUNTS,
    backup::{BACKUP_KEYS, BACKUPS},
    cross_signing::{CROSS_SIGNING_KEYS, SIGNATURES},
    device_keys::DEVICE_KEYS,
    device_record::DEVICES,
    filters::FILTERS,
    individuals::INDIVIDUALS,
    login_tokens::LOGIN_TOKENS,
    one_time_keys::{CLAIMED_KEYS, FALLBACK_KEYS, ONE_TIME_KEYS},
    openid::OPENID_TOKENS,
    profiles::PROFILES,
    pushers::{PUSHER_OWNERS, PUSHERS},
    sessions::{ACCESS_TOKENS, REFRESH_TOKENS},
    to_device::{TO_DEVICE, TO_DEVICE_TRANSACTIONS},
};
use crate::store::Declaration;

/// All of them.
pub(crate) const TABLES: &[Declaration] = &[
    ACCESS_TOKENS.declaration(),
    ACCOUNT_DATA.declaration(),
    ACCOUNTS.declaration(),
    BACKUP_KEYS.declaration(),
    BACKUPS.declaration(),
    CLAIMED_KEYS.declaration(),
    CROSS_SIGNING_KEYS.declaration(),
    DEVICE_KEYS.declaration(),
    DEVICES.declaration(),
    FALLBACK_KEYS.declaration(),
    FILTERS.declaration(),
    INDIVIDUALS.declaration(),
    LOGIN_TOKENS.declaration(),
    ONE_TIME_KEYS.declaration(),
    OPENID_TOKENS.declaration(),
    PROFILES.declaration(),
    PUSHER_OWNERS.declaration(),
    PUSHERS.declaration(),
    REFRESH_TOKENS.declaration(),
    SIGNATURES.declaration(),
    TO_DEVICE.declaration(),
    TO_DEVICE_TRANSACTIONS.declaration(),
];
