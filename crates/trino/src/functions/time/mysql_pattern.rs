//! MySQL's date patterns (`%Y-%m-%d %H:%i:%s`), which Trino's `date_format` and `date_parse` take.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

const MONTHS: [&str; 12] = [
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
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Writes a moment by a pattern.
///
/// # Errors
/// A code that Trino refuses too.
pub(crate) fn format(pattern: &str, at: NaiveDateTime) -> Result<String, String> {
    use std::fmt::Write;
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(code) = chars.next() else { break };
        let hour12 = (at.hour() + 11) % 12 + 1;
        let (day, month) = (DAYS[at.weekday().num_days_from_monday() as usize], at.month0());
        let month_name = MONTHS[month as usize];
        let half = if at.hour() < 12 { "AM" } else { "PM" };
        let written = match code {
            'a' => write!(out, "{}", &day[..3]),
            'b' => write!(out, "{}", &month_name[..3]),
            'c' => write!(out, "{}", at.month()),
            'd' => write!(out, "{:02}", at.day()),
            'e' => write!(out, "{}", at.day()),
            'f' => write!(out, "{:06}", at.nanosecond() / 1000),
            'H' => write!(out, "{:02}", at.hour()),
            'h' | 'I' => write!(out, "{hour12:02}"),
            'i' => write!(out, "{:02}", at.minute()),
            'j' => write!(out, "{:03}", at.ordinal()),
            'k' => write!(out, "{}", at.hour()),
            'l' => write!(out, "{hour12}"),
            'M' => write!(out, "{month_name}"),
            'm' => write!(out, "{:02}", at.month()),
            'p' => write!(out, "{half}"),
            'r' => write!(out, "{hour12:02}:{:02}:{:02} {half}", at.minute(), at.second()),
            'S' | 's' => write!(out, "{:02}", at.second()),
            'T' => write!(out, "{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()),
            'v' => write!(out, "{:02}", at.iso_week().week()),
            'W' => write!(out, "{day}"),
            'x' => write!(out, "{:04}", at.iso_week().year()),
            'Y' => write!(out, "{:04}", at.year()),
            'y' => write!(out, "{:02}", at.year().rem_euclid(100)),
            '%' => write!(out, "%"),
            'D' | 'U' | 'u' | 'V' | 'w' | 'X' => return Err(refused(code)),
            other => write!(out, "{other}"),
        };
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }
    Ok(out)
}

fn refused(code: char) -> String {
    format!("`%{code}` is not supported in a date pattern")
}

/// Reads a moment by a pattern; what the pattern does not name is that of 1970-01-01 00:00.
///
/// # Errors
/// Text that does not fit the pattern, or a code that Trino refuses too.
pub(crate) fn parse(pattern: &str, text: &str) -> Result<NaiveDateTime, String> {
    let mismatch = || format!("invalid format: `{text}` does not fit `{pattern}`");
    let mut parts = Parts::default();
    let mut rest = text;
    let mut codes = pattern.chars();
    while let Some(c) = codes.next() {
        if c != '%' {
            rest = rest.strip_prefix(c).ok_or_else(mismatch)?;
            continue;
        }
        let Some(code) = codes.next() else { break };
        rest = parts.read(code, rest)?.ok_or_else(mismatch)?;
    }
    if !rest.is_empty() {
        return Err(mismatch());
    }
    parts.moment().ok_or_else(mismatch)
}

#[derive(Default)]
struct Parts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    afternoon: Option<bool>,
}

impl Parts {
    /// Reads one code; returns the text after it, none when the text does not fit.
    fn read<'a>(&mut self, code: char, text: &'a str) -> Result<Option<&'a str>, String> {
        let number = |most: usize| digits(text, most);
        let found = match code {
            'Y' | 'x' => number(4).map(|(value, rest)| (self.year = Some(value as i32), rest)),
            'y' => number(2).map(|(value, rest)| {
                let century = if value >= 70 { 1900 } else { 2000 };
                (self.year = Some(value as i32 + century), rest)
            }),
            'm' | 'c' => number(2).map(|(value, rest)| (self.month = Some(value), rest)),
            'd' | 'e' => number(2).map(|(value, rest)| (self.day = Some(value), rest)),
            'j' => number(3).map(|(value, rest)| (self.ordinal = Some(value), rest)),
            'H' | 'k' | 'h' | 'I' | 'l' => number(2).map(|(value, rest)| (self.hour = value, rest)),
            'i' => number(2).map(|(value, rest)| (self.minute = value, rest)),
            'S' | 's' => number(2).map(|(value, rest)| (self.second = value, rest)),
            'f' => number(6).map(|(value, rest)| {
                let width = text.len() - rest.len();
                (self.micros = value * 10_u32.pow(6 - width as u32), rest)
            }),
            'p' => {
                name(text, &["AM", "PM"]).map(|(at, rest)| (self.afternoon = Some(at == 1), rest))
            }
            'b' => name(text, &MONTHS.map(|month| &month[..3]))
                .map(|(at, rest)| (self.month = Some(at as u32 + 1), rest)),
            'M' => name(text, &MONTHS).map(|(at, rest)| (self.month = Some(at as u32 + 1), rest)),
            'a' => name(text, &DAYS.map(|day| &day[..3])).map(|(_, rest)| ((), rest)),
            'W' => name(text, &DAYS).map(|(_, rest)| ((), rest)),
            'T' => return self.read_all(&['H', ':', 'i', ':', 's'], text),
            'r' => return self.read_all(&['h', ':', 'i', ':', 's', ' ', 'p'], text),
            '%' => text.strip_prefix('%').map(|rest| ((), rest)),
            'D' | 'U' | 'u' | 'V' | 'v' | 'w' | 'X' => return Err(refused(code)),
            other => text.strip_prefix(other).map(|rest| ((), rest)),
        };
        Ok(found.map(|((), rest)| rest))
    }

    fn read_all<'a>(&mut self, codes: &[char], text: &'a str) -> Result<Option<&'a str>, String> {
        let mut rest = text;
        for code in codes {
            let next = match code.is_alphabetic() {
                true => self.read(*code, rest)?,
                false => rest.strip_prefix(*code),
            };
            let Some(next) = next else { return Ok(None) };
            rest = next;
        }
        Ok(Some(rest))
    }

    fn moment(&self) -> Option<NaiveDateTime> {
        let hour = match self.afternoon {
            Some(true) => self.hour % 12 + 12,
            Some(false) => self.hour % 12,
            None => self.hour,
        };
        let time = NaiveTime::from_hms_micro_opt(hour, self.minute, self.second, self.micros)?;
        let year = self.year.unwrap_or(1970);
        let day = match self.ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        Some(day.and_time(time))
    }
}

fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let value = text.get(..end)?.parse().ok()?;
    Some((value, &text[end..]))
}

fn name<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}
