//! All suites that run in browsers, in one wasm: to make and to load one for each would take longer
//! than they do. `npm test` sees whether one is missing.

#![cfg(all(test, target_arch = "wasm32"))]
#![allow(
    clippy::duplicate_mod,
    clippy::module_inception,
    reason = "each suite is a crate of its own natively"
)]

#[path = "../bus.rs"]
mod bus;
#[path = "../client_api_account.rs"]
mod client_api_account;
#[path = "../client_api_backup.rs"]
mod client_api_backup;
#[path = "../client_api_expiry.rs"]
mod client_api_expiry;
#[path = "../client_api_fallback.rs"]
mod client_api_fallback;
#[path = "../client_api_ignored.rs"]
mod client_api_ignored;
#[path = "../client_api_interruptions.rs"]
mod client_api_interruptions;
#[path = "../client_api_keys.rs"]
mod client_api_keys;
#[path = "../client_api_limits.rs"]
mod client_api_limits;
#[path = "../client_api_moderation.rs"]
mod client_api_moderation;
#[path = "../client_api_old_sync.rs"]
mod client_api_old_sync;
#[path = "../client_api_people.rs"]
mod client_api_people;
#[path = "../client_api_previews.rs"]
mod client_api_previews;
#[path = "../client_api_rooms.rs"]
mod client_api_rooms;
#[path = "../client_api_upgrades.rs"]
mod client_api_upgrades;
#[path = "../client_api_user_data.rs"]
mod client_api_user_data;
#[path = "../damaged_rows.rs"]
mod damaged_rows;
#[path = "../homeserver.rs"]
mod homeserver;
#[path = "../http.rs"]
mod http;
#[path = "../log.rs"]
mod log;
#[path = "../old_database.rs"]
mod old_database;
#[path = "../push.rs"]
mod push;
#[path = "../push_rooms.rs"]
mod push_rooms;
#[path = "../queue.rs"]
mod queue;
#[path = "../queue_api_consumers.rs"]
mod queue_api_consumers;
#[path = "../queue_api_snapshots.rs"]
mod queue_api_snapshots;
#[path = "../queue_api_streams.rs"]
mod queue_api_streams;
#[path = "../queue_configurations.rs"]
mod queue_configurations;
#[path = "../queue_consumers_line.rs"]
mod queue_consumers_line;
#[path = "../queue_consumers_many.rs"]
mod queue_consumers_many;
#[path = "../queue_consumers_pull.rs"]
mod queue_consumers_pull;
#[path = "../queue_consumers_push.rs"]
mod queue_consumers_push;
#[path = "../queue_consumers_requests.rs"]
mod queue_consumers_requests;
#[path = "../queue_consumers_work.rs"]
mod queue_consumers_work;
#[path = "../queue_protocol.rs"]
mod queue_protocol;
#[path = "../queue_requests.rs"]
mod queue_requests;
#[path = "../queue_reserved.rs"]
mod queue_reserved;
#[path = "../queue_streams_batches.rs"]
mod queue_streams_batches;
#[path = "../queue_streams_damage.rs"]
mod queue_streams_damage;
#[path = "../queue_streams_get.rs"]
mod queue_streams_get;
#[path = "../queue_streams_publish.rs"]
mod queue_streams_publish;
#[path = "../queue_streams_sources.rs"]
mod queue_streams_sources;
#[path = "../room_failures.rs"]
mod room_failures;
#[path = "../room_graph.rs"]
mod room_graph;
#[path = "../room_timeline.rs"]
mod room_timeline;
#[path = "../rooms.rs"]
mod rooms;
#[path = "../search.rs"]
mod search;
#[path = "../store.rs"]
mod store;
#[path = "../store_driver.rs"]
mod store_driver;
#[path = "../sync.rs"]
mod sync;
#[path = "../sync_away.rs"]
mod sync_away;
#[path = "../sync_rooms.rs"]
mod sync_rooms;
#[path = "../sync_state.rs"]
mod sync_state;
#[path = "../sync_waiting.rs"]
mod sync_waiting;
