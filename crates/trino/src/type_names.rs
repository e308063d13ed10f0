//! What Trino calls types: read from CAST, written in answers.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

use crate::map;

/// A type of Trino's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrinoType {
    /// `boolean`
    Boolean,
    /// `tinyint`, `smallint`, `integer`, `bigint` by their bits.
    Integer(u8),
    /// `real`
    Real,
    /// `double`
    Double,
    /// `decimal(precision, scale)`
    Decimal(u8, i8),
    /// `varchar`, `varchar(n)`
    Varchar(Option<u64>),
    /// `char(n)`
    Char(u64),
    /// `varbinary`
    Varbinary,
    /// `json`
    Json,
    /// `date`
    Date,
    /// `time(p)`
    Time(u8),
    /// `timestamp(p)`, with time zone or without.
    Timestamp(u8, bool),
    /// `interval day to second`, `interval year to month`
    Interval(bool),
    /// `ipaddress`
    IpAddress,
    /// `uuid`
    Uuid,
    /// `array(element)`
    Array(Box<TrinoType>),
    /// `map(key, value)`
    Map(Box<TrinoType>, Box<TrinoType>),
    /// `row(name type, …)`; unnamed fields have no name.
    Row(Vec<(Option<String>, TrinoType)>),
}

/// Deepest nesting of a type's name.
const DEPTH_MAX: usize = 32;

impl TrinoType {
    /// Reads a type's name, in any case.
    ///
    /// # Errors
    /// A message that names the part that is not a type.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let parsed = reader.any(0)?;
        reader.skip_space();
        if reader.rest.is_empty() {
            return Ok(parsed);
        }
        Err(format!("`{}` cannot follow the type `{parsed}`", reader.rest))
    }

    /// Returns the Arrow field that holds values of this type, marked where Arrow's type does not
    /// tell.
    pub fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.arrow(), true);
        match self {
            Self::Json => map::marked(field, map::JSON),
            Self::IpAddress => map::marked(field, "ipaddress"),
            Self::Uuid => map::marked(field, "uuid"),
            _ => field,
        }
    }

    /// Returns the Arrow type that holds values of this type.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer(8) => DataType::Int8,
            Self::Integer(16) => DataType::Int16,
            Self::Integer(32) => DataType::Int32,
            Self::Integer(_) => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            Self::Varchar(_) | Self::Char(_) | Self::Json | Self::IpAddress | Self::Uuid => {
                DataType::Utf8
            }
            Self::Varbinary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(0..=3) => DataType::Time32(TimeUnit::Millisecond),
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp(precision, zoned) => {
                let unit = match precision {
                    0..=3 => TimeUnit::Millisecond,
                    4..=6 => TimeUnit::Microsecond,
                    _ => TimeUnit::Nanosecond,
                };
                DataType::Timestamp(unit, zoned.then(|| "UTC".into()))
            }
            Self::Interval(_) => {
                DataType::Interval(datafusion::arrow::datatypes::IntervalUnit::MonthDayNano)
            }
            Self::Array(element) => DataType::List(Arc::new(element.field("item"))),
            Self::Map(key, value) => {
                let key = key.field("key").with_nullable(false);
                let entries = Fields::from(vec![key, value.field("value")]);
                let entries = Field::new("entries", DataType::Struct(entries), false);
                DataType::Map(Arc::new(entries), false)
            }
            Self::Row(fields) => DataType::Struct(
                fields
                    .iter()
                    .enumerate()
                    .map(|(at, (name, kind))| match name {
                        Some(name) => kind.field(name),
                        None => kind.field(&format!("field{at}")),
                    })
                    .collect(),
            ),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn any(&mut self, depth: usize) -> Result<TrinoType, String> {
        if depth > DEPTH_MAX {
            return Err("the type is nested too deeply".to_owned());
        }
        let name = self.word().to_lowercase();
        Ok(match name.as_str() {
            "boolean" | "bool" => TrinoType::Boolean,
            "tinyint" => TrinoType::Integer(8),
            "smallint" => TrinoType::Integer(16),
            "integer" | "int" => TrinoType::Integer(32),
            "bigint" | "long" => TrinoType::Integer(64),
            "real" | "float" => TrinoType::Real,
            "double" => {
                self.accept_word("precision");
                TrinoType::Double
            }
            "decimal" | "numeric" | "dec" => self.decimal()?,
            "varchar" | "string" | "text" => TrinoType::Varchar(self.numbers()?.first().copied()),
            "char" | "character" => TrinoType::Char(self.numbers()?.first().copied().unwrap_or(1)),
            "varbinary" | "binary" | "bytea" => TrinoType::Varbinary,
            "json" => TrinoType::Json,
            "date" => TrinoType::Date,
            "time" => TrinoType::Time(self.precision()?),
            "timestamp" => {
                let precision = self.precision()?;
                TrinoType::Timestamp(precision, self.zoned())
            }
            "timestamptz" => TrinoType::Timestamp(3, true),
            "interval" => {
                let months = self.accept_word("year");
                while !self.word().is_empty() {}
                TrinoType::Interval(months)
            }
            "ipaddress" => TrinoType::IpAddress,
            "uuid" => TrinoType::Uuid,
            "array" => TrinoType::Array(Box::new(self.list(depth)?.remove(0))),
            "map" => {
                let mut parts = self.list(depth)?;
                let (Some(value), Some(key)) = (parts.pop(), parts.pop()) else {
                    return Err("a map has a key and a value type: `map(varchar, json)`".into());
                };
                TrinoType::Map(Box::new(key), Box::new(value))
            }
            "row" | "struct" => TrinoType::Row(self.fields(depth)?),
            "" => return Err(format!("`{}` is not a type", self.rest)),
            other => return Err(format!("`{other}` is not a type")),
        })
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn word(&mut self) -> &str {
        self.skip_space();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            self.rest = quoted.get(end + 1..).unwrap_or("");
            return &quoted[..end];
        }
        let end =
            self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn accept(&mut self, symbols: &[char]) -> bool {
        self.skip_space();
        match self.rest.chars().next() {
            Some(c) if symbols.contains(&c) => {
                self.rest = &self.rest[c.len_utf8()..];
                true
            }
            _ => false,
        }
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        let accepted = self.word().eq_ignore_ascii_case(word);
        if !accepted {
            self.rest = before;
        }
        accepted
    }

    /// `(1)`, `(10, 2)` or nothing.
    fn numbers(&mut self) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        if !self.accept(&['(']) {
            return Ok(numbers);
        }
        loop {
            let word = self.word().to_owned();
            numbers.push(word.parse().map_err(|_| format!("`{word}` is not a length"))?);
            if !self.accept(&[',']) {
                break;
            }
        }
        match self.accept(&[')']) {
            true => Ok(numbers),
            false => Err("a closing parenthesis is missing in the type".to_owned()),
        }
    }

    fn precision(&mut self) -> Result<u8, String> {
        let precision = self.numbers()?.first().copied().unwrap_or(3);
        u8::try_from(precision)
            .ok()
            .filter(|precision| *precision <= 12)
            .ok_or_else(|| format!("precision `{precision}` is not between 0 and 12"))
    }

    fn decimal(&mut self) -> Result<TrinoType, String> {
        let numbers = self.numbers()?;
        let precision = numbers.first().copied().unwrap_or(38);
        let scale = numbers.get(1).copied().unwrap_or(0);
        if precision == 0 || precision > 38 || scale > precision {
            return Err(format!("`decimal({precision}, {scale})` has no such precision"));
        }
        Ok(TrinoType::Decimal(precision as u8, scale as i8))
    }

    fn zoned(&mut self) -> bool {
        if self.accept_word("with") {
            self.accept_word("time");
            self.accept_word("zone");
            return true;
        }
        if self.accept_word("without") {
            self.accept_word("time");
            self.accept_word("zone");
        }
        false
    }

    /// `(type, …)` or `<type, …>`.
    fn list(&mut self, depth: usize) -> Result<Vec<TrinoType>, String> {
        if !self.accept(&['(', '<']) {
            return Err("the type needs its parts: `array(varchar)`".to_owned());
        }
        let mut parts = vec![self.any(depth + 1)?];
        while self.accept(&[',']) {
            parts.push(self.any(depth + 1)?);
        }
        match self.accept(&[')', '>']) {
            true => Ok(parts),
            false => Err("a closing parenthesis is missing in the type".to_owned()),
        }
    }

    /// `(name type, …)`, `(type, …)` or Hive's `<name:type, …>`.
    fn fields(&mut self, depth: usize) -> Result<Vec<(Option<String>, TrinoType)>, String> {
        if !self.accept(&['(', '<']) {
            return Err("a row needs its fields: `row(x bigint)`".to_owned());
        }
        let mut fields = Vec::new();
        loop {
            let before = self.rest;
            let name = self.word().to_owned();
            self.accept(&[':']);
            self.skip_space();
            let alone = self.rest.starts_with([',', ')', '>', '(', '<']);
            if alone {
                self.rest = before;
                fields.push((None, self.any(depth + 1)?));
            } else {
                fields.push((Some(name), self.any(depth + 1)?));
            }
            if !self.accept(&[',']) {
                break;
            }
        }
        match self.accept(&[')', '>']) {
            true => Ok(fields),
            false => Err("a closing parenthesis is missing in the type".to_owned()),
        }
    }
}

impl fmt::Display for TrinoType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Integer(8) => f.write_str("tinyint"),
            Self::Integer(16) => f.write_str("smallint"),
            Self::Integer(32) => f.write_str("integer"),
            Self::Integer(_) => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision}, {scale})"),
            Self::Varchar(None) => f.write_str("varchar"),
            Self::Varchar(Some(length)) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Varbinary => f.write_str("varbinary"),
            Self::Json => f.write_str("json"),
            Self::Date => f.write_str("date"),
            Self::Time(precision) => write!(f, "time({precision})"),
            Self::Timestamp(precision, false) => write!(f, "timestamp({precision})"),
            Self::Timestamp(precision, true) => write!(f, "timestamp({precision}) with time zone"),
            Self::Interval(true) => f.write_str("interval year to month"),
            Self::Interval(false) => f.write_str("interval day to second"),
            Self::IpAddress => f.write_str("ipaddress"),
            Self::Uuid => f.write_str("uuid"),
            Self::Array(element) => write!(f, "array({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Row(fields) => {
                f.write_str("row(")?;
                for (at, (name, kind)) in fields.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    match name {
                        Some(name) if is_plain(name) => write!(f, "{comma}{name} {kind}")?,
                        Some(name) => write!(f, "{comma}\"{name}\" {kind}")?,
                        None => write!(f, "{comma}{kind}")?,
                    }
                }
                f.write_str(")")
            }
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Returns Trino's name of the field's type, such as `varchar`, `timestamp(3)` or
/// `array(row(arn varchar))`; marks win over Arrow's type.
pub fn trino_type(field: &Field) -> String {
    if let Some(mark) = field.metadata().get(map::TYPE_KEY) {
        return mark.clone();
    }
    let nested = |field: &FieldRef| trino_type(field);
    match field.data_type() {
        DataType::Null => "unknown".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "varbinary".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", digits(*unit)),
        DataType::Timestamp(unit, zone) => {
            TrinoType::Timestamp(digits(*unit), zone.is_some()).to_string()
        }
        DataType::Duration(_) => "interval day to second".to_owned(),
        DataType::Interval(_) => "interval day to second".to_owned(),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => format!("array({})", nested(element)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map({}, {})", nested(&fields[0]), nested(&fields[1]))
            }
            _ => "map".to_owned(),
        },
        DataType::Struct(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .map(|field| match is_plain(field.name()) {
                    true => format!("{} {}", field.name(), nested(field)),
                    false => format!("\"{}\" {}", field.name(), nested(field)),
                })
                .collect();
            format!("row({})", parts.join(", "))
        }
        DataType::Dictionary(_, value) => trino_type(&Field::new("", (**value).clone(), true)),
        other => other.to_string().to_lowercase(),
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
