//! Format strings of Java's `Formatter`
//! (<https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Formatter.html>).

use chrono::NaiveDateTime;

/// Characters that padding may bring one specifier to, and digits after its point.
const WIDTH_MAX: usize = 10_000;

/// A value to be written.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    /// A decimal's digits, which must not go through a double.
    Decimal(String),
    Text(String),
    /// A date, time or timestamp on its own clock, and its text.
    Time(NaiveDateTime, String),
}

/// A format string, read.
#[derive(Debug)]
pub(super) struct Format {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Specifier(Specifier),
}

/// Which argument a specifier takes.
#[derive(Clone, Copy, Debug)]
enum Index {
    Next,
    Previous,
    At(usize),
}

#[derive(Debug)]
struct Specifier {
    text: String,
    index: Index,
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
    conversion: char,
    /// The letter after `%t`.
    date: Option<char>,
}

impl Format {
    /// Reads a format string.
    ///
    /// # Errors
    /// Java's name of what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            if at > 0 {
                parts.push(Part::Literal(rest[..at].to_owned()));
            }
            let (specifier, after) = Specifier::parse(&rest[at..])?;
            parts.push(Part::Specifier(specifier));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// Writes the arguments.
    ///
    /// # Errors
    /// Java's name of what does not fit.
    pub(super) fn write(&self, arguments: &[Argument]) -> Result<String, String> {
        let mut out = String::new();
        let (mut next, mut previous) = (0, None);
        for part in &self.parts {
            let specifier = match part {
                Part::Literal(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Specifier(specifier) => specifier,
            };
            match specifier.conversion {
                '%' => out.push_str(&specifier.padded("%".to_owned())),
                'n' => out.push('\n'),
                _ => {
                    let missing =
                        || format!("MissingFormatArgument: Format specifier '{}'", specifier.text);
                    let at = match specifier.index {
                        Index::At(at) => at,
                        Index::Previous => previous.ok_or_else(missing)?,
                        Index::Next => {
                            next += 1;
                            next - 1
                        }
                    };
                    previous = Some(at);
                    let argument = arguments.get(at).ok_or_else(missing)?;
                    out.push_str(&specifier.write(argument)?);
                }
            }
        }
        Ok(out)
    }
}

impl Specifier {
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let mut rest = &text[1..];
        let unknown = |rest: &str| {
            let conversion = rest.chars().next().unwrap_or('%');
            format!("UnknownFormatConversion: Conversion = '{conversion}'")
        };
        let mut index = Index::Next;
        let digits = digits_of(rest);
        if let Some(after) = rest[digits.len()..].strip_prefix('$')
            && let Ok(at) = digits.parse::<usize>()
            && at > 0
        {
            (index, rest) = (Index::At(at - 1), after);
        } else if let Some(after) = rest.strip_prefix('<') {
            (index, rest) = (Index::Previous, after);
        }
        let end = rest.find(|c| !"-#+ 0,(".contains(c)).unwrap_or(rest.len());
        let (flags, after) = rest.split_at(end);
        rest = after;
        if let Some(twice) = flags.chars().find(|c| flags.matches(*c).count() > 1) {
            return Err(format!("DuplicateFormatFlags: Flags = '{twice}'"));
        }
        let size = |text: &str| match text.parse::<usize>() {
            Ok(size) if size <= WIDTH_MAX => Ok(size),
            _ => Err(format!("IllegalFormatWidth: {text}")),
        };
        let digits = digits_of(rest);
        rest = &rest[digits.len()..];
        let width = (!digits.is_empty()).then(|| size(digits)).transpose()?;
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let digits = &after[..end];
            if digits.is_empty() {
                return Err(unknown(rest));
            }
            (precision, rest) = (Some(size(digits)?), &after[digits.len()..]);
        }
        let conversion = rest.chars().next().ok_or_else(|| unknown(rest))?;
        let mut after = &rest[conversion.len_utf8()..];
        if !"sSbBcCdxXofeEtTn%".contains(conversion) {
            return Err(unknown(rest));
        }
        let mut date = None;
        if matches!(conversion, 't' | 'T') {
            let letter = after.chars().next().ok_or_else(|| unknown(rest))?;
            date = Some(letter);
            after = &after[letter.len_utf8()..];
        }
        let text = text[..text.len() - after.len()].to_owned();
        let flags = flags.to_owned();
        let specifier = Self { text, index, flags, width, precision, conversion, date };
        specifier.check()?;
        Ok((specifier, after))
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn check(&self) -> Result<(), String> {
        if (self.has('-') || self.has('0')) && self.width.is_none() {
            return Err(format!("MissingFormatWidth: {}", self.text));
        }
        if (self.has('-') && self.has('0')) || (self.has('+') && self.has(' ')) {
            return Err(format!("IllegalFormatFlags: Flags = '{}'", self.flags));
        }
        let allowed = match self.conversion {
            'd' => "-+ 0,(",
            'f' => "-#+ 0,(",
            'e' | 'E' => "-#+ 0(",
            'x' | 'X' | 'o' => "-#0",
            'n' => "",
            _ => "-",
        };
        if let Some(flag) = self.flags.chars().find(|flag| !allowed.contains(*flag)) {
            return Err(format!(
                "FormatFlagsConversionMismatch: Conversion = {}, Flags = {flag}",
                self.conversion
            ));
        }
        match (self.conversion, self.width, self.precision) {
            ('n', Some(width), _) => Err(format!("IllegalFormatWidth: {width}")),
            ('d' | 'x' | 'X' | 'o' | 'c' | 'C' | 't' | 'T' | '%' | 'n', _, Some(precision)) => {
                Err(format!("IllegalFormatPrecision: {precision}"))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, argument: &Argument) -> Result<String, String> {
        let text = match (self.conversion.to_ascii_lowercase(), argument) {
            ('b', Argument::Boolean(value)) => self.cut(value.to_string()),
            ('b', value) => self.cut((!matches!(value, Argument::Null)).to_string()),
            ('s', value) => self.cut(plain(value)),
            (_, Argument::Null) => self.cut("null".to_owned()),
            ('c', Argument::Integer(code)) => {
                let c = u32::try_from(*code).ok().and_then(char::from_u32);
                c.ok_or_else(|| format!("IllegalFormatCodePoint: {code}"))?.to_string()
            }
            ('d', Argument::Integer(value)) => {
                return Ok(self.number(&value.unsigned_abs().to_string(), *value < 0));
            }
            ('x', Argument::Integer(value)) => return Ok(self.radix(format!("{value:x}"), "0x")),
            ('o', Argument::Integer(value)) => return Ok(self.radix(format!("{value:o}"), "0")),
            ('f' | 'e', Argument::Double(value)) if !value.is_finite() => {
                let name = if value.is_nan() { "NaN" } else { "Infinity" };
                let sign = match (*value < 0.0, value.is_nan()) {
                    (true, _) => "-",
                    (false, false) if self.has('+') => "+",
                    _ => "",
                };
                format!("{sign}{name}")
            }
            ('f', Argument::Double(value)) => {
                let digits = rounded(&value.abs().to_string(), self.precision.unwrap_or(6));
                return Ok(self.number(&digits, value.is_sign_negative()));
            }
            ('f', Argument::Decimal(value)) => {
                let digits = value.trim_start_matches('-');
                let digits = rounded(digits, self.precision.unwrap_or(6));
                return Ok(self.number(&digits, value.starts_with('-')));
            }
            ('e', Argument::Double(value)) => {
                let digits = scientific(value.abs(), self.precision.unwrap_or(6));
                let number = self.number(&digits, value.is_sign_negative());
                let upper = self.conversion == 'E';
                return Ok(if upper { number.to_uppercase() } else { number });
            }
            ('t', Argument::Time(at, _)) => date_part(self.date.unwrap_or(' '), *at)?,
            (_, value) => {
                let conversion = self.date.unwrap_or(self.conversion);
                return Err(format!(
                    "IllegalFormatConversion: {conversion} != {}",
                    java_class(value)
                ));
            }
        };
        let upper = self.conversion.is_ascii_uppercase();
        Ok(self.padded(if upper { text.to_uppercase() } else { text }))
    }

    fn cut(&self, text: String) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }

    fn padded(&self, text: String) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let space = " ".repeat(missing);
        if self.has('-') { text + &space } else { space + &text }
    }

    fn radix(&self, digits: String, prefix: &str) -> String {
        let prefix = if self.has('#') { prefix } else { "" };
        let text = format!("{prefix}{}", self.filled(&digits, prefix.len()));
        self.padded(if self.conversion == 'X' { text.to_uppercase() } else { text })
    }

    /// Zeros before the digits, when the flag asks for them.
    fn filled(&self, digits: &str, around: usize) -> String {
        let width = if self.has('0') { self.width.unwrap_or(0) } else { 0 };
        let missing = width.saturating_sub(digits.len() + around);
        "0".repeat(missing) + digits
    }

    fn number(&self, digits: &str, negative: bool) -> String {
        let grouped = if self.has(',') { grouped(digits) } else { digits.to_owned() };
        let (before, after) = match negative {
            true if self.has('(') => ("(", ")"),
            true => ("-", ""),
            false if self.has('+') => ("+", ""),
            false if self.has(' ') => (" ", ""),
            false => ("", ""),
        };
        let filled = self.filled(&grouped, before.len() + after.len());
        self.padded(format!("{before}{filled}{after}"))
    }
}

fn digits_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // A leading 0 is a flag.
    if text.starts_with('0') { "" } else { &text[..end] }
}

fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// Rounds plain digits to so many after the point, half up.
fn rounded(digits: &str, places: usize) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let kept: String = format!("{fraction:0<places$}").chars().take(places).collect();
    let mut all: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    if fraction.as_bytes().get(places).is_some_and(|next| *next >= b'5') {
        let mut at = all.len();
        loop {
            if at == 0 {
                all.insert(0, b'1');
                break;
            }
            at -= 1;
            if all[at] != b'9' {
                all[at] += 1;
                break;
            }
            all[at] = b'0';
        }
    }
    let point = all.len() - places;
    let text: String = all.into_iter().map(char::from).collect();
    match places {
        0 => text,
        _ => format!("{}.{}", &text[..point], &text[point..]),
    }
}

fn scientific(value: f64, places: usize) -> String {
    let shortest = format!("{value:e}");
    let (mantissa, power) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (mut mantissa, mut power) =
        (rounded(mantissa, places), power.parse::<i32>().unwrap_or_default());
    if mantissa.starts_with("10") {
        mantissa = rounded("1", places);
        power += 1;
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}

/// Returns the value as Java's `String.valueOf` writes it.
fn plain(value: &Argument) -> String {
    match value {
        Argument::Null => "null".to_owned(),
        Argument::Boolean(value) => value.to_string(),
        Argument::Integer(value) => value.to_string(),
        Argument::Double(value) => double(*value),
        Argument::Decimal(text) | Argument::Text(text) | Argument::Time(_, text) => text.clone(),
    }
}

fn double(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || (size != 0.0 && !(1e-3..1e7).contains(&size)) {
        return super::as_text::double(value);
    }
    format!("{value:?}")
}

fn java_class(value: &Argument) -> &'static str {
    match value {
        Argument::Null => "null",
        Argument::Boolean(_) => "java.lang.Boolean",
        Argument::Integer(_) => "java.lang.Long",
        Argument::Double(_) => "java.lang.Double",
        Argument::Decimal(_) => "java.math.BigDecimal",
        Argument::Text(_) => "java.lang.String",
        Argument::Time(..) => "java.time.LocalDateTime",
    }
}

fn date_part(letter: char, at: NaiveDateTime) -> Result<String, String> {
    let pattern = match letter {
        'H' => "%H",
        'I' => "%I",
        'k' => "%-H",
        'l' => "%-I",
        'M' => "%M",
        'S' => "%S",
        'L' => "%3f",
        'N' => "%9f",
        'p' => "%P",
        'B' => "%B",
        'b' | 'h' => "%b",
        'A' => "%A",
        'a' => "%a",
        'C' => "%C",
        'Y' => "%Y",
        'y' => "%y",
        'j' => "%j",
        'm' => "%m",
        'd' => "%d",
        'e' => "%-d",
        'R' => "%R",
        'T' => "%T",
        'r' => "%I:%M:%S %p",
        'D' => "%m/%d/%y",
        'F' => "%F",
        _ => return Err(format!("UnknownFormatConversion: Conversion = 't{letter}'")),
    };
    Ok(at.format(pattern).to_string())
}
