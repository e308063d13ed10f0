//! A store: who it is, its tables, and one consistent state of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use serde_json::json;
use uuid::Uuid;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::history;
use crate::lake::{check_format, get, put_new};
use crate::latest::Latest;
use crate::layout::{self, Layout};
use crate::ledger;
use crate::log::{TableLog, TableState, Tip};
use crate::settings::{self, Settings};
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
    /// What it is set to.
    pub settings: Settings,
}

impl StoreInfo {
    /// The store of that name; none when there is none, or it is still being created. `listed` are
    /// the files beside the folders of stores, where somebody has listed them.
    pub(crate) async fn read(
        objects: &Arc<dyn ObjectStore>,
        layout: &Layout,
        name: &str,
        listed: Option<&[ObjectMeta]>,
    ) -> Result<Option<StoreInfo>> {
        if !layout::is_store_name(name) {
            return Ok(None);
        }
        let path = layout.store_file(name);
        let Some(bytes) = get(objects, &path).await? else { return Ok(None) };
        let info = StoreInfo::parse(path.as_ref(), name, &bytes)?;
        let settings = match listed {
            Some(listed) => settings::newest(objects, name, info.id, listed).await?,
            None => {
                let listed = settings::listed(objects, layout).await?;
                settings::newest(objects, name, info.id, &listed).await?
            }
        };
        Ok(Some(StoreInfo { settings, ..info }))
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
        if let Some(info) = StoreInfo::read(objects, layout, name, None).await? {
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
            "arn": StoreInfo::arn_of(id),
            "created_at": now.to_rfc3339(),
        });
        let created = put_new(objects, &layout.store_file(name), bytes.to_string()).await?;
        let info = StoreInfo::read(objects, layout, name, None).await?;
        let info = info.ok_or_else(|| Error::NoStore { name: name.to_string() })?;
        Ok((info, created))
    }

    /// Refuses a store that is to be deleted.
    pub(crate) fn check_stays(&self) -> Result<()> {
        let name = self.name.clone();
        match &self.settings {
            Settings { removal_began_at: Some(_), .. } => Err(Error::BeingRemoved { name }),
            Settings { deletion_requested_at: Some(_), .. } => Err(Error::PendingDeletion { name }),
            _ => Ok(()),
        }
    }

    /// The ARN-shaped name of the store with this id.
    pub(crate) fn arn_of(id: Uuid) -> String {
        format!("arn:traillake:cloudtrail:local:000000000000:eventdatastore/{id}")
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
        let (name, settings) = (name.to_string(), Settings::default());
        Ok(StoreInfo { name, id: file.id, arn: file.arn, created_at, settings })
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

/// The tables there are in the folder of a store.
pub(crate) async fn table_names(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
    store: &str,
) -> Result<Vec<String>> {
    let folder = layout.store(store);
    let listed = objects.list_with_delimiter(Some(&folder)).await;
    let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
    let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
    let is_table = |name: &&str| ![layout::ROUNDS, layout::EXPIRED].contains(name);
    Ok(names.filter(is_table).map(str::to_owned).collect())
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
    cache: Option<Cache>,
    latest: Latest,
}

impl Store {
    pub(crate) fn new(
        info: StoreInfo,
        layout: Layout,
        objects: Arc<dyn ObjectStore>,
        cache: Option<Cache>,
        latest: Latest,
    ) -> Store {
        Store { info, layout, objects, cache, latest }
    }

    /// Who it is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    pub(crate) fn looks_folder(&self) -> Path {
        self.layout.looks(self.info.id)
    }

    /// Where its files are read.
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Pins one state of the store: the latest, or an older one. Its tables are opened when they are
    /// asked for. A round that another process has begun to commit is not in it before its ledger
    /// is.
    ///
    /// # Errors
    /// [`Error::TooOld`], [`Error::PendingDeletion`]; when the ledger's log cannot be read.
    pub async fn pin(&self, at: Option<At>) -> Result<Pin> {
        self.info.check_stays()?;
        let ledger = self.log(ledger::objects_table().name)?;
        let log = layout::log(ledger.folder());
        if let Some(cache) = &self.cache {
            cache.begin(Some(&log)).await;
        }
        let Some(tip) = self.tip(&ledger, at).await? else {
            return Err(Error::corrupt(format!("store `{}`", self.info.name), "it has no ledger"));
        };
        if let Some(cache) = self.cache.as_ref().filter(|_| at.is_none()) {
            cache.seal(&log, tip.version).await;
        }
        let told = tip.tables.clone();
        let asked = match at {
            Some(At::Time(time)) => Some(time),
            _ => None,
        };
        Ok(Pin { token: tip.token, committed_at: tip.at, asked, told, store: self.clone() })
    }

    async fn tip(&self, ledger: &TableLog, at: Option<At>) -> Result<Option<Arc<Tip>>> {
        let Some(at) = at else { return self.latest.tip(ledger).await };
        let Some(state) = history::ledger_at(ledger, at).await? else { return Ok(None) };
        let at = history::committed_at(ledger, &state).await?;
        let (version, token) = (state.version(), state.token());
        let tables = state.tables().cloned().map(Arc::new);
        Ok(Some(Arc::new(Tip { version, at, token, tables })))
    }

    /// One consistent state of all its tables: the latest, or an older one.
    ///
    /// # Errors
    /// As [`Store::pin`] and [`Pin::open_all`].
    pub async fn snapshot(&self, at: Option<At>) -> Result<StoreSnapshot> {
        self.pin(at).await?.open_all().await
    }

    /// Its tables as this version creates them, without rows. Reads nothing: what statements are
    /// checked against need not be opened.
    ///
    /// # Errors
    /// When `spec` holds a type that the log has no word for.
    pub fn outline(&self, spec: &StoreSpec) -> Result<StoreSnapshot> {
        let outlined = tables(spec).into_iter().map(|table| {
            let state = Arc::new(TableState::created(&table)?);
            Ok(TableSnapshot::new(self.log(table.name)?, state))
        });
        let mut outlined = outlined.collect::<Result<Vec<_>>>()?;
        outlined.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(StoreSnapshot::new(0, None, outlined))
    }

    fn log(&self, table: &str) -> Result<TableLog> {
        let folder = self.layout.table(&self.info.name, table);
        TableLog::new(table, folder, self.objects.clone(), self.info.id)
    }
}

/// One state of a store, its tables not opened yet. Cheap to clone.
#[derive(Clone)]
pub struct Pin {
    /// Number of the last round in it; 0 before the first.
    pub token: i64,
    /// When the ledger's last commit was made.
    pub committed_at: Option<DateTime<Utc>>,
    /// The time it was asked of, where it was: what was removed later is in it.
    asked: Option<DateTime<Utc>>,
    /// The last round of every table, as the ledger tells.
    told: Option<Arc<BTreeMap<String, i64>>>,
    store: Store,
}

impl Pin {
    /// The store it is a state of.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Opens the tables named, each at the pinned round; names that are no table's are passed over.
    ///
    /// # Errors
    /// [`Error::Torn`] when one of them lacks rounds that the ledger tells of; when a log cannot be
    /// read.
    pub async fn open(&self, names: &BTreeSet<String>) -> Result<StoreSnapshot> {
        let opened = self.try_open(names).await;
        let Some(cache) = &self.store.cache else { return opened };
        match opened {
            // What is remembered may be of a lake that is no more: what the bucket says counts.
            Err(_) if cache.forget() => self.try_open(names).await,
            opened => opened,
        }
    }

    async fn try_open(&self, names: &BTreeSet<String>) -> Result<StoreSnapshot> {
        let opened = names.iter().map(|name| async move {
            let log = self.store.log(name)?;
            let latest = self.store.latest.state(&log).await?;
            let Some(mut state) = history::not_after(&log, latest, self.token).await? else {
                return Ok(None);
            };
            if let Some(time) = self.asked {
                state = history::before_removals(&log, state, time).await?;
            }
            Ok::<_, Error>(Some(TableSnapshot::new(log, state)))
        });
        let tables: Vec<TableSnapshot> =
            try_join_all(opened).await?.into_iter().flatten().collect();
        let torn = |reason| Error::Torn { store: self.store.info.name.clone(), reason };
        let told = self.told.iter().flat_map(|told| told.keys());
        for name in told.filter(|name| names.contains(*name)) {
            if !tables.iter().any(|table| table.name() == name) {
                return Err(torn(format!("table `{name}` is missing")));
            }
        }
        snapshot::check_rounds(self.told.as_deref(), &tables).map_err(torn)?;
        Ok(StoreSnapshot::new(self.token, self.committed_at, tables))
    }

    /// Opens every table.
    ///
    /// # Errors
    /// As [`Pin::open`]; also when a table that the ledger tells of is missing.
    pub async fn open_all(&self) -> Result<StoreSnapshot> {
        let mut names: BTreeSet<String> =
            table_names(&self.store.objects, &self.store.layout, &self.store.info.name)
                .await?
                .into_iter()
                .collect();
        names.extend(self.told.iter().flat_map(|told| told.keys().cloned()));
        self.open(&names).await
    }
}
