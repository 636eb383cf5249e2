//! Times and durations as JetStream's JSON and headers have them.

use std::time::Duration;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;
const DAY: u64 = 86_400;

/// A point in time, in nanoseconds since the Unix epoch; earlier times are the epoch. Written as
/// RFC 3339, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// So many milliseconds after the epoch.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(MILLISECOND))
    }

    /// So many nanoseconds after the epoch.
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// The last whole millisecond that is not after it.
    pub fn millis(self) -> u64 {
        self.0 / MILLISECOND
    }

    /// The first whole millisecond that is not before it.
    pub fn millis_up(self) -> u64 {
        self.0.div_ceil(MILLISECOND)
    }

    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't', ' '])?;
        let mut date = date.splitn(3, '-').map(|part| part.parse::<u32>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let zone = time.rfind(['Z', 'z', '+', '-'])?;
        let (time, zone) = time.split_at(zone);
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || year > 9999
            || hour > 23
            || minute > 59
            || second > 60
            || fraction.is_empty()
            || !digits
        {
            return None;
        }
        let nanos = format!("{fraction:0<9}").get(..9)?.parse::<u64>().ok()?;
        let seconds = days(year, month, day) * DAY as i64
            + (hour * 3600 + minute * 60 + second) as i64
            - offset(zone)?;
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Some(Self(seconds.checked_mul(SECOND)?.checked_add(nanos)?))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, nanos) = (self.0 / SECOND, self.0 % SECOND);
        let (year, month, day) = date(seconds / DAY);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(to, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanos > 0 {
            let fraction = format!("{nanos:09}");
            write!(to, ".{}", fraction.trim_end_matches('0'))?;
        }
        to.write_str("Z")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let refused = || serde::de::Error::custom(format!("{text:?} is no time"));
        Self::parse(&text).ok_or_else(refused)
    }
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    let is_zone = hours <= 24 && minutes < 60;
    is_zone.then_some(if sign == "-" { -seconds } else { seconds })
}

/// Days from the epoch to a date of the Gregorian calendar. Years are counted from March, so that
/// a leap day is the last of its year; 400 of them have 146,097 days.
pub(super) fn days(year: u32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * i64::from((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days after the epoch.
pub(super) fn date(days: u64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Writes a time that is missing as Go's zero time.
pub(in crate::queue) fn or_zero<S: serde::Serializer>(
    time: &Option<Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_str("0001-01-01T00:00:00Z"),
    }
}

/// A duration as Go writes it.
pub(in crate::queue) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = f64::from(duration.subsec_nanos()) / 1e9;
    let seconds = (seconds % 60) as f64 + fraction;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Reads a duration as Go writes it, such as `1h30m` or `1.5s`, in milliseconds.
pub(in crate::queue) fn parse_go_duration(text: &str) -> Option<f64> {
    let (mut rest, mut millis) = (text.strip_prefix('+').unwrap_or(text), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let unit = match unit {
            "ns" => 1e-6,
            "us" | "µs" | "μs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3600e3,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        for text in
            ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59.000000001Z", "2026-11-23T08:30:00.12Z"]
        {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        let parsed = |text: &str| Timestamp::parse(text).map(|time| time.to_string());
        assert_eq!(parsed("2026-01-01T01:00:00+02:30").as_deref(), Some("2025-12-31T22:30:00Z"));
        assert_eq!(parsed("0001-01-01T00:00:00Z").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!((parsed("2026-13-01T00:00:00Z"), parsed("today")), (None, None));
        for zone in ["+99999999999999999:00", "-00:9223372036854775807", "+25:00", "+00:60"] {
            assert_eq!(parsed(&format!("2026-01-01T00:00:00{zone}")), None, "{zone}");
        }
        assert_eq!(Timestamp::from_nanos(1_500_001).millis_up(), 2);
    }
}
