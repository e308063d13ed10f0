//! Values for `?` and `:name`: bound as literals of the syntax tree, never pasted into text.

use std::collections::BTreeMap;

/// A value of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A varchar; compared with timestamps, booleans or numbers it is read as one.
    Text(String),
    /// A bigint.
    Integer(i64),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A timestamp, microseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// An array of varchar, for `contains(:names, x)` and `IN (SELECT … FROM UNNEST(:names))`.
    Texts(Vec<String>),
    /// A value of another type, in the text that CAST reads as that type.
    Typed {
        /// The value: `2024-05-01`, `12.50`.
        text: String,
        /// Trino's name of the type: `date`, `decimal(4, 2)`, `timestamp(6) with time zone`.
        type_name: String,
    },
    /// A varbinary.
    Bytes(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A map: its keys and their values.
    Map(Vec<(Value, Value)>),
    /// A row without names.
    Row(Vec<Value>),
    /// NULL.
    Null,
}

/// The values of a statement's parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// Values of `?`, in the order they stand.
    pub positional: Vec<Value>,
    /// Values of `:name`; names are case-sensitive.
    pub named: BTreeMap<String, Value>,
}

impl Parameters {
    /// Returns parameters with the given named values.
    pub fn from_names<K: Into<String>>(values: impl IntoIterator<Item = (K, Value)>) -> Self {
        let named = values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { positional: Vec::new(), named }
    }
}
