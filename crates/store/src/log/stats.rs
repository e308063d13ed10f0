//! Statistics of a file in the log, as Delta spells them (protocol, "Per-file Statistics").

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use chrono::{DateTime, Utc};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::snapshot::{ColumnStats, ScalarStat};

/// Reads statistics of one table's files.
#[derive(Debug)]
pub(super) struct StatsReader {
    columns: Vec<(Arc<str>, DataType)>,
}

impl StatsReader {
    /// For files with these columns.
    pub(super) fn new(schema: &Schema) -> StatsReader {
        let columns = schema.fields().iter();
        let columns =
            columns.map(|field| (field.name().as_str().into(), field.data_type().clone()));
        StatsReader { columns: columns.collect() }
    }

    /// Row count and column statistics from JSON text; columns of other types are left out.
    pub(super) fn read(&self, text: &str) -> Result<(u64, Vec<ColumnStats>), serde_json::Error> {
        let all: Parsed = serde_json::from_str(text)?;
        let mut found = Vec::with_capacity(all.null_count.0.len());
        for (column, kind) in &self.columns {
            let nulls = all.null_count.get(column).and_then(Value::as_count);
            let min = all.min_values.get(column).and_then(|value| value.as_scalar(kind));
            let max = all.max_values.get(column).and_then(|value| value.as_scalar(kind));
            if min.is_some() || max.is_some() || nulls.is_some() {
                found.push(ColumnStats { column: column.clone(), min, max, nulls });
            }
        }
        Ok((all.num_records, found))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed<'a> {
    num_records: u64,
    #[serde(default, borrow)]
    min_values: Values<'a>,
    #[serde(default, borrow)]
    max_values: Values<'a>,
    #[serde(default, borrow)]
    null_count: Values<'a>,
}

/// Values by column, where they stand in the text: opening a lake reads those of every file, and a
/// tree of owned values costs several times as much.
#[derive(Default)]
struct Values<'a>(Vec<(Text<'a>, Value<'a>)>);

impl<'a> Values<'a> {
    fn get(&self, column: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(name, _)| name.0 == column).map(|(_, value)| value)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

enum Value<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    /// Of a column whose statistics nothing asks for.
    Other,
}

impl Value<'_> {
    fn as_count(&self) -> Option<u64> {
        match self {
            Value::Int(count) => u64::try_from(*count).ok(),
            _ => None,
        }
    }

    fn as_scalar(&self, kind: &DataType) -> Option<ScalarStat> {
        Some(match (kind, self) {
            (DataType::Timestamp(_, _), Value::Text(text)) => {
                ScalarStat::Time(text.parse::<DateTime<Utc>>().ok()?.timestamp_micros())
            }
            (DataType::Utf8, Value::Text(text)) => ScalarStat::Text(text.to_string()),
            (DataType::Boolean, Value::Bool(value)) => ScalarStat::Bool(*value),
            (DataType::Int64 | DataType::Int32, Value::Int(value)) => ScalarStat::Int(*value),
            _ => return None,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Values<'a>, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "values by column")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values<'de>, A::Error> {
                let mut values = Vec::with_capacity(8);
                while let Some(entry) = map.next_entry()? {
                    values.push(entry);
                }
                Ok(Values(values))
            }
        }
        json.deserialize_map(Entries)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Value<'a>, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(text.to_string())))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
                Ok(Value::Int(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
                Ok(i64::try_from(value).map_or(Value::Other, Value::Int))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }
        json.deserialize_any(One)
    }
}
