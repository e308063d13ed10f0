//! `from_iso8601_timestamp(text)`, `from_iso8601_date(text)`.

use chrono::{NaiveDate, Weekday};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::{clock, read};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, invalid, timestamp_utc};

pub(super) fn timestamp() -> Function {
    Function {
        family: "time",
        syntax: "from_iso8601_timestamp(text)",
        doc: "The timestamp(3) with time zone that ISO 8601 text spells; without a zone it is UTC. \
              Other text is an error.",
        url: super::URL,
        udf: Scalar::new("from_iso8601_timestamp", &[Takes::Text], timestamp_utc, |rows| {
            invoke(rows, moment)
        })
        .udf(),
    }
}

pub(super) fn date() -> Function {
    Function {
        family: "time",
        syntax: "from_iso8601_date(text)",
        doc: "The date that ISO 8601 text spells: `2020-05-11`, `2020-W20-1` or `2020-132`.",
        url: super::URL,
        udf: Scalar::new(
            "from_iso8601_date",
            &[Takes::Text],
            crate::functions::support::date,
            |rows| invoke(rows, |text| day(text).map(midnight)),
        )
        .udf(),
    }
}

/// Returns the microseconds since 1970 UTC that ISO 8601 text spells.
pub(super) fn moment(text: &str) -> Option<i64> {
    if text.contains(' ') {
        return None;
    }
    let (day_text, time) = text.split_once(['T', 't']).map_or((text, None), |(d, t)| (d, Some(t)));
    let day = day(day_text)?;
    match time {
        None | Some("") => Some(midnight(day)),
        Some(time) => {
            read::timestamp(&format!("{}T{time}", day.format("%Y-%m-%d"))).map(|read| read.micros)
        }
    }
}

fn midnight(day: NaiveDate) -> i64 {
    clock::micros(day.and_time(chrono::NaiveTime::MIN))
}

/// Reads a calendar, week or ordinal date; parts left out are the first.
fn day(text: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split('-').collect();
    let year = parts.first()?.parse().ok()?;
    match parts.as_slice() {
        [_] => NaiveDate::from_ymd_opt(year, 1, 1),
        [_, week, rest @ ..] if week.starts_with('W') => {
            let day: u8 = rest.first().map_or(Some(1), |day| day.parse().ok())?;
            let weekday = Weekday::try_from(day.checked_sub(1)?).ok()?;
            NaiveDate::from_isoywd_opt(year, week[1..].parse().ok()?, weekday)
        }
        [_, ordinal] if ordinal.len() == 3 => NaiveDate::from_yo_opt(year, ordinal.parse().ok()?),
        [_, month] => NaiveDate::from_ymd_opt(year, month.parse().ok()?, 1),
        [_, month, day] => NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?),
        _ => None,
    }
}

fn invoke(rows: &Rows, read: impl Fn(&str) -> Option<i64>) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        match read(text) {
            Some(micros) => Ok(Some(micros)),
            None => invalid(format!("invalid format: `{text}` is not ISO 8601")),
        }
    })
}
