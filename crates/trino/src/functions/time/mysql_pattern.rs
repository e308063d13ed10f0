//! MySQL's date patterns (`%Y-%m-%d %H:%i:%s`), which Trino's `date_format` and `date_parse` take.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::names::{DAYS, MONTHS, Read, digits, fraction, name};

/// Writes a moment by a pattern.
///
/// # Errors
/// A code that Trino refuses too.
pub(crate) fn format(pattern: &str, at: NaiveDateTime) -> Result<String, String> {
    use std::fmt::Write;
    if pattern.is_empty() {
        return Err("an empty pattern writes nothing".to_owned());
    }
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

/// Reads a moment by a pattern; what the pattern does not name is that of 1970-01-01 00:00 (of the
/// year 2000 when it names a month or day but no year).
///
/// # Errors
/// Text that does not fit the pattern, or a code that Trino refuses too.
pub(crate) fn parse(pattern: &str, text: &str) -> Result<NaiveDateTime, String> {
    let mismatch = || format!("invalid format: `{text}` does not fit `{pattern}`");
    if pattern.is_empty() {
        return Err("an empty pattern reads nothing".to_owned());
    }
    let mut parts = Read::default();
    let mut rest = text;
    let mut codes = pattern.chars();
    while let Some(c) = codes.next() {
        if c != '%' {
            rest = rest.strip_prefix(c).ok_or_else(mismatch)?;
            continue;
        }
        let Some(code) = codes.next() else { break };
        rest = read(&mut parts, code, rest)?.ok_or_else(mismatch)?;
    }
    if !rest.is_empty() {
        return Err(mismatch());
    }
    parts.moment().ok_or_else(mismatch)
}

/// Reads one code; returns the text after it, none when the text does not fit.
fn read<'a>(parts: &mut Read, code: char, text: &'a str) -> Result<Option<&'a str>, String> {
    let number = |most: usize| digits(text, most);
    let found = match code {
        'Y' => number(4).map(|(value, rest)| (parts.year = Some(value as i32), rest)),
        'x' => number(4).map(|(value, rest)| (parts.week_year = Some(value as i32), rest)),
        'v' => number(2).map(|(value, rest)| (parts.week = Some(value), rest)),
        'y' => number(2).map(|(value, rest)| {
            let century = if value >= 70 { 1900 } else { 2000 };
            (parts.year = Some(value as i32 + century), rest)
        }),
        'm' | 'c' => number(2).map(|(value, rest)| (parts.month = Some(value), rest)),
        'd' | 'e' => number(2).map(|(value, rest)| (parts.day = Some(value), rest)),
        'j' => number(3).map(|(value, rest)| (parts.ordinal = Some(value), rest)),
        'H' | 'k' => number(2).map(|(value, rest)| (parts.hour = value, rest)),
        'h' | 'I' | 'l' => {
            number(2).filter(|(value, _)| (1..=12).contains(value)).map(|(value, rest)| {
                (parts.hour, parts.half_day) = (value, true);
                ((), rest)
            })
        }
        'i' => number(2).map(|(value, rest)| (parts.minute = value, rest)),
        'S' | 's' => number(2).map(|(value, rest)| (parts.second = value, rest)),
        // A timestamp(3) is read: further digits are cut off.
        'f' => fraction(text, 9)
            .map(|(nanos, rest)| (parts.nanos = nanos / 1_000_000 * 1_000_000, rest)),
        'p' => name(text, &["AM", "PM"]).map(|(at, rest)| (parts.afternoon = Some(at == 1), rest)),
        'b' => name(text, &MONTHS.map(|month| &month[..3]))
            .map(|(at, rest)| (parts.month = Some(at as u32 + 1), rest)),
        'M' => name(text, &MONTHS).map(|(at, rest)| (parts.month = Some(at as u32 + 1), rest)),
        'a' => name(text, &DAYS.map(|day| &day[..3]))
            .map(|(at, rest)| (parts.weekday = Some(at as u32 + 1), rest)),
        'W' => name(text, &DAYS).map(|(at, rest)| (parts.weekday = Some(at as u32 + 1), rest)),
        'T' => return read_all(parts, &['H', ':', 'i', ':', 's'], text),
        'r' => return read_all(parts, &['h', ':', 'i', ':', 's', ' ', 'p'], text),
        '%' => text.strip_prefix('%').map(|rest| ((), rest)),
        'D' | 'U' | 'u' | 'V' | 'w' | 'X' => return Err(refused(code)),
        other => text.strip_prefix(other).map(|rest| ((), rest)),
    };
    Ok(found.map(|((), rest)| rest))
}

fn read_all<'a>(
    parts: &mut Read,
    codes: &[char],
    text: &'a str,
) -> Result<Option<&'a str>, String> {
    let mut rest = text;
    for code in codes {
        let next = match code.is_alphabetic() {
            true => read(parts, *code, rest)?,
            false => rest.strip_prefix(*code),
        };
        let Some(next) = next else { return Ok(None) };
        rest = next;
    }
    Ok(Some(rest))
}
