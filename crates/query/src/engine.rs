//! One statement, from its text to a stream of batches.
//!
//! Text → `trino::parse` → names resolved, snapshots pinned → logical plan → gate → late columns
//! packed → optimized → physical plan → batches, each brought to its final form as it leaves.

mod prepare;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::FieldRef;
use chrono::{DateTime, Utc};
use datafusion::execution::session_state::SessionState;
use tokio::time::Instant;
use traillake_store::{Lake, Pin as StorePin, Store, StoreInfo, Traffic};
use traillake_trino::{Names, Parameters, TableName};

pub(crate) use self::prepare::{Prepared, What};
use crate::answer::Answer;
use crate::directory::{Directory, Table};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::options::{EngineOptions, Lookup, QueryLimits, SystemTable, names_of};
use crate::pins::Pin;
use crate::planning::planned_aside;
use crate::resolve::{Resolved, SYSTEM_TABLES, parts_of};
use crate::run;
use crate::{resolve, runtime, show};

/// Answers statements about one lake. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) lake: Lake,
    pub(crate) options: EngineOptions,
    stores: Arc<[StoreInfo]>,
    /// The only stores that may be asked; none: all.
    visible: Option<Vec<String>>,
    lookups: Arc<[Lookup]>,
    lookup_names: Vec<String>,
    /// Names of the tables of `system`.
    system_names: Vec<&'static str>,
    aliases: Vec<(Vec<String>, Resolved)>,
    state: SessionState,
    names: Arc<Names>,
    directory: Directory,
    /// What [`Engine::new`] pinned, for a query that follows at once.
    fresh: Mutex<Option<(Instant, StorePin)>>,
    /// Requests to a bucket that opening the lake took, for the query that follows.
    opening: AtomicU64,
}

/// The stores of a lake, and which of them may be asked (none: all).
struct Among {
    stores: Arc<[StoreInfo]>,
    visible: Option<Vec<String>>,
}

/// The session that a statement is asked in.
struct Present {
    now: DateTime<Utc>,
    /// As [`QueryLimits::schema`].
    schema: Option<String>,
}

/// For so long the state that an engine was made on counts as the latest.
const FRESH: Duration = Duration::from_millis(500);

impl Engine {
    /// Returns an engine on `lake`.
    ///
    /// # Errors
    /// When the store does not exist or cannot be read; when a table handed in or a further name
    /// cannot be used.
    pub async fn new(lake: Lake, options: EngineOptions) -> Result<Engine> {
        let stores: Arc<[StoreInfo]> = lake.known_stores().await?.into();
        let store = match stores.iter().find(|info| info.name == options.store) {
            Some(info) => lake.store_of(info.clone()),
            None => lake.store(&options.store).await?,
        };
        let inside = |error| Error::Fault { detail: format!("{error}") };
        let state = runtime::state(&options, &store).map_err(inside)?;
        let among = Among { stores, visible: None };
        Engine::over(lake, options, among, store, state).await
    }

    async fn over(
        lake: Lake,
        options: EngineOptions,
        among: Among,
        store: Store,
        state: SessionState,
    ) -> Result<Engine> {
        let Among { stores, visible } = among;
        let pin = store.pin(options.at).await?;
        let outline = match &options.outline {
            Some(spec) => store.outline(spec)?,
            None => pin.open_all().await?,
        };
        let lookups: Arc<[Lookup]> = options.lookups.clone().into();
        let lookup_names = names_of(&lookups)?;
        let handed = options.system_tables.iter().map(|table| table.name());
        let system_names = SYSTEM_TABLES.iter().copied().chain(handed).collect();
        let requests = lake.traffic().map_or(0, Traffic::requests);
        let mut inner = Inner {
            lake,
            options,
            stores,
            visible,
            lookups,
            lookup_names,
            system_names,
            aliases: Vec::new(),
            state,
            names: Arc::default(),
            directory: Directory::default(),
            fresh: Mutex::new(Some((Instant::now(), pin))),
            opening: AtomicU64::new(requests),
        };
        let outline = Pin { info: store.info().clone(), snapshot: outline };
        let directory =
            inner.read_directory(outline).await.map_err(|error| inner.words("").error(error))?;
        inner.names = Arc::new(inner.spellings(&directory));
        inner.directory = directory;
        inner.aliases = resolve::aliases(&inner.resolver(), &inner.options.aliases)?;
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// Returns an engine on another store of the same lake, as it is now: the stores are listed
    /// again. Of stores that are not among `visible`, nothing can be asked; `system` has the tables
    /// `system_tables` too. The two engines share one memory limit and what they keep in memory.
    ///
    /// # Errors
    /// As [`Engine::new`]; [`traillake_store::Error::NoStore`] too for a store that is not visible.
    pub async fn of_store(
        &self,
        store: &str,
        visible: Option<&[String]>,
        system_tables: Vec<Arc<dyn SystemTable>>,
    ) -> Result<Engine> {
        let store = store.to_string();
        let options = EngineOptions { store, system_tables, ..self.inner.options.clone() };
        self.again(options, visible.map(<[String]>::to_vec)).await
    }

    /// Returns the stores of the lake as of now, or those of them that are among `visible`.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub async fn list_stores(&self, visible: Option<&[String]>) -> Result<Vec<StoreInfo>> {
        let mut stores = self.inner.lake.known_stores().await?;
        stores.retain(|info| visible.is_none_or(|visible| visible.contains(&info.name)));
        Ok(stores)
    }

    /// Forgets what is remembered of a lake in a bucket: the next look asks the bucket.
    pub fn forget(&self) {
        self.inner.lake.forget();
    }

    /// An engine with other options on the same memory.
    async fn again(&self, options: EngineOptions, visible: Option<Vec<String>>) -> Result<Engine> {
        let lake = self.inner.lake.clone();
        let stores = self.list_stores(visible.as_deref()).await?;
        let found = stores.iter().find(|info| info.name == options.store).cloned();
        let name = options.store.clone();
        let info = found.ok_or(traillake_store::Error::NoStore { name })?;
        let (store, state) = (lake.store_of(info), self.inner.state.clone());
        let among = Among { stores: stores.into(), visible };
        Engine::over(lake, options, among, store, state).await
    }

    /// Returns the answer to one statement, which may only read.
    ///
    /// # Errors
    /// What is wrong with the statement, a limit that is hit, a lake that cannot be read. Errors of
    /// later batches come with the stream.
    pub async fn query(&self, sql: &str, parameters: &Parameters) -> Result<Answer> {
        self.query_within(sql, parameters, self.limits()).await
    }

    /// Like [`Engine::query`], with limits and a present of the statement's own: what a process that
    /// lives long asks with.
    ///
    /// # Errors
    /// As [`Engine::query`].
    pub async fn query_within(
        &self,
        sql: &str,
        parameters: &Parameters,
        within: QueryLimits,
    ) -> Result<Answer> {
        if names_stores(sql) && self.inner.lake.forget() {
            return self.whole().await?.answer(sql, parameters, within).await;
        }
        match self.answer(sql, parameters, within.clone()).await {
            // Another version may have made tables with more columns, and stores may be new.
            Err(error) if error.is_unknown_name() && self.may_know_less() => {
                self.whole().await?.answer(sql, parameters, within).await
            }
            // A database that is not there stands for the session's store; it may be a new store.
            Ok(answer) if answer.was_read_otherwise() && self.inner.lake.forget() => {
                self.whole().await?.answer(sql, parameters, within).await
            }
            answer => answer,
        }
    }

    /// Whether the lake may hold names that this engine has not read.
    fn may_know_less(&self) -> bool {
        self.inner.lake.forget() || self.inner.options.outline.is_some()
    }

    /// An engine that has read everything there is, of the stores that this one may see.
    async fn whole(&self) -> Result<Engine> {
        let options = EngineOptions { outline: None, ..self.inner.options.clone() };
        self.again(options, self.inner.visible.clone()).await
    }

    async fn answer(
        &self,
        sql: &str,
        parameters: &Parameters,
        within: QueryLimits,
    ) -> Result<Answer> {
        let mut limits = Limits::start(within.rows_max, within.timeout);
        let (inner, sql, parameters) = self.asked(sql, parameters);
        let present = Present { now: within.now, schema: within.schema };
        let planning = planned_aside(within.turn, async move {
            let prepared = inner.prepare(&sql, &parameters, present).await?;
            run::plan(prepared).await
        });
        let planned = limits.within(planning).await???;
        run::run(planned, limits).await
    }

    /// Says whether a statement can be run, without running it; `within` has the present it would be
    /// run in. Returns the stores it would read, the session's first.
    ///
    /// # Errors
    /// What is wrong with the statement, a lake that cannot be read, too long a time.
    pub async fn check(
        &self,
        sql: &str,
        parameters: &Parameters,
        within: QueryLimits,
    ) -> Result<Vec<String>> {
        let mut limits = Limits::start(within.rows_max, within.timeout);
        let (inner, sql, parameters) = self.asked(sql, parameters);
        let present = Present { now: within.now, schema: within.schema };
        let checking = planned_aside(within.turn, async move {
            let prepared = inner.prepare(&sql, &parameters, present).await?;
            run::check(&prepared)?;
            Ok(prepared.snapshots.into_iter().map(|snapshot| snapshot.store).collect())
        });
        limits.within(checking).await??
    }

    /// What a thread of its own takes along.
    fn asked(&self, sql: &str, parameters: &Parameters) -> (Arc<Inner>, String, Parameters) {
        (Arc::clone(&self.inner), sql.to_owned(), parameters.clone())
    }

    /// The limits that [`Engine::query`] asks within.
    pub fn limits(&self) -> QueryLimits {
        let EngineOptions { now, timeout, rows_max, .. } = self.inner.options;
        QueryLimits { now, timeout, rows_max, schema: None, turn: None }
    }

    /// The stores that can be asked.
    pub fn stores(&self) -> &[StoreInfo] {
        &self.inner.stores
    }

    /// Returns the names of the tables: bare in the session's store, else with their schema.
    pub fn tables(&self) -> Vec<String> {
        let own = &self.inner.options.store;
        let name = |table: &Table| match table.schema == *own {
            true => table.name.clone(),
            false => format!("{}.{}", table.schema, table.name),
        };
        self.inner.directory.tables().map(name).collect()
    }

    /// Returns the columns of a table with the names of their types, hidden ones last.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn describe(&self, table: &str) -> Result<Vec<(String, String)>> {
        let found = self.entry(table)?;
        let fields = found.columns.fields().iter().chain(found.hidden_columns.fields());
        Ok(fields.map(described).collect())
    }

    /// Returns the columns that `*` stands for, with the names of their types.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn columns(&self, table: &str) -> Result<Vec<(String, String)>> {
        Ok(self.entry(table)?.columns.fields().iter().map(described).collect())
    }

    fn entry(&self, table: &str) -> Result<&Table> {
        let name =
            TableName { parts: parts_of(table), line: 1, column: 1, length: table.chars().count() };
        let found = show::directory_entry(&name, &self.inner.directory, &self.inner.resolver());
        found.map_err(|error| Error::sql(error, table))
    }
}

fn described(field: &FieldRef) -> (String, String) {
    (field.name().clone(), traillake_trino::type_names::trino_type(field))
}

/// Whether a statement may ask which stores there are.
fn names_stores(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    ["show", "stores", "information_schema"].iter().any(|word| sql.contains(word))
}
