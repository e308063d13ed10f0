//! Times, and how they were spelled.
//!
//! CloudTrail writes `2021-07-29T05:06:07Z`. Exports and tools write fractions, offsets, a space
//! for the T, ISO 8601's basic form, or seconds since 1970. The column holds microseconds; the
//! spelling is a mark in the shape.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use crate::escapes::Sink;

/// How a time was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As text, date first.
    Text(TextSpelling),
    /// As a number: units of 10^-`decimals` seconds, and digits after the point.
    Number { decimals: u8, point: u8 },
}

/// How a time was spelled as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextSpelling {
    /// `2021-07-29`, not `20210729`.
    dashes: bool,
    /// What stands between date and time.
    between: u8,
    /// `05:06:07`, not `050607`.
    colons: bool,
    /// Seconds are given.
    seconds: bool,
    /// Digits after the point; 0 without a point.
    fraction: u8,
    offset: Offset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offset {
    /// Not given: UTC is meant.
    None,
    /// `Z` or `z`.
    Zulu(u8),
    /// Minutes east, the sign of zero, and whether spelled `+11`, `+1100` or `+11:00`.
    Minutes { minutes: i32, negative: bool, spelled: Digits },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Hours,
    Basic,
    Extended,
}

/// CloudTrail's own.
pub(crate) const USUAL: Spelling = Spelling::Text(TextSpelling {
    dashes: true,
    between: b'T',
    colons: true,
    seconds: true,
    fraction: 0,
    offset: Offset::Zulu(b'Z'),
});

/// Reads digits off the front.
struct Digest<'a>(&'a [u8]);

impl Digest<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let mut number = 0;
        for digit in head {
            number = number * 10 + u32::from(digit.checked_sub(b'0').filter(|d| *d <= 9)?);
        }
        self.0 = rest;
        Some(number)
    }

    fn takes(&mut self, byte: u8) -> bool {
        let taken = self.0.first() == Some(&byte);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn run_of_digits(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
}

/// Times that a column holds: those of the years 0000 to 9999 in UTC, of which the name of every
/// month has four digits and two.
const READABLE: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// Returns the time that a JSON value says, in microseconds since 1970, and how it says it, where
/// a time can be said so again.
pub(crate) fn parse_value(spelled: &str) -> Option<(i64, Option<Spelling>)> {
    unquoted(spelled).map_or_else(|| parse_number(spelled), parse)
}

/// Returns the text between the quotes of a value that is a string.
pub(crate) fn unquoted(spelled: &str) -> Option<&str> {
    spelled.strip_prefix('"').and_then(|text| text.strip_suffix('"'))
}

/// Returns the microseconds since 1970 that a text says, and how it says them, where a time can be
/// said so again: a leap second cannot, nor can the midnight that ends a day (`24:00:00`).
pub(crate) fn parse(text: &str) -> Option<(i64, Option<Spelling>)> {
    let mut rest = Digest(text.as_bytes());
    let year = rest.number(4)?;
    let dashes = rest.takes(b'-');
    let month = rest.number(2)?;
    if dashes && !rest.takes(b'-') {
        return None;
    }
    let day = rest.number(2)?;
    let between = rest.next().filter(|byte| matches!(byte, b'T' | b't' | b' '))?;
    let hour = rest.number(2)?;
    let colons = rest.takes(b':');
    let minute = rest.number(2)?;
    let seconds = if colons { rest.takes(b':') } else { rest.run_of_digits() >= 2 };
    let second = if seconds { rest.number(2)? } else { 0 };
    let (fraction, micros) = fraction(&mut rest)?;
    let offset = offset(&mut rest)?;
    let ends_day = hour == 24 && minute == 0 && second == 0 && micros == 0;
    if !rest.0.is_empty() || (hour > 23 && !ends_day) || minute > 59 || second > 60 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let days = i64::from(date.num_days_from_ce()) - EPOCH_DAYS;
    let east = match offset {
        Offset::Minutes { minutes, .. } => i64::from(minutes),
        _ => 0,
    };
    let minutes = days * 1_440 + i64::from(hour) * 60 + i64::from(minute) - east;
    let at = (minutes * 60 + i64::from(second)) * 1_000_000 + micros;
    let spelling = TextSpelling { dashes, between, colons, seconds, fraction, offset };
    let can_be_said = second < 60 && !ends_day;
    READABLE.contains(&at).then_some((at, can_be_said.then_some(Spelling::Text(spelling))))
}

/// Days from the year 1 to 1970-01-01, as chrono counts them.
const EPOCH_DAYS: i64 = 719_163;

/// Reads `.123`: number of digits, and microseconds (further digits are dropped; they do not come
/// back, so the caller keeps such a text raw).
fn fraction(rest: &mut Digest<'_>) -> Option<(u8, i64)> {
    if !rest.takes(b'.') {
        return Some((0, 0));
    }
    let digits = rest.run_of_digits();
    if digits == 0 || digits > 9 {
        return None;
    }
    let number = i64::from(rest.number(digits)?);
    let micros = if digits <= 6 {
        number * 10_i64.pow(6 - digits as u32)
    } else {
        number / 10_i64.pow(digits as u32 - 6)
    };
    Some((digits as u8, micros))
}

fn offset(rest: &mut Digest<'_>) -> Option<Offset> {
    let negative = match rest.next() {
        None => return Some(Offset::None),
        Some(zulu @ (b'Z' | b'z')) => return Some(Offset::Zulu(zulu)),
        Some(b'+') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    let hours = rest.number(2)?;
    let spelled = match (rest.takes(b':'), rest.0.is_empty()) {
        (true, _) => Digits::Extended,
        (false, true) => Digits::Hours,
        (false, false) => Digits::Basic,
    };
    let minutes = if spelled == Digits::Hours { 0 } else { rest.number(2)? };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let minutes = i32::try_from(hours * 60 + minutes).ok()?;
    let minutes = if negative { -minutes } else { minutes };
    Some(Offset::Minutes { minutes, negative, spelled })
}

/// Returns the microseconds that a JSON number says: seconds since 1970, or milliseconds or
/// microseconds when it is too large for seconds (from the year 5138 on). An exponent is read, and
/// digits finer than the column are dropped; neither can be said again.
fn parse_number(text: &str) -> Option<(i64, Option<Spelling>)> {
    let (plain, exponent) = match text.split_once(['e', 'E']) {
        Some((plain, exponent)) => (plain, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, point) = plain.split_once('.').unwrap_or((plain, ""));
    let digits: i128 = format!("{whole}{point}").parse().ok()?;
    // The number is `digits` · 10^`scale`.
    let scale = exponent.checked_sub(i32::try_from(point.len()).ok()?)?;
    let decimals = match shifted(digits, scale)?.unsigned_abs() {
        0..100_000_000_000 => 0,
        100_000_000_000..100_000_000_000_000 => 3,
        100_000_000_000_000..100_000_000_000_000_000 => 6,
        _ => return None,
    };
    let micros = shifted(digits, scale.checked_add(6 - decimals)?)?;
    let at = i64::try_from(micros).ok().filter(|at| READABLE.contains(at))?;
    let is_plain = exponent == 0 && !text.contains(['e', 'E']);
    let can_be_said =
        is_plain && decimals as usize + point.len() <= 6 && (point.is_empty() || digits >= 0);
    let spelling = Spelling::Number { decimals: decimals as u8, point: point.len() as u8 };
    Some((at, can_be_said.then_some(spelling)))
}

/// Returns `digits` · 10^`scale`, rounded down; nothing for a number that no time is.
fn shifted(digits: i128, scale: i32) -> Option<i128> {
    let power = 10_i128.checked_pow(scale.unsigned_abs());
    match (scale < 0, power) {
        (false, Some(power)) => digits.checked_mul(power),
        (false, None) => (digits == 0).then_some(0),
        (true, Some(power)) => Some(digits.div_euclid(power)),
        (true, None) => Some(if digits < 0 { -1 } else { 0 }),
    }
}

impl Spelling {
    /// Appends the mark: `Y-m-dTH:M:S.3Z`, with `_` for a space, or `#` and its decimals.
    pub fn write_mark(self, out: &mut String) {
        let text = match self {
            Spelling::Number { decimals, point } => {
                out.push_str(&format!("#{decimals}.{point}"));
                return;
            }
            Spelling::Text(text) => text,
        };
        out.push_str(if text.dashes { "Y-m-d" } else { "Ymd" });
        out.push(if text.between == b' ' { '_' } else { char::from(text.between) });
        out.push_str(match (text.colons, text.seconds) {
            (true, true) => "H:M:S",
            (true, false) => "H:M",
            (false, true) => "HMS",
            (false, false) => "HM",
        });
        if text.fraction > 0 {
            out.push_str(&format!(".{}", text.fraction));
        }
        let mut offset = Vec::new();
        text.offset.write(&mut offset);
        out.extend(offset.into_iter().map(char::from));
    }

    /// Returns the spelling that a mark says.
    pub fn of_mark(mark: &str) -> Option<Spelling> {
        if let Some(number) = mark.strip_prefix('#') {
            let (decimals, point) = number.split_once('.')?;
            let (decimals, point) = (decimals.parse().ok()?, point.parse().ok()?);
            return (decimals <= 6u8 && point <= 6u8)
                .then_some(Spelling::Number { decimals, point });
        }
        let (dashes, rest) = match mark.strip_prefix("Y-m-d") {
            Some(rest) => (true, rest),
            None => (false, mark.strip_prefix("Ymd")?),
        };
        let (between, rest) = rest.split_at_checked(1)?;
        let between = if between == "_" { b' ' } else { *between.as_bytes().first()? };
        let times = [("H:M:S", true, true), ("HMS", false, true), ("H:M", true, false)];
        let times = times.into_iter().chain([("HM", false, false)]);
        let (colons, seconds, rest) = times
            .into_iter()
            .find_map(|(name, c, s)| rest.strip_prefix(name).map(|rest| (c, s, rest)))?;
        let mut rest = Digest(rest.as_bytes());
        let fraction = if rest.takes(b'.') { rest.number(1)? as u8 } else { 0 };
        let offset = offset(&mut rest).filter(|_| rest.0.is_empty())?;
        Some(Spelling::Text(TextSpelling { dashes, between, colons, seconds, fraction, offset }))
    }

    /// Whether the time is a JSON string, not a number.
    pub fn is_text(self) -> bool {
        matches!(self, Spelling::Text(_))
    }

    /// Writes a time, without quotes; nothing for a time beyond the year 9999.
    pub fn write<S: Sink>(self, at: i64, out: &mut S) {
        match self {
            Spelling::Text(text) => text.write(at, out),
            Spelling::Number { decimals, point } => {
                let unit = 10_i64.pow(6 - u32::from(decimals.min(6)));
                out.put(at.div_euclid(unit).to_string().as_bytes());
                if point > 0 {
                    let digits = usize::from(6 - decimals.min(6));
                    let fraction = format!("{:0digits$}", at.rem_euclid(unit));
                    out.put(b".");
                    out.put(&fraction.as_bytes()[..usize::from(point).min(digits)]);
                }
            }
        }
    }
}

impl Offset {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Offset::None => {}
            Offset::Zulu(zulu) => out.push(zulu),
            Offset::Minutes { minutes, negative, spelled } => {
                out.push(if negative { b'-' } else { b'+' });
                let minutes = minutes.unsigned_abs();
                out.extend(two(minutes / 60));
                match spelled {
                    Digits::Hours => return,
                    Digits::Basic => {}
                    Digits::Extended => out.push(b':'),
                }
                out.extend(two(minutes % 60));
            }
        }
    }
}

fn two(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

impl TextSpelling {
    fn write<S: Sink>(self, at: i64, out: &mut S) {
        let east = match self.offset {
            Offset::Minutes { minutes, .. } => i64::from(minutes) * 60_000_000,
            _ => 0,
        };
        let Some(time) = DateTime::from_timestamp_micros(at + east) else { return };
        let mut line = Vec::with_capacity(40);
        let year = u32::try_from(time.year()).unwrap_or_default();
        line.extend(two(year / 100));
        line.extend(two(year % 100));
        let field = |line: &mut Vec<u8>, mark: u8, marked: bool, number: u32| {
            if marked {
                line.push(mark);
            }
            line.extend(two(number));
        };
        field(&mut line, b'-', self.dashes, time.month());
        field(&mut line, b'-', self.dashes, time.day());
        line.push(self.between);
        line.extend(two(time.hour()));
        field(&mut line, b':', self.colons, time.minute());
        if self.seconds {
            field(&mut line, b':', self.colons, time.second());
        }
        if self.fraction > 0 {
            let digits = format!("{:06}000", time.timestamp_subsec_micros());
            line.push(b'.');
            line.extend(&digits.as_bytes()[..usize::from(self.fraction.min(9))]);
        }
        self.offset.write(&mut line);
        out.put(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_come_back() {
        let check = |text: &str, at: i64, mark: &str| {
            let number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let parsed = if number { parse_number(text) } else { parse(text) };
            let (found, spelling) = parsed.unwrap();
            let spelling = spelling.unwrap();
            assert_eq!(found, at, "{text}");
            let (mut said, mut out) = (String::new(), Vec::new());
            spelling.write_mark(&mut said);
            assert_eq!(said, mark);
            assert_eq!(Spelling::of_mark(&said), Some(spelling), "{said}");
            spelling.write(at, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        };
        let at = 1_627_535_167_000_000;
        check("2021-07-29T05:06:07Z", at, "Y-m-dTH:M:SZ");
        check("2021-07-29 16:06:07+11:00", at, "Y-m-d_H:M:S+11:00");
        check("20210729T050607Z", at, "YmdTHMSZ");
        check("2021-07-29T05:06:07.120Z", at + 120_000, "Y-m-dTH:M:S.3Z");
        check("2021-07-29T05:06:07.123456000-0000", at + 123_456, "Y-m-dTH:M:S.9-0000");
        check("2021-07-29t00:06:07-05", at, "Y-m-dtH:M:S-05");
        check("2021-07-29T05:06", at - 7_000_000, "Y-m-dTH:M");
        check("1627535167", at, "#0.0");
        check("1627535167.25", at + 250_000, "#0.2");
        check("1627535167000", at, "#3.0");
        check("1627535167000.5", at + 500, "#3.1");
        check("1627535167000000", at, "#6.0");
        check("0000-01-01T00:00:00Z", -62_167_219_200_000_000, "Y-m-dTH:M:SZ");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2021",
            "2021-07-29",
            "2021-13-01T00:00:00Z",
            "2021-02-30T00:00:00Z",
            "x",
            "2021-07-29T25:00:00Z",
            "2021-07-29T05:06:07X",
            "2021-07-29T05:06:07Z ",
            "2021-07-29T05:06:07.Z",
            "2021-07-2９T05:06:07Z",
            "2021-0729T05:06:07Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        for text in ["", "1e30", "1e", "99999999999999999999", "-99999999999"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_again_is_read() {
        let check = |text: &str, at: i64| {
            let number = text.contains('e') || text.contains('E') || !text.contains('T');
            let parsed = if number { parse_number(text) } else { parse(text) };
            assert_eq!(parsed, Some((at, None)), "{text}");
        };
        let at = 1_627_535_167_000_000;
        check("1.627535167E9", at);
        check("1627535167e0", at);
        check("16275351670e-1", at);
        check("1.6275351675e+12", at + 500_000);
        check("1627535167.123456789", at + 123_456);
        check("-1.5", -1_500_000);
        check("0e99999999", 0);
        check("1e-99999999", 0);
        check("2021-07-28T24:00:00Z", at - (5 * 3_600 + 6 * 60 + 7) * 1_000_000);
        check("2016-12-31T23:59:60Z", 1_483_228_800_000_000);
    }

    #[test]
    fn months_have_four_digits_and_two() {
        for text in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T24:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("9999-12-31T23:59:59.999999Z").is_some());
    }
}
