//! When a schedule is due. ADR-51

use crate::{
    platform,
    queue::time::{Timestamp, date, days, parse_go_duration},
};

const DAY: i64 = 86_400;
/// How many years ahead to look for a time.
const MOST_YEARS: u32 = 5;
/// More steps than it takes to find a time within that.
const MOST_STEPS: usize = 20_000;

/// Why a schedule is never due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Pattern,
    Zone,
}

/// When a schedule is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// In milliseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) repeats: bool,
}

/// When a schedule is due that was created or due last at `since`. Times that were missed by `now`
/// are skipped.
pub(super) fn due(pattern: &str, zone: Option<&str>, since: u64, now: u64) -> Result<Due, Wrong> {
    if let Some(zone) = zone
        && (zone.is_empty() || offset(zone, 0).is_none())
    {
        return Err(Wrong::Zone);
    }
    if let Some(at) = pattern.strip_prefix("@at ") {
        let at = Timestamp::parse(at).filter(|_| zone.is_none()).ok_or(Wrong::Pattern)?;
        return Ok(Due { at: at.millis_up(), repeats: false });
    }
    if let Some(every) = pattern.strip_prefix("@every ") {
        let every = parse_go_duration(every).filter(|every| *every >= 1000.0 && zone.is_none());
        let every = every.ok_or(Wrong::Pattern)? as u64;
        let rounded = |at: u64| (at + 500) / 1000 * 1000;
        let mut at = rounded(since).saturating_add(every);
        if at < now {
            at = rounded(now).saturating_add(every);
        }
        return Ok(Due { at, repeats: true });
    }
    let cron = Cron::parse(pattern).ok_or(Wrong::Pattern)?;
    let zone = zone.unwrap_or("UTC");
    let mut at = cron.next(since, zone).ok_or(Wrong::Pattern)?;
    if at < now {
        at = cron.next(now, zone).ok_or(Wrong::Pattern)?;
    }
    Ok(Due { at, repeats: true })
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str, at: i64) -> Option<i64> {
    if zone == "UTC" { Some(0) } else { platform::utc_offset(zone, at) }
}

/// The values of six fields, as bits.
struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Field,
    months: u64,
    weekdays: Field,
}

#[derive(Clone, Copy)]
struct Field {
    values: u64,
    /// Whether it allows all, by a `*` or `?`.
    star: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    fn parse(pattern: &str) -> Option<Self> {
        let pattern = match pattern {
            "@yearly" | "@annually" => "0 0 0 1 1 *",
            "@monthly" => "0 0 0 1 * *",
            "@weekly" => "0 0 0 * * 0",
            "@daily" | "@midnight" => "0 0 0 * * *",
            "@hourly" => "0 0 * * * *",
            other => other,
        };
        let fields: Vec<_> = pattern.split_whitespace().collect();
        let [seconds, minutes, hours, days, months, weekdays] = fields[..] else { return None };
        Some(Self {
            seconds: Field::parse(seconds, 0, 59, &[])?.values,
            minutes: Field::parse(minutes, 0, 59, &[])?.values,
            hours: Field::parse(hours, 0, 23, &[])?.values,
            days: Field::parse(days, 1, 31, &[])?,
            months: Field::parse(months, 1, 12, &MONTHS)?.values,
            weekdays: Field::parse(weekdays, 0, 6, &WEEKDAYS)?,
        })
    }

    /// The first time after `since`, both in milliseconds since the Unix epoch.
    fn next(&self, since: u64, zone: &str) -> Option<u64> {
        let has = |values: u64, value: i64| values >> value & 1 == 1;
        let mut at = (since / 1000) as i64 + 1;
        let last = year_of(at)? + MOST_YEARS;
        for _ in 0..MOST_STEPS {
            let local = at + offset(zone, at)?;
            let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
            let (year, month, day_of_month) = date(u64::try_from(day).ok()?);
            if year > last {
                return None;
            }
            // The next local time that may match.
            let next = if !has(self.months, month.into()) {
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days(year, month, 1) * DAY
            } else if !self.day_fits(day, day_of_month) {
                (day + 1) * DAY
            } else if !has(self.hours, second / 3600) {
                local - local.rem_euclid(3600) + 3600
            } else if !has(self.minutes, second / 60 % 60) {
                local - local.rem_euclid(60) + 60
            } else if !has(self.seconds, second % 60) {
                local + 1
            } else {
                return u64::try_from(at).ok()?.checked_mul(1000);
            };
            // The offset of the zone may change until then.
            let guess = next - offset(zone, at)?;
            at = (next - offset(zone, guess)?).max(at + 1);
        }
        None
    }

    /// Where both kinds of days are restricted, either may match.
    fn day_fits(&self, day: i64, day_of_month: u32) -> bool {
        // The epoch was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        let of_month = self.days.values >> day_of_month & 1 == 1;
        let of_week = self.weekdays.values >> weekday & 1 == 1;
        if self.days.star || self.weekdays.star { of_month && of_week } else { of_month || of_week }
    }
}

impl Field {
    fn parse(text: &str, least: u32, most: u32, names: &[&str]) -> Option<Self> {
        let mut field = Self { values: 0, star: false };
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(number(step)?)),
                None => (part, None),
            };
            let value = |text: &str| {
                let name = names.iter().position(|name| text.eq_ignore_ascii_case(name));
                name.map_or_else(|| number(text), |place| Some(place as u32 + least))
            };
            let (first, last) = if range == "*" || range == "?" {
                field.star |= step.is_none_or(|step| step <= 1);
                (least, most)
            } else if let Some((first, last)) = range.split_once('-') {
                (value(first)?, value(last)?)
            } else {
                let first = value(range)?;
                (first, if step.is_some() { most } else { first })
            };
            let step = step.unwrap_or(1);
            if first < least || last > most || first > last || step == 0 {
                return None;
            }
            for value in (first..=last).step_by(step as usize) {
                field.values |= 1 << value;
            }
        }
        Some(field)
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse::<u16>().ok().map(u32::from)
}

fn year_of(at: i64) -> Option<u32> {
    u64::try_from(at / DAY).ok().map(|days| date(days).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pattern: &str, zone: Option<&str>, since: &str) -> Result<String, Wrong> {
        let since = Timestamp::parse(since).unwrap().millis();
        due(pattern, zone, since, since).map(|due| Timestamp::from_millis(due.at).to_string())
    }

    #[test]
    fn schedules_are_due_when_they_say() {
        for (pattern, expected) in [
            ("@at 2030-01-01T00:00:00+01:00", "2029-12-31T23:00:00Z"),
            ("@every 90s", "2026-02-27T10:21:31Z"),
            ("@hourly", "2026-02-27T11:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("*/15 * * * * *", "2026-02-27T10:20:15Z"),
            ("0 30 4 1,15 * 5", "2026-03-01T04:30:00Z"),
            ("0 0 12 29 feb ?", "2028-02-29T12:00:00Z"),
            ("0 0 0 * * mon-tue", "2026-03-02T00:00:00Z"),
        ] {
            assert_eq!(
                next(pattern, None, "2026-02-27T10:20:00.7Z").as_deref(),
                Ok(expected),
                "{pattern}"
            );
        }
        for wrong in [
            "",
            "@every 500ms",
            "@at tomorrow",
            "* * * * *",
            "60 * * * * *",
            "0 0 0 30 2 *",
            "@often",
        ] {
            assert_eq!(next(wrong, None, "2026-01-01T00:00:00Z"), Err(Wrong::Pattern), "{wrong}");
        }
    }

    #[test]
    fn time_zones_change_their_clocks() {
        let berlin = Some("Europe/Berlin");
        let five = |since| next("0 0 5 * * *", berlin, since);
        assert_eq!(five("2026-03-28T12:00:00Z").as_deref(), Ok("2026-03-29T03:00:00Z"));
        assert_eq!(five("2026-10-24T12:00:00Z").as_deref(), Ok("2026-10-25T04:00:00Z"));
        assert_eq!(
            next("0 0 5 * * *", Some("Nowhere/Land"), "2026-01-01T00:00:00Z"),
            Err(Wrong::Zone)
        );
        assert_eq!(next("@every 5s", berlin, "2026-01-01T00:00:00Z"), Err(Wrong::Pattern));
    }
}
