//! The tables of a store of CloudTrail logs.

use traillake_cloudtrail::Kind;
use traillake_store::{Identity, StoreSpec, TableSpec};

/// Identity of a record (docs/format.md): AWS's id alone is not enough, the same event is delivered
/// to several accounts, and copies that were altered on the way keep its id.
const IDENTITY: Identity = Identity {
    columns: ["eventID", "recipientAccountId", "eventTime"],
    fingerprint: "_fingerprint",
};

const SORT: &[&str] = &["eventSource", "eventName", "recipientAccountId", "eventTime"];
const STATISTICS: &[&str] =
    &["eventTime", "eventSource", "eventName", "recipientAccountId", "awsRegion", "readOnly"];
const EVENT_BLOOM: &[&str] = &[
    "eventID",
    "requestID",
    "userIdentity_accessKeyId",
    "sourceIPAddress",
    "userIdentity_principalId",
];

/// Returns the tables of a store: `events` (the main one), `insights`, `aggregated`, `digests`.
///
/// Records are partitioned by the month of their own eventTime, never by the day in the key: of
/// 30,477 real events 205 stand under another day's key. Columns that a kind does not have are
/// left out of its sort order, statistics and filters.
pub fn store_spec() -> StoreSpec {
    StoreSpec {
        records: vec![
            record_table(Kind::Events),
            record_table(Kind::Insights),
            record_table(Kind::Aggregated),
        ],
        plain: vec![TableSpec {
            name: Kind::Digest.table(),
            schema: Kind::Digest.schema(),
            partition: None,
            time_column: None,
            sort: &[],
            bloom: &[],
            stats: &[],
            identity: None,
        }],
    }
}

fn record_table(kind: Kind) -> TableSpec {
    let (bloom, stats) = match kind {
        Kind::Events => (EVENT_BLOOM, STATISTICS),
        Kind::Insights | Kind::Aggregated | Kind::Digest => (&EVENT_BLOOM[..1], &STATISTICS[..5]),
    };
    TableSpec {
        name: kind.table(),
        schema: kind.schema(),
        partition: Some("eventMonth"),
        time_column: Some("eventTime"),
        sort: SORT,
        bloom,
        stats,
        identity: Some(IDENTITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_named_exists() {
        let spec = store_spec();
        for table in spec.records.iter().chain(&spec.plain) {
            let identity = table.identity.iter().flat_map(|identity| {
                identity.columns.into_iter().chain([identity.fingerprint, "_object", "_index"])
            });
            let named = table.sort.iter().chain(table.bloom).chain(table.stats).copied();
            for column in named.chain(table.time_column).chain(identity) {
                assert!(table.schema.field_with_name(column).is_ok(), "{}.{column}", table.name);
            }
        }
    }
}
