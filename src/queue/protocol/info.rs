//! What the server says of itself.

use serde::Serialize;
use serde_json::json;

use super::MAX_PAYLOAD;
use crate::platform;

/// The release of nats-server whose features are here; clients choose their requests by it.
pub const VERSION: &str = "2.14.0";
/// The level of JetStream's API that belongs to it. ADR-44
const API_LEVEL: u32 = 4;

/// Where a client asks who it is.
pub(super) const USER_INFO: &str = "$SYS.REQ.USER.INFO";

const NAME: &str = "neurite";

#[derive(Serialize)]
struct Info<'a> {
    server_id: &'a str,
    server_name: &'a str,
    version: &'a str,
    proto: u32,
    host: &'a str,
    port: u16,
    headers: bool,
    max_payload: usize,
    jetstream: bool,
    api_lvl: u32,
    client_id: u64,
}

/// An id in the form of a server's public key.
pub(super) fn server_id() -> String {
    format!("N{}", platform::random_string(55).to_ascii_uppercase())
}

/// The JSON of INFO.
pub(super) fn info(server_id: &str, client_id: u64) -> Vec<u8> {
    let info = Info {
        server_id,
        server_name: NAME,
        version: VERSION,
        proto: 1,
        host: NAME,
        port: 0,
        headers: true,
        max_payload: MAX_PAYLOAD,
        jetstream: true,
        api_lvl: API_LEVEL,
        client_id,
    };
    // A struct of text and numbers is always JSON.
    serde_json::to_vec(&info).unwrap_or_default()
}

/// The answer to [`USER_INFO`]: everybody is in the one account.
pub(super) fn user_info(server_id: &str, now: u64) -> Vec<u8> {
    let answer = json!({
        "server": {
            "name": NAME,
            "host": NAME,
            "id": server_id,
            "ver": VERSION,
            "jetstream": true,
            "flags": 1,
            "seq": 0,
            "time": rfc3339(now),
        },
        "data": { "user": "", "account": "$G" },
    });
    answer.to_string().into_bytes()
}

/// A time, given in milliseconds since the Unix epoch, in UTC.
fn rfc3339(millis: u64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    // The civil calendar counted from a 1 March, so that leap days come last in their years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_796_083_200_123), "2026-12-01T00:00:00.123Z");
    }
}
