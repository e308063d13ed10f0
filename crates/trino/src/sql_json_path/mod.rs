//! The path language of SQL/JSON (`lax $.items[*]?(@.size > 10).name`), which `json_exists`,
//! `json_value` and `json_query` take:
//! <https://trino.io/docs/current/functions/json.html#json-path-language>.

mod evaluate;
mod read;

pub(crate) use evaluate::{Fault, Item};

/// A path, read.
#[derive(Clone, Debug)]
pub(crate) struct SqlJsonPath {
    strict: bool,
    root: Path,
}

/// An expression that gives a sequence of items.
#[derive(Clone, Debug)]
enum Path {
    /// `$`
    Context,
    /// `@`
    Current,
    /// `$name`
    Variable(String),
    /// `last`
    Last,
    /// JSON text.
    Literal(String),
    Negative(Box<Path>),
    Arithmetic(char, Box<Path>, Box<Path>),
    Member(Box<Path>, String),
    AnyMember(Box<Path>),
    Descendants(Box<Path>, String),
    Elements(Box<Path>, Vec<(Path, Option<Path>)>),
    AnyElement(Box<Path>),
    Filter(Box<Path>, Box<Predicate>),
    Method(Box<Path>, Method),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Abs,
    Ceiling,
    Double,
    Floor,
    KeyValue,
    Size,
    Type,
}

/// A condition on an item: true, false or unknown.
#[derive(Clone, Debug)]
enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    IsUnknown(Box<Predicate>),
    Exists(Path),
    Compare(Comparison, Path, Path),
    StartsWith(Path, Path),
    LikeRegex(Path, regex::Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
