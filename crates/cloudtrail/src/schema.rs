//! The physical columns of the record tables.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

/// Kinds of records, each with a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Management, data and network activity events.
    Events,
    /// Insights events.
    Insights,
    /// Five-minute aggregates of data events.
    Aggregated,
    /// Digest files, one row each.
    Digest,
}

impl Kind {
    /// Every kind, in the order of the tables.
    pub const ALL: [Kind; 4] = [Kind::Events, Kind::Insights, Kind::Aggregated, Kind::Digest];

    /// Returns the name of the kind's table.
    pub const fn table(self) -> &'static str {
        match self {
            Kind::Events => "events",
            Kind::Insights => "insights",
            Kind::Aggregated => "aggregated",
            Kind::Digest => "digests",
        }
    }

    /// Returns the physical schema of the kind's table.
    pub fn schema(self) -> SchemaRef {
        match self {
            Kind::Events => events(),
            Kind::Insights => insights(),
            Kind::Aggregated => aggregated(),
            Kind::Digest => digests(),
        }
    }
}

/// Returns the physical schema of `events`.
pub fn events() -> SchemaRef {
    Arc::new(Schema::empty())
}

/// Returns the physical schema of `insights`.
pub fn insights() -> SchemaRef {
    Arc::new(Schema::empty())
}

/// Returns the physical schema of `aggregated`.
pub fn aggregated() -> SchemaRef {
    Arc::new(Schema::empty())
}

/// Returns the physical schema of `digests`.
pub fn digests() -> SchemaRef {
    Arc::new(Schema::empty())
}

/// Returns the names of a table's columns that hold exact JSON text.
pub fn json_columns(kind: Kind) -> &'static [&'static str] {
    let _ = kind;
    &[]
}
