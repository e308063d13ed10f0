//! The tables of a store against each other, and the manifests of rounds.

use std::collections::BTreeMap;

use super::names::Listed;
use super::{StoreAudit, TableAudit};
use crate::error::{Error, Result};
use crate::lake::get;
use crate::layout;
use crate::log::TableState;
use crate::round::manifest::Manifest;
use crate::snapshot::behind;

/// Looks at rounds.
pub(super) async fn audit(
    store: &mut StoreAudit<'_>,
    tables: &mut BTreeMap<String, TableAudit>,
    listed: &Listed,
) -> Result<()> {
    let Some(main) = store.specs.first().map(|spec| spec.name) else { return Ok(()) };
    let Some(ledger) = store.specs.last().map(|spec| spec.name) else { return Ok(()) };
    told(store, tables, ledger);
    same_rounds(store, tables, main);
    let newest = tables.get(main).map_or(0, |main| main.log.newest);
    let shown = tables.get(ledger).and_then(|table| table.log.state()).map(TableState::token);
    let mut is_announced = false;
    for path in &listed.manifests {
        let bytes = match get(store.objects, path).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue, // its round ended since it was listed
            Err(error) => {
                is_announced |= layout::manifest_number(path) > shown;
                store.findings.damage(path, error.spelled_out());
                continue;
            }
        };
        let manifest = match Manifest::parse(path.as_ref(), &bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                store.findings.damage(path, error.spelled_out());
                continue;
            }
        };
        if layout::manifest_number(path) != Some(manifest.number) {
            store.findings.damage(path, format!("it is of round {}", manifest.number));
            continue;
        }
        let round = tables.get(main).and_then(|main| main.log.rounds.get(&manifest.number));
        let is_its = round.is_some_and(|(id, _)| *id == Some(manifest.round));
        if is_its && Some(manifest.number) > shown {
            is_announced = true;
            unfinished(store, &manifest, path).await;
        } else if is_its || manifest.number <= newest {
            store.findings.note(path, "it is of a round that is over; vacuum removes it");
        } else {
            store.findings.note(path, "it is of a round that never happened, or is under way");
        }
    }
    if let Some(shown) = shown.filter(|shown| *shown < newest && !is_announced) {
        // Its manifest went with its end, unless somebody took it: the ledger may be there by now.
        let ledger = tables.get(ledger).map(|ledger| ledger.log.log());
        let now = match ledger {
            Some(log) => log.load(None).await.ok().flatten().map_or(shown, |state| state.token()),
            None => shown,
        };
        if now < newest {
            let what = format!("round {newest} is unfinished, and its manifest is missing");
            store.findings.torn(what);
        }
    }
    Ok(())
}

/// What the ledger's last round says of every table.
fn told(store: &mut StoreAudit<'_>, tables: &BTreeMap<String, TableAudit>, ledger: &str) {
    let Some(state) = tables.get(ledger).and_then(|ledger| ledger.log.state()) else {
        if !tables.contains_key(ledger) {
            store.findings.torn("the ledger is missing");
        }
        return;
    };
    for (name, round) in state.tables().into_iter().flatten() {
        match tables.get(name) {
            None => store.findings.torn(format!("table `{name}` is missing")),
            Some(table) => {
                let found = table.log.state().map(TableState::token);
                if let Some(found) = found.filter(|found| found != round) {
                    store.findings.torn(behind(name, found, *round));
                }
            }
        }
    }
}

/// A round has one UUID and one time in all tables, and none that the main table does not have.
fn same_rounds(store: &mut StoreAudit<'_>, tables: &BTreeMap<String, TableAudit>, main: &str) {
    let Some(main_table) = tables.get(main) else { return };
    let rounds = &main_table.log.rounds;
    // A later round began while the tables were read one after the other; that the main table lost
    // its last ones is seen in what the ledger tells.
    let (Some((first, _)), Some((last, _))) = (rounds.first_key_value(), rounds.last_key_value())
    else {
        return;
    };
    for (name, table) in tables.iter().filter(|(name, _)| *name != main) {
        let folder = table.log.log().folder().clone().join(layout::LOG);
        let mut findings = store.findings.table(name);
        for (token, of_table) in table.log.rounds.range(*first..=*last) {
            match rounds.get(token) {
                Some(of_main) if of_main == of_table => {}
                Some(_) => {
                    let what = format!("round {token} is another than that of table `{main}`");
                    findings.damage(&folder, what);
                }
                None => {
                    let what = format!("table `{main}` has no round {token}");
                    findings.damage(&folder, what);
                }
            }
        }
    }
}

/// A round that happened, and that the ledger does not show yet.
async fn unfinished(
    store: &mut StoreAudit<'_>,
    manifest: &Manifest,
    path: &object_store::path::Path,
) {
    for table in &manifest.tables {
        let folder = store.layout.table(store.name, &table.table);
        for add in &table.adds {
            let file = layout::absolute(&folder, &add.path);
            let size = object_store::ObjectStoreExt::head(store.objects, &file).await;
            match size.map(|meta| meta.size) {
                Ok(size) if size == add.size => {}
                Ok(size) => {
                    let what = format!("it has {size} bytes and should have {}", add.size);
                    store.findings.table(&table.table).damage(&file, what);
                }
                Err(object_store::Error::NotFound { .. }) => {
                    let what =
                        format!("round {} is unfinished, and this is missing", manifest.number);
                    store.findings.table(&table.table).damage(&file, what);
                }
                Err(error) => {
                    let error = Error::storage(format!("read `{file}`"), error);
                    store.findings.table(&table.table).damage(&file, error.spelled_out());
                }
            }
        }
    }
    let what = format!("round {} is unfinished; the next ingest completes it", manifest.number);
    store.findings.note(path, what);
}
