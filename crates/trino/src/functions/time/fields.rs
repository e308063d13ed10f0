//! `year(x)`, `month(x)`, `day_of_week(x)`, …: parts of a date or timestamp, as bigint.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::Zone;
use super::unit::part;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

macro_rules! parts {
    ($(($name:literal, [$($alias:literal),*], $doc:literal)),* $(,)?) => {
        pub(super) fn functions() -> Vec<Function> {
            let mut all = vec![$(Function {
                family: "time",
                syntax: concat!($name, "(timestamp)"),
                doc: $doc,
                url: super::URL,
                udf: Scalar::new($name, &[Takes::Time], bigint, |rows| parts_of(rows, $name))
                    .aliases(&[$($alias),*])
                    .udf(),
            }),*];
            all.extend(offsets());
            all
        }
    };
}

parts! {
    ("year", [], "The year."),
    ("quarter", [], "The quarter, 1 to 4."),
    ("month", [], "The month, 1 to 12."),
    ("week", ["week_of_year"], "The ISO week, 1 to 53."),
    ("year_of_week", ["yow"], "The year of the ISO week."),
    ("day", ["day_of_month"], "The day of the month."),
    ("day_of_week", ["dow"], "The ISO day of the week: Monday is 1, Sunday is 7."),
    ("day_of_year", ["doy"], "The day of the year, 1 to 366."),
    ("hour", [], "The hour, 0 to 23."),
    ("minute", [], "The minute."),
    ("second", [], "The second."),
    ("millisecond", [], "The millisecond of the second."),
}

fn parts_of(rows: &Rows, name: &str) -> datafusion::common::Result<ColumnarValue> {
    let zone = Zone::of(rows.field(0))?;
    let times = rows.micros(0)?;
    rows.primitives::<Int64Type>(|row| {
        times.get(row).map(|micros| part(name, zone.local(micros)?)).transpose()
    })
}

fn offsets() -> Vec<Function> {
    let offset = |name: &'static str, syntax, doc, udf: ScalarUDF| {
        debug_assert_eq!(udf.name(), name);
        Function { family: "time", syntax, doc, url: super::URL, udf }
    };
    let hour =
        Scalar::new("timezone_hour", &[Takes::Time], bigint, |rows| minutes(rows, |m| m / 60));
    let minute =
        Scalar::new("timezone_minute", &[Takes::Time], bigint, |rows| minutes(rows, |m| m % 60));
    vec![
        offset(
            "timezone_hour",
            "timezone_hour(timestamp)",
            "The hours of the zone's offset.",
            hour.udf(),
        ),
        offset(
            "timezone_minute",
            "timezone_minute(timestamp)",
            "The minutes of the zone's offset.",
            minute.udf(),
        ),
    ]
}

fn minutes(rows: &Rows, part: fn(i64) -> i64) -> datafusion::common::Result<ColumnarValue> {
    let zone = Zone::of(rows.field(0))?;
    let times = rows.micros(0)?;
    rows.primitives::<Int64Type>(|row| {
        times.get(row).map(|micros| Ok(part(zone.offset_minutes(micros)?))).transpose()
    })
}
