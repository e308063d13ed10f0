//! Units of `date_add`, `date_diff` and `date_trunc`.

use chrono::{Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion::common::{Result, exec_datafusion_err, exec_err};

use super::clock::{micros, moment};

/// Returns how many microseconds a unit of time has, by its name; none of a unit whose length is
/// not always the same.
pub fn unit_micros(name: &str) -> Option<i64> {
    Unit::parse(name).ok()?.fixed_micros()
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// Reads a unit's name, in any case.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "millisecond" => Self::Millisecond,
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => {
                return exec_err!(
                    "`{name}` is not a unit of time; units are millisecond, second, \
                minute, hour, day, week, month, quarter, year"
                );
            }
        })
    }

    /// Returns whether the unit is of a day's length or more: those that dates take.
    pub(crate) fn fits_date(self) -> bool {
        !matches!(self, Self::Millisecond | Self::Second | Self::Minute | Self::Hour)
    }

    /// Returns the length of the units whose length is always the same.
    fn fixed_micros(self) -> Option<i64> {
        Some(match self {
            Self::Millisecond => 1_000,
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
            Self::Week => 604_800_000_000,
            Self::Month | Self::Quarter | Self::Year => return None,
        })
    }

    fn months(self) -> i64 {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            _ => 1,
        }
    }

    /// Adds `count` units; the last day of a shorter month stands for one it does not have.
    pub(crate) fn add(self, start: i64, count: i64) -> Result<i64> {
        let overflow = || exec_datafusion_err!("timestamp out of range");
        if let Some(length) = self.fixed_micros() {
            let span = count.checked_mul(length).ok_or_else(overflow)?;
            return start.checked_add(span).ok_or_else(overflow);
        }
        let months = count.checked_mul(self.months()).ok_or_else(overflow)?;
        let span = Months::new(u32::try_from(months.unsigned_abs()).map_err(|_| overflow())?);
        let start = moment(start)?;
        let end = match months < 0 {
            true => start.checked_sub_months(span),
            false => start.checked_add_months(span),
        };
        end.map(micros).ok_or_else(overflow)
    }

    /// Returns how many whole units lie between two moments, negative when they are reversed.
    pub(crate) fn between(self, from: i64, to: i64) -> Result<i64> {
        if let Some(length) = self.fixed_micros() {
            return Ok((to - from) / length);
        }
        let (start, end) = (moment(from)?, moment(to)?);
        let mut months = i64::from(end.year() - start.year()) * 12 + i64::from(end.month())
            - i64::from(start.month());
        // A month is whole when adding it does not pass the end.
        if months > 0 && Unit::Month.add(from, months)? > to {
            months -= 1;
        } else if months < 0 && Unit::Month.add(from, months)? < to {
            months += 1;
        }
        Ok(months / self.months())
    }

    /// Returns the start of the unit that a moment lies in; weeks start on Monday.
    pub(crate) fn truncate(self, value: i64) -> Result<i64> {
        let moment = moment(value)?;
        let day = moment.date();
        let first = |month: u32| NaiveDate::from_ymd_opt(day.year(), month, 1);
        let start = match self {
            Self::Millisecond | Self::Second | Self::Minute | Self::Hour | Self::Day => {
                let length = self.fixed_micros().unwrap_or(1);
                return Ok(value - value.rem_euclid(length));
            }
            Self::Week => {
                let since = i64::from(day.weekday().num_days_from_monday());
                day.checked_sub_signed(Duration::days(since))
            }
            Self::Month => first(day.month()),
            Self::Quarter => first((day.month() - 1) / 3 * 3 + 1),
            Self::Year => first(1),
        };
        let start = start.ok_or_else(|| exec_datafusion_err!("timestamp out of range"))?;
        Ok(micros(NaiveDateTime::new(start, NaiveTime::MIN)))
    }
}

/// Returns the parts of a moment that functions ask for.
pub(crate) fn part(name: &str, value: i64) -> Result<i64> {
    let at = moment(value)?;
    Ok(match name {
        "year" => i64::from(at.year()),
        "quarter" => i64::from((at.month() - 1) / 3 + 1),
        "month" => i64::from(at.month()),
        "week" => i64::from(at.iso_week().week()),
        "year_of_week" => i64::from(at.iso_week().year()),
        "day" => i64::from(at.day()),
        "day_of_week" => i64::from(at.weekday().number_from_monday()),
        "day_of_year" => i64::from(at.ordinal()),
        "hour" => i64::from(at.hour()),
        "minute" => i64::from(at.minute()),
        "second" => i64::from(at.second()),
        "millisecond" => i64::from(at.and_utc().timestamp_subsec_millis()),
        _ => return exec_err!("`{name}` is not a part of a date"),
    })
}
