//! Dates and times: <https://trino.io/docs/current/functions/datetime.html>.
//!
//! Values are microseconds since 1970 UTC inside; a result has the type of its argument.

mod at_timezone;
pub(crate) mod clock;
mod date;
mod date_add;
mod date_diff;
mod date_format;
mod date_parse;
mod date_trunc;
mod durations;
mod fields;
mod format_datetime;
mod from_iso8601;
mod from_unixtime;
mod joda_pattern;
mod last_day_of_month;
pub(crate) mod mysql_pattern;
mod names;
mod nanos;
mod parse_datetime;
pub(crate) mod read;
mod to_iso8601;
mod to_unixtime;
pub(crate) mod unit;
mod with_timezone;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/datetime.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        at_timezone::function(),
        date::function(),
        date_add::function(),
        date_diff::function(),
        date_format::function(),
        date_parse::function(),
        date_trunc::function(),
        format_datetime::function(),
        from_iso8601::timestamp(),
        from_iso8601::date(),
        from_unixtime::function(),
        last_day_of_month::function(),
        parse_datetime::function(),
        to_iso8601::function(),
        to_unixtime::function(),
    ];
    all.extend(durations::functions());
    all.extend(fields::functions());
    all.extend(nanos::functions());
    all.extend(with_timezone::functions());
    all
}
