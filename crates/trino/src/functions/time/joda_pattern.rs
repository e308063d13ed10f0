//! Joda's date patterns (`yyyy-MM-dd HH:mm`), which Trino's `format_datetime` and `parse_datetime`
//! take: <http://joda-time.sourceforge.net/apidocs/org/joda/time/format/DateTimeFormat.html>.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::names::{DAYS, MONTHS, Read, digits, fraction, name};

/// One part of a pattern: a letter and how often it stands, or text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Field(char, usize),
    Text(String),
}

/// A pattern, read.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
}

/// The zone of the clock that is written.
#[derive(Clone, Debug)]
pub(crate) struct ZoneText {
    /// `America/New_York`
    pub(crate) id: String,
    /// `EST`
    pub(crate) short: String,
    /// Minutes east of UTC.
    pub(crate) offset: i64,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A letter that means nothing, an empty pattern.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let invalid = |reason: &str| format!("invalid date pattern `{pattern}`: {reason}");
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                tokens.push(Token::Text(quoted(&mut chars)));
            } else if c.is_ascii_alphabetic() {
                if !"GCYxweEyDMdaKhHkmsSzZ".contains(c) {
                    return Err(invalid(&format!("illegal pattern component: {c}")));
                }
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                tokens.push(Token::Field(c, count));
            } else {
                tokens.push(Token::Text(c.to_string()));
            }
        }
        match tokens.is_empty() {
            true => Err(invalid("it is empty")),
            false => Ok(Self { tokens }),
        }
    }

    /// Returns whether the pattern writes the zone.
    pub(crate) fn has_zone(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Field('z' | 'Z', _)))
    }

    /// Writes what a clock shows.
    pub(crate) fn format(&self, at: NaiveDateTime, zone: &ZoneText) -> String {
        self.tokens
            .iter()
            .map(|token| match token {
                Token::Text(text) => text.clone(),
                Token::Field(letter, count) => field(*letter, *count, at, zone),
            })
            .collect()
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Text that does not fit the pattern.
    pub(crate) fn read(&self, text: &str) -> Result<(NaiveDateTime, Option<String>), String> {
        let mismatch = |rest: &str| match rest.is_empty() {
            true => format!("invalid format: \"{text}\" is too short"),
            false => format!("invalid format: \"{text}\" is malformed at \"{rest}\""),
        };
        let mut parts = Read::default();
        let mut rest = text;
        for (at, token) in self.tokens.iter().enumerate() {
            let after = match token {
                Token::Text(literal) => rest.strip_prefix(literal.as_str()),
                Token::Field(letter, count) => {
                    let numeric = self.tokens.get(at + 1).is_some_and(is_numeric);
                    read_field(&mut parts, *letter, *count, numeric, rest)
                }
            };
            rest = after.ok_or_else(|| mismatch(rest))?;
        }
        if !rest.is_empty() {
            return Err(mismatch(rest));
        }
        let moment = parts.moment().ok_or_else(|| mismatch(text))?;
        let offset =
            parts.offset.and_then(|seconds| super::clock::offset_name(i64::from(seconds) / 60));
        Ok((moment, parts.zone.or(offset)))
    }
}

/// Reads up to the closing quote; `''` is a quote. The last one may stay open, in Joda too: AWS's
/// guides to Athena write `'yyyy-MM-dd''T''HH:mm:ss''Z'`.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars>) -> String {
    if chars.next_if_eq(&'\'').is_some() {
        return "'".to_owned();
    }
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => break,
            c => text.push(c),
        }
    }
    text
}

fn is_numeric(token: &Token) -> bool {
    match token {
        Token::Field('M', count) => *count < 3,
        Token::Field(letter, _) => "CYxweyDdKhHkmsS".contains(*letter),
        Token::Text(_) => false,
    }
}

fn field(letter: char, count: usize, at: NaiveDateTime, zone: &ZoneText) -> String {
    let number = |value: i64| format!("{value:0count$}");
    let year = |value: i32| match count {
        2 => format!("{:02}", value.rem_euclid(100)),
        _ => number(i64::from(value)),
    };
    let named = |name: &str| if count > 3 { name.to_owned() } else { name[..3].to_owned() };
    let (hour, hour12) = (i64::from(at.hour()), i64::from(at.hour() % 12));
    match letter {
        'G' => if at.year() > 0 { "AD" } else { "BC" }.to_owned(),
        'C' => number(i64::from(at.year() / 100)),
        'Y' | 'y' => year(at.year()),
        'x' => year(at.iso_week().year()),
        'w' => number(i64::from(at.iso_week().week())),
        'e' => number(i64::from(at.weekday().number_from_monday())),
        'E' => named(DAYS[at.weekday().num_days_from_monday() as usize]),
        'D' => number(i64::from(at.ordinal())),
        'M' if count > 2 => named(MONTHS[at.month0() as usize]),
        'M' => number(i64::from(at.month())),
        'd' => number(i64::from(at.day())),
        'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'K' => number(hour12),
        'h' => number(if hour12 == 0 { 12 } else { hour12 }),
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'm' => number(i64::from(at.minute())),
        's' => number(i64::from(at.second())),
        'S' => {
            // Milliseconds are all that Joda knows.
            let digits = format!("{:03}", at.nanosecond() / 1_000_000);
            format!("{digits:0<count$}").chars().take(count).collect()
        }
        'z' if count > 3 => zone.id.clone(),
        'z' => zone.short.clone(),
        _ => {
            let sign = if zone.offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (zone.offset.abs() / 60, zone.offset.abs() % 60);
            match count {
                1 => format!("{sign}{hours:02}{minutes:02}"),
                2 => format!("{sign}{hours:02}:{minutes:02}"),
                _ => zone.id.clone(),
            }
        }
    }
}

/// Reads one field; `numeric` says that another number follows at once.
fn read_field<'a>(
    parts: &mut Read,
    letter: char,
    count: usize,
    numeric: bool,
    text: &'a str,
) -> Option<&'a str> {
    let number = |most: usize| digits(text, most);
    let found = match letter {
        'G' => name(text, &["AD", "BC"]).map(|(_, rest)| ((), rest))?,
        'C' | 'Y' | 'y' | 'x' => {
            let (value, rest) = number(if numeric { count } else { 9 })?;
            let read = text.len() - rest.len();
            let value = i32::try_from(value).ok()?;
            let value = match (count, read, value) {
                // Two digits are a year of 1970 to 2069.
                (2, 2, 70..) => value + 1900,
                (2, 2, _) => value + 2000,
                _ => value,
            };
            match letter {
                'C' => {}
                'x' => parts.week_year = Some(value),
                _ => parts.year = Some(value),
            }
            ((), rest)
        }
        'w' => number(2).map(|(value, rest)| (parts.week = Some(value), rest))?,
        'e' => number(1)
            .filter(|(value, _)| (1..=7).contains(value))
            .map(|(value, rest)| (parts.weekday = Some(value), rest))?,
        'E' => name(text, &DAYS)
            .or_else(|| name(text, &DAYS.map(|day| &day[..3])))
            .map(|(at, rest)| (parts.weekday = Some(at as u32 + 1), rest))?,
        'D' => number(3).map(|(value, rest)| (parts.ordinal = Some(value), rest))?,
        'M' if count > 2 => name(text, &MONTHS)
            .or_else(|| name(text, &MONTHS.map(|month| &month[..3])))
            .map(|(at, rest)| (parts.month = Some(at as u32 + 1), rest))?,
        'M' => number(2).map(|(value, rest)| (parts.month = Some(value), rest))?,
        'd' => number(2).map(|(value, rest)| (parts.day = Some(value), rest))?,
        'a' => {
            name(text, &["AM", "PM"]).map(|(at, rest)| (parts.afternoon = Some(at == 1), rest))?
        }
        'K' | 'h' => {
            let range = if letter == 'h' { 1..=12 } else { 0..=11 };
            let (value, rest) = number(2).filter(|(value, _)| range.contains(value))?;
            (parts.hour, parts.half_day) = (value, true);
            ((), rest)
        }
        'H' => number(2).map(|(value, rest)| (parts.hour = value, rest))?,
        'k' => number(2)
            .filter(|(value, _)| (1..=24).contains(value))
            .map(|(value, rest)| (parts.hour = value % 24, rest))?,
        'm' => number(2).map(|(value, rest)| (parts.minute = value, rest))?,
        's' => number(2).map(|(value, rest)| (parts.second = value, rest))?,
        'S' => fraction(text, count)
            .map(|(nanos, rest)| (parts.nanos = nanos / 1_000_000 * 1_000_000, rest))?,
        'Z' if count < 3 => {
            let (seconds, rest) = offset(text)?;
            parts.offset = Some(seconds);
            ((), rest)
        }
        _ => {
            let end = text
                .find(|c: char| !(c.is_alphanumeric() || "/_+-:".contains(c)))
                .unwrap_or(text.len());
            let id = text.get(..end).filter(|id| !id.is_empty())?;
            super::clock::Zone::named(id).ok()?;
            parts.zone = Some(id.to_owned());
            ((), &text[end..])
        }
    };
    Some(found.1)
}

/// Reads `+0500`, `+05:00` or `Z`; returns seconds and what follows.
fn offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| text.get(..2).and_then(|digits| digits.parse::<i32>().ok());
    let hours = two(&text[1..])?;
    let rest = &text[3..];
    let after_colon = rest.strip_prefix(':').unwrap_or(rest);
    match two(after_colon) {
        Some(minutes) => Some((sign * (hours * 3600 + minutes * 60), &after_colon[2..])),
        None => Some((sign * hours * 3600, rest)),
    }
}
