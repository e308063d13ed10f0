//! What the ledger of a store says, summed up.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use traillake_store::StoreSnapshot;

use super::table_rows;

/// The ledger, summed up.
#[derive(Debug, Default)]
pub struct Ledger {
    pub keys: Vec<String>,
    pub ids: Vec<i64>,
    pub read: usize,
    pub records: i64,
    pub settled: i64,
    pub stored: i64,
    pub duplicates: i64,
    pub respelled: i64,
    pub variants: i64,
    pub rejects: i64,
}

impl Ledger {
    pub async fn of(snapshot: &StoreSnapshot) -> Ledger {
        let mut ledger = Ledger::default();
        for batch in table_rows(snapshot.table("objects").unwrap()).await {
            let text = |name| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let (prefixes, keys, states) = (text("key_prefix"), text("logical_key"), text("state"));
            for row in 0..batch.num_rows() {
                ledger.keys.push(format!("{}{}", prefixes.value(row), keys.value(row)));
                ledger.read += usize::from(states.value(row) != "copy");
            }
            let ints =
                |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
            ledger.ids.extend(ints("object_id").values());
            let sum = |name| ints(name).values().iter().sum::<i64>();
            ledger.records += sum("records");
            for (name, total) in [
                ("stored", &mut ledger.stored),
                ("duplicates", &mut ledger.duplicates),
                ("respelled", &mut ledger.respelled),
                ("variants", &mut ledger.variants),
                ("rejects", &mut ledger.rejects),
            ] {
                *total += sum(name);
                ledger.settled += sum(name);
            }
        }
        ledger
    }
}
