//! Reading timestamps and dates from text, in every spelling that CloudTrail Lake's users write.

use chrono::{NaiveDate, NaiveTime};

use super::clock::{self, Zone};

/// A timestamp read from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read<'a> {
    /// Microseconds since 1970; UTC when the text names a zone, else its wall clock.
    pub(crate) micros: i64,
    /// The zone that the text names.
    pub(crate) zone: Option<&'a str>,
    /// Digits of the second's fraction.
    pub(crate) digits: u8,
}

/// Reads `2023-01-02`, `2023-01-02 03:04[:05[.678]]`, with `T` for the space, with a zone (`Z`,
/// `+01:00`, ` UTC`, ` America/New_York`); none for anything else.
pub(crate) fn timestamp(text: &str) -> Option<Read<'_>> {
    let text = text.trim();
    let day_end = text.find([' ', 'T', 't']).unwrap_or(text.len());
    let day = date(&text[..day_end])?;
    let rest = text.get(day_end + 1..).unwrap_or("").trim_start();
    let time_end =
        rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
    let (time_text, zone_text) = rest.split_at(time_end);
    let (time, digits) = match time_text {
        "" if day_end == text.len() => (NaiveTime::MIN, 0),
        "" => return None,
        _ => time(time_text)?,
    };
    let local = clock::micros(day.and_time(time));
    let zone_text = zone_text.trim();
    if zone_text.is_empty() {
        return Some(Read { micros: local, zone: None, digits });
    }
    let zone = Zone::named(zone_text).ok()?;
    Some(Read { micros: zone.utc(local).ok()?, zone: Some(zone_text), digits })
}

/// Reads `2023-01-02` or `2023-1-2`.
pub(crate) fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if year.len() < 4 || !plain(year, 6) || !plain(month, 2) || !plain(day, 2) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// Reads `03:04`, `03:04:05` or `03:04:05.678`; returns the digits of the fraction too.
pub(crate) fn time(text: &str) -> Option<(NaiveTime, u8)> {
    let (clock, fraction) = text.split_once('.').map_or((text, ""), |(a, b)| (a, b));
    let parts: Vec<u32> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] if fraction.is_empty() => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    if fraction.len() > 12 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: u32 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    Some((time, fraction.len() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_timestamp_is_read() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(timestamp(text).map(|read| read.micros / 1000), expected, "{text}");
        };
        let noon = 1_672_574_400_000; // 2023-01-01 12:00:00 UTC
        check("2023-01-01 12:00:00", Some(noon));
        check("2023-01-01 12:00", Some(noon));
        check("2023-1-1 12:00:00.000", Some(noon));
        check("2023-01-01T12:00:00Z", Some(noon));
        check("2023-01-01T12:00:00.123456+00:00", Some(noon + 123));
        check("2023-01-01 13:00:00 +01:00", Some(noon));
        check("2023-01-01 12:00:00.5 UTC", Some(noon + 500));
        check("2023-01-01 07:00:00 America/New_York", Some(noon));
        check("2023-01-01", Some(noon - 12 * 3_600_000));
        for wrong in [
            "",
            "2023",
            "2023-13-01",
            "2023-01-01 25:00:00",
            "2023-01-01 x",
            "abc",
            "2023-01-01T",
            "2023-01-01 12:00:00 Nowhere/Land",
            "2023/01/01",
        ] {
            check(wrong, None);
        }
    }
}
