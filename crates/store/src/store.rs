//! A store: who it is, its tables, and one consistent state of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::ObjectStore;
use serde_json::json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::history;
use crate::lake::{check_format, get, put_new};
use crate::layout::{self, Layout};
use crate::ledger;
use crate::log::TableLog;
use crate::snapshot::{self, At, StoreSnapshot, TableSnapshot};
use crate::spec::{StoreSpec, TableSpec};

/// Who a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its name, also its folder.
    pub name: String,
    /// Its identity, also the application id of its commits.
    pub id: Uuid,
    /// An ARN-shaped name.
    pub arn: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl StoreInfo {
    /// The store of that name; none when there is none, or it is still being created.
    pub(crate) async fn read(
        objects: &Arc<dyn ObjectStore>,
        layout: &Layout,
        name: &str,
    ) -> Result<Option<StoreInfo>> {
        if !layout::is_store_name(name) {
            return Ok(None);
        }
        let path = layout.store_file(name);
        match get(objects, &path).await? {
            Some(bytes) => StoreInfo::parse(path.as_ref(), name, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Creates what is missing of a store, its file last: a store that can be seen is whole.
    /// Whether it was this call that made it.
    pub(crate) async fn create(
        objects: &Arc<dyn ObjectStore>,
        layout: &Layout,
        name: &str,
        spec: &StoreSpec,
        now: DateTime<Utc>,
    ) -> Result<(StoreInfo, bool)> {
        if !layout::is_store_name(name) {
            return Err(Error::StoreName { name: name.to_string() });
        }
        if let Some(info) = StoreInfo::read(objects, layout, name).await? {
            return Ok((info, false));
        }
        let id = match rounds_of(objects, layout, name, spec).await? {
            Some(id) => id,
            None => Uuid::new_v4(),
        };
        for table in tables(spec) {
            let folder = layout.table(name, table.name);
            TableLog::new(table.name, folder, objects.clone(), id)?.create(&table, now).await?;
        }
        let bytes = json!({
            "format": layout::FORMAT,
            "name": name,
            "id": id,
            "arn": format!("arn:traillake:cloudtrail:local:000000000000:eventdatastore/{id}"),
            "created_at": now.to_rfc3339(),
        });
        let created = put_new(objects, &layout.store_file(name), bytes.to_string()).await?;
        let info = StoreInfo::read(objects, layout, name).await?;
        let info = info.ok_or_else(|| Error::NoStore { name: name.to_string() })?;
        Ok((info, created))
    }

    fn parse(path: &str, name: &str, bytes: &[u8]) -> Result<StoreInfo> {
        #[derive(serde::Deserialize)]
        struct StoreFile {
            id: Uuid,
            arn: String,
            created_at: String,
        }
        check_format(path, bytes)?;
        let damaged = |reason: String| Error::corrupt(format!("`{path}`"), reason);
        let file: StoreFile =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let created_at = DateTime::parse_from_rfc3339(&file.created_at)
            .map_err(|error| damaged(error.to_string()))?
            .to_utc();
        Ok(StoreInfo { name: name.to_string(), id: file.id, arn: file.arn, created_at })
    }
}

/// The id of a store whose file is gone though its tables are there: rounds carry it, and under
/// another id none of them would be known. None when there are no rounds.
async fn rounds_of(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
    name: &str,
    spec: &StoreSpec,
) -> Result<Option<Uuid>> {
    let Some(main) = spec.records.first() else { return Ok(None) };
    let folder = layout.table(name, main.name);
    TableLog::new(main.name, folder, objects.clone(), Uuid::nil())?.store_id().await
}

/// All tables of a store in the order of a round's commits: the main one first, whose commit is the
/// round's; the ledger last, so that whoever sees a token in the ledger finds it everywhere.
pub(crate) fn tables(spec: &StoreSpec) -> Vec<TableSpec> {
    let mut tables = spec.records.clone();
    tables.extend(spec.plain.iter().cloned());
    tables.extend(ledger::variants_table(spec));
    tables.extend([ledger::rejects_table(), ledger::objects_table()]);
    tables
}

/// A store, open for reading. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    info: StoreInfo,
    layout: Layout,
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    pub(crate) fn new(info: StoreInfo, layout: Layout, objects: Arc<dyn ObjectStore>) -> Store {
        Store { info, layout, objects }
    }

    /// Who it is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// One consistent state of all its tables: the latest, or an older one. A round that another
    /// process has begun to commit is not in it before its ledger is.
    ///
    /// # Errors
    /// [`Error::TooOld`]; when the log cannot be read.
    pub async fn snapshot(&self, at: Option<At>) -> Result<StoreSnapshot> {
        let ledger = self.log(ledger::objects_table().name)?;
        let state = match at {
            None => ledger.load(None).await?,
            Some(at) => history::ledger_at(&ledger, at).await?,
        };
        let Some(state) = state else {
            return Err(Error::corrupt(format!("store `{}`", self.info.name), "it has no ledger"));
        };
        let token = state.token();
        let committed_at = history::committed_at(&ledger, &state).await?;
        let others = self.other_tables().await?;
        let others = others.iter().map(|log| async move {
            let state = history::at_token(log, token).await?;
            Ok::<_, Error>(state.map(|state| TableSnapshot::new(log.clone(), Arc::new(state))))
        });
        let mut tables: Vec<TableSnapshot> =
            try_join_all(others).await?.into_iter().flatten().collect();
        let ledger = TableSnapshot::new(ledger, Arc::new(state));
        let torn = |reason| Error::Torn { store: self.info.name.clone(), reason };
        let told = ledger.state().clone();
        tables.push(ledger);
        for name in told.tables().into_iter().flat_map(BTreeMap::keys) {
            if !tables.iter().any(|table| table.name() == name) {
                return Err(torn(format!("table `{name}` is missing")));
            }
        }
        snapshot::check_rounds(&told, &tables).map_err(torn)?;
        tables.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(StoreSnapshot::new(token, committed_at, tables))
    }

    async fn other_tables(&self) -> Result<Vec<TableLog>> {
        let folder = self.layout.store(&self.info.name);
        let listed = self.objects.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
        let tables =
            names.filter(|name| *name != layout::ROUNDS && *name != ledger::objects_table().name);
        tables.map(|name| self.log(name)).collect()
    }

    fn log(&self, table: &str) -> Result<TableLog> {
        let folder = self.layout.table(&self.info.name, table);
        TableLog::new(table, folder, self.objects.clone(), self.info.id)
    }
}
