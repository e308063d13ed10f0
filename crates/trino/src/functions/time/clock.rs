//! Between microseconds and calendars, in UTC or in a zone.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err};

/// Returns the date and time of microseconds since 1970.
pub(crate) fn moment(micros: i64) -> Result<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.naive_utc())
        .ok_or_else(|| exec_datafusion_err!("timestamp out of range: {micros} microseconds"))
}

/// Returns the microseconds since 1970 of a date and time.
pub(crate) fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

/// The zone of a column: its wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone(Option<Tz>);

impl Zone {
    /// Returns the zone of a field's type: UTC where it has none.
    pub(crate) fn of(field: &Field) -> Result<Self> {
        match field.data_type() {
            DataType::Timestamp(_, Some(name)) => Self::named(name),
            _ => Ok(Self(None)),
        }
    }

    /// Returns the zone of a name such as `America/New_York` or `+02:00`.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if is_utc(name) {
            return Ok(Self(None));
        }
        let spelled = spelled_out(name);
        if is_utc(&spelled) {
            return Ok(Self(None));
        }
        let zone = Tz::from_str(&spelled)
            .map_err(|_| exec_datafusion_err!("'{name}' is not a valid time zone"))?;
        Ok(Self(Some(zone)))
    }

    /// Returns the zone's short name at a moment: `UTC`, `EST`, `+07:09`.
    pub(crate) fn abbreviation(self, utc_micros: i64) -> Result<String> {
        let Some(zone) = self.0 else { return Ok("UTC".to_owned()) };
        Ok(zone.offset_from_utc_datetime(&moment(utc_micros)?).to_string())
    }

    /// Returns what the zone's wall clock shows, as if it were UTC.
    pub(crate) fn local(self, utc_micros: i64) -> Result<i64> {
        let Some(zone) = self.0 else { return Ok(utc_micros) };
        let offset = zone.offset_from_utc_datetime(&moment(utc_micros)?).fix();
        Ok(utc_micros + i64::from(offset.local_minus_utc()) * 1_000_000)
    }

    /// Returns the moment at which the wall clock shows `local`; the earlier one when it does so
    /// twice, the next one when it never does.
    pub(crate) fn utc(self, local: i64) -> Result<i64> {
        let Some(zone) = self.0 else { return Ok(local) };
        let wall = moment(local)?;
        let found = zone.offset_from_local_datetime(&wall).earliest();
        let offset = match found {
            Some(offset) => offset.fix(),
            None => zone.offset_from_utc_datetime(&wall).fix(),
        };
        Ok(local - i64::from(offset.local_minus_utc()) * 1_000_000)
    }

    /// Returns the offset from UTC in minutes at a moment.
    pub(crate) fn offset_minutes(self, utc_micros: i64) -> Result<i64> {
        Ok((self.local(utc_micros)? - utc_micros) / 60_000_000)
    }
}

pub(crate) fn is_utc(name: &str) -> bool {
    matches!(name, "UTC" | "UT" | "Z" | "+00:00" | "GMT" | "utc" | "z" | "Etc/UTC")
}

/// Returns the name Arrow keeps for a zone.
pub(crate) fn zone_name(name: &str) -> Arc<str> {
    let spelled = spelled_out(name);
    if is_utc(&spelled) { "UTC".into() } else { spelled.into() }
}

/// Returns `+01:00` for `+1`, `+0100`, `+01:00`, `UTC+01:00`; other names stay.
pub(crate) fn spelled_out(zone: &str) -> String {
    let offset = ["UTC", "GMT", "UT"].iter().find_map(|name| zone.strip_prefix(name));
    let offset = offset.unwrap_or(zone);
    let Some(sign) = offset.chars().next().filter(|c| matches!(c, '+' | '-')) else {
        return zone.to_owned();
    };
    let digits: String = offset[1..].chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "00"),
        _ => digits.split_at(digits.len().saturating_sub(2)),
    };
    format!("{sign}{hours:0>2}:{minutes}")
}

/// Returns the name of an offset in minutes, such as `+05:30`; none beyond 14 hours, Trino's bound.
pub(crate) fn offset_name(minutes: i64) -> Option<String> {
    let size = minutes.abs();
    let sign = if minutes < 0 { '-' } else { '+' };
    (size <= 14 * 60).then(|| format!("{sign}{:02}:{:02}", size / 60, size % 60))
}
