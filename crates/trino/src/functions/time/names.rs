//! The English names of months and days, and the parts of a moment that patterns read.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Weekday};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What a pattern has read, field by field.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) year: Option<i32>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<u32>,
    pub(super) ordinal: Option<u32>,
    pub(super) week_year: Option<i32>,
    pub(super) week: Option<u32>,
    /// From Monday, 1.
    pub(super) weekday: Option<u32>,
    pub(super) hour: u32,
    /// Whether the hour is one of twelve.
    pub(super) half_day: bool,
    pub(super) afternoon: Option<bool>,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nanos: u32,
    /// Seconds east of UTC.
    pub(super) offset: Option<i32>,
    pub(super) zone: Option<String>,
}

impl Read {
    /// Returns the moment; what was not read is that of 1970-01-01 00:00, or of the year 2000 when
    /// a month or day was read without a year: Joda's rule. None for a day that is not.
    pub(super) fn moment(&self) -> Option<NaiveDateTime> {
        let hour = match (self.half_day, self.afternoon) {
            (_, Some(true)) => self.hour % 12 + 12,
            (_, Some(false)) | (true, None) => self.hour % 12,
            (false, None) => self.hour,
        };
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanos)?;
        Some(self.date()?.and_time(time))
    }

    fn date(&self) -> Option<NaiveDate> {
        let small = self.month.is_some()
            || self.day.is_some()
            || self.ordinal.is_some()
            || self.week.is_some()
            || self.weekday.is_some();
        let year = self.year.unwrap_or(if small { 2000 } else { 1970 });
        if self.week.is_some() || self.week_year.is_some() {
            let day = Weekday::try_from(u8::try_from(self.weekday.unwrap_or(1)).ok()? - 1).ok()?;
            let year = self.week_year.unwrap_or(year);
            return NaiveDate::from_isoywd_opt(year, self.week.unwrap_or(1), day);
        }
        match self.ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal),
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1)),
        }
    }
}

/// Reads up to `most` digits; returns their number and what follows.
pub(super) fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let value = text.get(..end)?.parse().ok()?;
    Some((value, &text[end..]))
}

/// Reads the digits of a second's fraction, up to `most`; returns nanoseconds and what follows.
pub(super) fn fraction(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let nanos = format!("{:0<9}", text.get(..end).filter(|digits| !digits.is_empty())?);
    Some((nanos.get(..9)?.parse().ok()?, &text[end..]))
}

/// Reads one of the names, in any case; returns its place and what follows.
pub(super) fn name<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}
