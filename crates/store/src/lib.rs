//! Here are rows; keep them; show me one consistent list of files.
//!
//! A *lake* is a folder or bucket prefix with one or more *stores*. A store is a set of Delta tables
//! that move together: the record tables, the *ledger* (`objects`, one row per source object),
//! `variants` and `rejects`. Rows enter in *rounds*; the commit of the main table is the one point
//! at which a round happens, and every other table follows under the same token.
//!
//! The crate knows no CloudTrail words and no SQL: what a record is arrives as a [`StoreSpec`],
//! how two records compare as a [`Content`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod input;
mod spec;

mod layout;

mod bucket;
mod cache;
mod deletion;
mod durable;
mod expire;
mod history;
mod lake;
mod latest;
mod log;
mod looks;
mod rewrite;
mod round;
mod settings;
mod snapshot;
mod sources;
mod store;
mod upkeep;
mod vacuum;

mod audit;

mod data_file;
mod duplicates;
mod keys;
mod ledger;

mod error;
mod refusal;

pub use audit::{Audit, AuditOptions, Finding, Grade, Proof};
pub use cache::{CacheOptions, Traffic};
pub use durable::{Fsync, RealFsync};
pub use error::{Error, ErrorKind, Result};
pub use expire::{DueExpiry, Expired, Expiry, Held, TableExpiry, Tombstone, TombstoneFile};
pub use input::{
    Comparison, Content, Counts, KnownObject, ObjectRow, ObjectState, PartRows, RejectRow,
    RoundInput, RoundPart, RoundReceipt, SpilledPart,
};
pub use lake::{Lake, OpenOptions, Wrap};
pub use layout::FORMAT;
pub use looks::Look;
pub use refusal::{Attempt, Refusal, path_of_profile, spelled_out};
pub use round::{Mark, Step, StepHook, StoreWriter};
pub use settings::{DELETION_WAITS, RETENTION_DAYS_MIN, Settings};
pub use snapshot::{At, ColumnStats, LiveFile, ScalarStat, StoreSnapshot, TableSnapshot};
pub use spec::{INDEX, Identity, OBJECT, StoreSpec, TableSpec};
pub use store::{Pin, Store, StoreInfo};
pub use upkeep::{TableUpkeep, UpkeepOptions, UpkeepReport};
pub use vacuum::Orphan;
