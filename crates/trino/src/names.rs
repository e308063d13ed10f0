//! Canonical spellings: Trino's identifiers are case-insensitive, DataFusion's are not.

use std::collections::{BTreeMap, HashMap};

use datafusion::arrow::datatypes::{DataType, Fields};

use crate::functions;

/// Functions that are the engine's own, for did-you-mean: the ones most asked for.
const ENGINE: [&str; 11] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "lower",
    "upper",
    "coalesce",
    "nullif",
    "array_agg",
    "round",
];

/// The canonical spelling of every name a statement may use.
///
/// One lower-case word has one spelling: a second spelling of the same word is refused by
/// [`Names::add`], because a column that is spelled differently could never be reached.
#[derive(Clone, Debug, Default)]
pub struct Names {
    spellings: HashMap<String, String>,
    tables: BTreeMap<String, ()>,
    functions: HashMap<String, String>,
}

impl Names {
    /// Returns the names that are always known: Trino's functions.
    pub fn new() -> Self {
        let functions = functions::names().map(|name| (name.to_lowercase(), name)).collect();
        Self { functions, ..Self::default() }
    }

    /// Adds one name. Returns the spelling already known when it differs from `name`: the caller
    /// must spell the name alike everywhere.
    pub fn add(&mut self, name: &str) -> Option<&str> {
        let known =
            self.spellings.entry(name.to_lowercase()).or_insert_with(|| name.to_owned()).as_str();
        (known != name).then_some(known)
    }

    /// Adds a table (or schema, or catalog) name.
    pub fn add_table(&mut self, name: &str) {
        self.add(name);
        self.tables.insert(name.to_owned(), ());
    }

    /// Adds the names of `fields` and of every field nested in them.
    pub fn add_fields(&mut self, fields: &Fields) {
        for field in fields {
            self.add(field.name());
            self.add_nested(field.data_type());
        }
    }

    fn add_nested(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Struct(fields) => self.add_fields(fields),
            DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => {
                self.add_nested(field.data_type());
            }
            _ => {}
        }
    }

    /// Returns the canonical spelling of `word`, in whatever case it is typed.
    pub fn spelling(&self, word: &str) -> Option<&str> {
        self.spellings.get(&word.to_lowercase()).map(String::as_str)
    }

    /// Returns the registered name of a function, in whatever case it is typed.
    pub fn function(&self, word: &str) -> Option<&str> {
        self.functions.get(&word.to_lowercase()).map(String::as_str)
    }

    /// Returns the known name nearest to `word`: at most a third of its letters differ.
    pub fn nearest(&self, word: &str) -> Option<&str> {
        nearest(word, self.spellings.values().map(String::as_str))
    }

    /// Returns the function name nearest to `word`.
    pub fn nearest_function(&self, word: &str) -> Option<&str> {
        nearest(word, self.functions.values().map(String::as_str).chain(ENGINE))
    }

    /// Returns the table name nearest to `word`.
    pub fn nearest_table(&self, word: &str) -> Option<&str> {
        nearest(word, self.tables.keys().map(String::as_str))
    }
}

/// Returns the candidate with the fewest edits from `word`, ties by name; none when more than a
/// third of the letters would have to change.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let limit = (word.len() / 3).max(1);
    candidates
        .filter_map(|name| {
            let letters: Vec<char> = name.to_lowercase().chars().collect();
            let distance = edit_distance(&word, &letters);
            (distance > 0 && distance <= limit).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance with one row of memory.
pub(crate) fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
