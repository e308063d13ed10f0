//! Points in time, as people type them. Always UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::failure::Problem;
use crate::quantities::parse_duration;

/// A span of time: from its first moment on, and before its end. Either may be open.
pub type Window = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Returns the point in time that `text` means: RFC 3339 (`2024-03-01T12:00:00Z`), a date (its
/// midnight), a date and a time of day without an offset (UTC), or a span back from `now`
/// (`30d`, `12h`).
pub fn parse_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc());
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let back = parse_duration(text).ok().and_then(|span| chrono::Duration::from_std(span).ok());
    back.and_then(|span| now.checked_sub_signed(span)).ok_or_else(|| {
        format!("`{text}` is not a time such as `2024-03-01`, `2024-03-01T12:00:00Z` or `30d`")
    })
}

/// Returns the span of time that `--since` and `--until` mean, or what is wrong with one of them. One
/// that holds no moment is refused: no event in it reads as nothing that happened.
pub fn window(
    since: Option<&str>,
    until: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Window, Problem> {
    let time = |text: Option<&str>| {
        text.map(|text| parse_time(text, now)).transpose().map_err(Problem::new)
    };
    match (time(since)?, time(until)?) {
        (Some(first), Some(end)) if first >= end => {
            let (first, end) = (show_second(first), show_second(end));
            Err(Problem::new(format!("`--since` ({first}) is not before `--until` ({end})"))
                .hint("`--until` itself is left out: for a whole day name the next one"))
        }
        held => Ok(held),
    }
}

/// Returns the time for a sentence, to the second: `2024-03-01 12:00:00`.
pub fn show_second(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Option<&str>) {
        let now = DateTime::from_timestamp(1_710_000_000, 0).unwrap_or_default();
        assert_eq!(
            parse_time(input, now)
                .ok()
                .map(|time| time.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
                .as_deref(),
            expected,
            "{input}"
        );
    }

    #[test]
    fn every_spelling_of_a_time() {
        check("2024-03-01T12:00:00Z", Some("2024-03-01 12:00:00.000"));
        check("2024-03-01T12:00:00+02:00", Some("2024-03-01 10:00:00.000"));
        check("2024-03-01 12:00:00.250", Some("2024-03-01 12:00:00.250"));
        check("2024-03-01", Some("2024-03-01 00:00:00.000"));
        check("12h", Some("2024-03-09 04:00:00.000"));
        check("30d", Some("2024-02-08 16:00:00.000"));
        for wrong in ["", "yesterday", "2024-02-30", "30", "99999999999999d"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_window_holds_a_moment() {
        let now = DateTime::from_timestamp(1_710_000_000, 0).unwrap_or_default();
        for (since, until, message) in [
            (None, None, None),
            (Some("2024-03-02"), None, None),
            (None, Some("1970-01-01"), None),
            (Some("2024-03-01"), Some("2024-03-02"), None),
            (Some("2d"), Some("1d"), None),
            (Some("1d"), Some("2d"), Some("is not before `--until` (2024-03-07 16:00:00)")),
            (Some("2024-03-01"), Some("2024-03-01"), Some("`--since` (2024-03-01 00:00:00)")),
            (Some("2024-03-02"), Some("2024-03-01T23:59"), Some("is not before")),
            (Some("soon"), Some("1d"), Some("`soon` is not a time")),
            (None, Some("later"), Some("`later` is not a time")),
        ] {
            let refused = window(since, until, now).err().map(|problem| problem.to_string());
            let as_told = match (&refused, message) {
                (Some(told), Some(message)) => told.contains(message),
                (told, message) => told.is_none() && message.is_none(),
            };
            assert!(as_told, "{since:?} {until:?}: {refused:?}");
        }
        let (first, end) = window(Some("2024-03-01"), Some("2024-03-02"), now).unwrap_or_default();
        assert_eq!(first.zip(end).map(|(first, end)| (end - first).num_hours()), Some(24));
    }
}
