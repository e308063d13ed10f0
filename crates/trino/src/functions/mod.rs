//! Trino's functions, one a file, in families.

mod aggregates;
mod arrays;
mod binary;
mod catalogue;
mod higher;
pub(crate) mod internal;
pub(crate) mod json;
pub(crate) mod maps;
mod math;
pub(crate) mod regex;
mod search;
pub(crate) mod support;
pub(crate) mod text;
pub(crate) mod time;
mod url;

use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF};

/// One function of Trino's.
pub(crate) struct Function {
    /// `maps`, `json`, …: the folder of its file.
    pub(crate) family: &'static str,
    /// How it is called, for the reference.
    pub(crate) syntax: &'static str,
    /// What it returns, its NULLs, errors and ranges.
    pub(crate) doc: &'static str,
    /// The page of Trino's documentation; of our own in docs/ where Trino has no such function.
    pub(crate) url: &'static str,
    pub(crate) udf: ScalarUDF,
}

static ALL: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let families = [
        arrays::functions(),
        binary::functions(),
        json::functions(),
        maps::functions(),
        math::functions(),
        regex::functions(),
        search::functions(),
        text::functions(),
        time::functions(),
        url::functions(),
    ];
    families.into_iter().flatten().collect()
});

/// Returns the functions of this crate in the order of their families.
pub(crate) fn all() -> &'static [Function] {
    &ALL
}

pub use catalogue::reference;
pub use internal::arithmetic::as_operator;
pub use time::unit::unit_micros;

/// Returns the functions that rewrites introduce.
pub(crate) fn internal() -> Vec<ScalarUDF> {
    let mut all = internal::functions();
    all.extend(maps::entries::internal());
    all.extend(aggregates::histograms::internal());
    all
}

/// Returns the names of this crate's functions; not those that only rewrites write.
pub fn names() -> impl Iterator<Item = String> {
    let names = all().iter().flat_map(|function| {
        let aliases = function.udf.aliases().iter().cloned();
        std::iter::once(function.udf.name().to_owned()).chain(aliases)
    });
    names.filter(|name| !name.starts_with('$'))
}

/// Returns a function of this crate by its name.
pub fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    let found = all().iter().find(|function| function.udf.name() == name);
    found.map(|function| Arc::new(function.udf.clone()))
}

/// Returns the functions that take lambdas.
pub(crate) fn higher_order() -> Vec<Arc<HigherOrderUDF>> {
    higher::functions()
}

/// Returns the aggregates of this crate.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    aggregates::functions()
}
