//! A statement, from its text to a plan that can run: names resolved, snapshots pinned, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono::{DateTime, Utc};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use traillake_store::{Pin as StorePin, StoreInfo, Traffic};
use traillake_trino::{Names, Parameters, Parsed, SqlError, StatementKind};

use super::{FRESH, Inner, Present};
use crate::answer::{Notes, SnapshotName};
use crate::directory::{Directory, Table};
use crate::error::{Error, InOurWords, Result};
use crate::meter::Meter;
use crate::notes::{Note, NoteKind};
use crate::pins::{Pin, Pins, read_by};
use crate::resolve::{
    CATALOG, INFORMATION_SCHEMA, INFORMATION_TABLES, Resolved, Resolver, STORE_TABLES, SYSTEM,
    parts_of, schema_without_store,
};
use crate::run::Run;
use crate::scan::ScanLog;
use crate::{definitions, explain, gate, hidden, late, mentions, show, size, stored_ranges, views};

/// A statement ready to run.
pub(crate) struct Prepared {
    pub(crate) what: What,
    pub(crate) state: SessionState,
    pub(crate) pins: Arc<Pins>,
    pub(crate) snapshots: Vec<SnapshotName>,
    pub(crate) notes: Notes,
    pub(crate) words: InOurWords,
}

/// What a statement asks for.
pub(crate) enum What {
    /// Rows that are known already.
    Rows(RecordBatch),
    /// The rows of a plan, or how it would be run.
    Plan(Box<Run>),
}

impl Inner {
    /// Everything up to the logical plan.
    pub(super) async fn prepare(
        &self,
        sql: &str,
        parameters: &Parameters,
        present: Present,
    ) -> Result<Prepared> {
        let words = self.words(sql);
        let wrong = |error: SqlError| Error::sql(error, sql);
        let schema = present.schema.as_deref().and_then(schema_without_store);
        let resolver = Resolver { schema, ..self.resolver() };
        if let Some(note) = definitions::answered(sql, &resolver) {
            let note = note.map_err(wrong)?;
            let pins = Arc::new(self.pin(&BTreeSet::new(), Vec::new()).await?);
            let what = What::Rows(definitions::no_rows());
            return Ok(self.prepared(what, self.state.clone(), pins, vec![note], words));
        }
        let mut parsed = traillake_trino::parse(sql, &self.names).map_err(wrong)?;
        parsed.bind(parameters).map_err(wrong)?;
        let mut notes: Vec<Note> =
            parsed.notes.iter().map(|text| Note::new(NoteKind::Accepted, text)).collect();
        let tables = resolve(&resolver, &mut parsed, &mut notes).map_err(wrong)?;
        notes.extend(self.restriction(&tables));
        let pins = Arc::new(self.pin(&tables, views::mentioned(sql)).await?);
        let what = match parsed.kind {
            StatementKind::Show | StatementKind::Describe => {
                let statement = tree(&parsed.statement);
                let rows = statement.map(|tree| show::answer(tree, &self.directory, &resolver));
                What::Rows(rows.unwrap_or_else(|| Err(unreadable())).map_err(wrong)?)
            }
            _ => {
                hidden::exclude(&mut parsed.statement, &pins.hidden);
                mentions::name_events(&mut parsed.statement).map_err(wrong)?;
                let state = self.session(&pins, &tables, present.now).await;
                let state = state.map_err(|e| words.error(e))?;
                let validates = parsed.kind == StatementKind::Validate;
                let run = self.plan(&state, parsed, &tables, &words).await?;
                let what = match validates {
                    true => What::Rows(validated(&run, &state).map_err(|e| words.error(e))?),
                    false => What::Plan(Box::new(run)),
                };
                return Ok(self.prepared(what, state, pins, notes, words));
            }
        };
        Ok(self.prepared(what, self.state.clone(), pins, notes, words))
    }

    fn prepared(
        &self,
        what: What,
        state: SessionState,
        pins: Arc<Pins>,
        notes: Vec<Note>,
        words: InOurWords,
    ) -> Prepared {
        let own = pins.stores.get(&pins.store);
        let others = pins.stores.values().filter(|pin| pin.info.name != pins.store);
        let snapshots = own.into_iter().chain(others).map(|pin| SnapshotName {
            store: pin.info.name.clone(),
            token: pin.snapshot.token,
            committed_at: pin.snapshot.committed_at,
        });
        let snapshots = snapshots.collect();
        Prepared { what, state, pins, snapshots, notes: Arc::new(Mutex::new(notes)), words }
    }

    async fn plan(
        &self,
        state: &SessionState,
        parsed: Parsed,
        tables: &BTreeSet<Resolved>,
        words: &InOurWords,
    ) -> Result<Run> {
        size::check_statement(&parsed.statement).map_err(|error| Error::sql(error, &words.sql))?;
        let statement = parsed.statement.clone();
        let planned = state.statement_to_plan(statement).await.map_err(|e| words.error(e))?;
        // Whatever walks the whole plan comes after its size.
        size::check(&planned).map_err(|error| Error::sql(error, &words.sql))?;
        gate::check(&planned).map_err(|error| Error::sql(error, &words.sql))?;
        let (plan, analyze) = match (planned, parsed.kind) {
            (LogicalPlan::Explain(inner), StatementKind::Explain { analyze }) => {
                (Arc::unwrap_or_clone(inner.plan), Some(analyze))
            }
            (LogicalPlan::Analyze(inner), StatementKind::Explain { analyze }) => {
                (Arc::unwrap_or_clone(inner.input), Some(analyze))
            }
            (plan, _) => (plan, None),
        };
        let headers = parsed.headers(&columns_of_star(plan.schema().as_arrow(), tables));
        let (plan, late) = late::defer(plan).map_err(|e| words.error(e))?;
        let plan = match tables.iter().any(|table| table.table == views::ATHENA) {
            true => views::day_spelling::with_slashes(plan).and_then(stored_ranges::read_times),
            false => Ok(plan),
        };
        let plan = plan.map_err(|e| words.error(e))?;
        Ok(Run { plan, late, headers, explain: analyze })
    }

    pub(crate) fn resolver(&self) -> Resolver<'_> {
        Resolver {
            store: &self.options.store,
            schema: None,
            stores: &self.stores,
            lookups: &self.lookup_names,
            system: &self.system_names,
            aliases: &self.aliases,
            names: &self.names,
        }
    }

    /// The note that `--since` and `--until` narrow what the statement reads.
    fn restriction(&self, tables: &BTreeSet<Resolved>) -> Option<Note> {
        let reads_records =
            tables.iter().any(|table| views::is_record_table(&table.table) || is_about_days(table));
        let day = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
        let range = match (self.options.since, self.options.until) {
            (Some(since), Some(until)) => format!("from {} until {}", day(since), day(until)),
            (Some(since), None) => format!("from {} on", day(since)),
            (None, Some(until)) => format!("until {}", day(until)),
            (None, None) => return None,
        };
        let text = format!("only events {range} are read, as `--since` and `--until` ask");
        reads_records.then(|| Note::new(NoteKind::Restricted, text))
    }

    /// Pins the session's store and every other store that `tables` are in.
    async fn pin(&self, tables: &BTreeSet<Resolved>, hidden: Vec<&'static str>) -> Result<Pins> {
        let own = std::iter::once(self.options.store.as_str());
        let named = tables.iter().map(|table| table.schema.as_str());
        let wanted: BTreeSet<&str> = own
            .chain(named.filter(|schema| ![SYSTEM, INFORMATION_SCHEMA].contains(schema)))
            .collect();
        let before = self.lake.traffic().map_or(0, Traffic::requests);
        let mut stores = BTreeMap::new();
        for store in wanted {
            let pin = match self.fresh_pin(store) {
                Some(pin) => pin,
                None => self.lake.store(store).await?.pin(self.options.at).await?,
            };
            let snapshot = match self.read_of(store, tables, &hidden) {
                Some(names) => pin.open(&names).await?,
                None => pin.open_all().await?,
            };
            let info = pin.store().info().clone();
            stores.insert(store.to_string(), Pin { info, snapshot });
        }
        let after = self.lake.traffic().map_or(0, Traffic::requests);
        let pins = self.pins(stores, hidden);
        pins.meter.opened(self.opening.swap(0, Ordering::Relaxed) + after - before);
        Ok(pins)
    }

    /// The physical tables of `store` that a statement about `tables` reads; none: all.
    fn read_of(
        &self,
        store: &str,
        tables: &BTreeSet<Resolved>,
        hidden: &[&'static str],
    ) -> Option<BTreeSet<String>> {
        let is_own = store == self.options.store;
        let named = tables.iter().filter(|table| {
            table.schema == store
                || is_own && [SYSTEM, INFORMATION_SCHEMA].contains(&&*table.schema)
        });
        let mut names = BTreeSet::new();
        for table in named {
            let read = read_by(&table.schema, &table.table, hidden)?;
            names.extend(read.into_iter().map(str::to_string));
        }
        Some(names)
    }

    /// A command that asks one question need not read the logs twice.
    fn fresh_pin(&self, store: &str) -> Option<StorePin> {
        let (at, pin) = self.fresh.lock().ok()?.take()?;
        (at.elapsed() < FRESH && pin.store().info().name == store).then_some(pin)
    }

    fn pins(&self, stores: BTreeMap<String, Pin>, hidden: Vec<&'static str>) -> Pins {
        Pins {
            lake: self.lake.clone(),
            store: self.options.store.clone(),
            stores,
            all_stores: Arc::clone(&self.stores),
            looks: self.options.looks.clone(),
            lookups: Arc::clone(&self.lookups),
            system_tables: self.options.system_tables.clone(),
            rebuild: Arc::clone(&self.options.rebuild),
            since: self.options.since,
            until: self.options.until,
            hidden,
            without_files: false,
            meter: Arc::new(Meter::new(self.lake.traffic().is_some())),
            scans: ScanLog::default(),
        }
    }

    /// The session of one query: it knows the tables the statement names, and no other.
    async fn session(
        &self,
        pins: &Pins,
        tables: &BTreeSet<Resolved>,
        now: DateTime<Utc>,
    ) -> std::result::Result<SessionState, DataFusionError> {
        let catalog = Arc::new(MemoryCatalogProvider::new());
        for table in tables {
            let schema = match catalog.schema(&table.schema) {
                Some(schema) => schema,
                None => {
                    let schema = Arc::new(MemorySchemaProvider::new());
                    let known = Arc::clone(&schema) as Arc<dyn SchemaProvider>;
                    catalog.register_schema(&table.schema, known)?;
                    schema
                }
            };
            let provider = pins.table(table, &self.directory).await?;
            schema.register_table(table.table.clone(), provider)?;
        }
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_string(), catalog);
        let builder = SessionStateBuilder::new_from_existing(self.state.clone());
        let mut state = builder.with_catalog_list(Arc::new(catalogs)).build();
        state.execution_props_mut().query_execution_start_time = Some(now);
        Ok(state)
    }

    /// All schemas with their tables. Every store has the same ones.
    pub(super) async fn read_directory(
        &self,
        pin: Pin,
    ) -> std::result::Result<Directory, DataFusionError> {
        let own = self.options.store.clone();
        let stores = BTreeMap::from([(own.clone(), pin)]);
        let bare = Pins { without_files: true, ..self.pins(stores, Vec::new()) };
        let none = Directory::default();
        let mut tables = Vec::new();
        for (schema, names) in [
            (own.as_str(), STORE_TABLES),
            (SYSTEM, &self.system_names),
            (INFORMATION_SCHEMA, INFORMATION_TABLES),
        ] {
            for name in names {
                let table = Resolved { schema: schema.to_string(), table: name.to_string() };
                let full = Pins { hidden: views::hidden_columns(name), ..bare.clone() };
                let columns = views::shown(name, &bare.table(&table, &none).await?.schema());
                let all = views::shown(name, &full.table(&table, &none).await?.schema());
                let hidden = all.fields().iter().skip(columns.fields().len()).cloned();
                let hidden_columns = Arc::new(Schema::new(hidden.collect::<Vec<_>>()));
                tables.push(Table {
                    schema: table.schema,
                    name: table.table,
                    columns,
                    hidden_columns,
                });
            }
        }
        for lookup in self.lookups.iter() {
            let columns = lookup.provider()?.schema();
            let hidden_columns = Arc::new(Schema::empty());
            tables.push(Table {
                schema: own.clone(),
                name: lookup.name.clone(),
                columns,
                hidden_columns,
            });
        }
        Ok(Directory::new(every_store(tables, &own, &self.stores)))
    }

    pub(super) fn spellings(&self, directory: &Directory) -> Names {
        let mut names = Names::new();
        names.add_table(CATALOG);
        for table in directory.tables() {
            names.add_table(&table.schema);
            names.add_table(&table.name);
            names.add_fields(table.columns.fields());
            names.add_fields(table.hidden_columns.fields());
        }
        for alias in &self.options.aliases {
            if let Some(last) = parts_of(&alias.name).last() {
                names.add_table(last);
            }
        }
        names
    }

    pub(super) fn words(&self, sql: &str) -> InOurWords {
        InOurWords {
            sql: sql.to_string(),
            names: Arc::clone(&self.names),
            memory_bytes: self.options.memory_bytes,
        }
    }
}

/// Gives every table its full name; returns those the statement reads.
fn resolve(
    resolver: &Resolver<'_>,
    parsed: &mut Parsed,
    notes: &mut Vec<Note>,
) -> std::result::Result<BTreeSet<Resolved>, SqlError> {
    let mut tables = BTreeSet::new();
    if matches!(parsed.kind, StatementKind::Show | StatementKind::Describe) {
        return Ok(tables);
    }
    parsed.resolve_tables(|name| {
        let (found, note) = resolver.resolve(name)?;
        let parts = found.parts();
        tables.insert(found);
        notes.extend(note.filter(|note| !notes.contains(note)));
        Ok(Some(parts))
    })?;
    Ok(tables)
}

/// Returns the row of EXPLAIN (TYPE VALIDATE).
///
/// # Errors
/// What is wrong with the query beyond its names.
fn validated(run: &Run, state: &SessionState) -> std::result::Result<RecordBatch, DataFusionError> {
    state.optimize(&run.plan)?;
    explain::valid()
}

fn is_about_days(table: &Resolved) -> bool {
    table.schema == SYSTEM && ["coverage", "listed", "missing"].contains(&&*table.table)
}

/// The tables of the store `own`, repeated for every other store, by schema.
fn every_store(tables: Vec<Table>, own: &str, stores: &[StoreInfo]) -> Vec<Table> {
    let mut all = tables.clone();
    for store in stores.iter().filter(|store| store.name != own) {
        let theirs = tables
            .iter()
            .filter(|table| table.schema == own && STORE_TABLES.contains(&table.name.as_str()));
        all.extend(theirs.map(|table| Table { schema: store.name.clone(), ..table.clone() }));
    }
    all.sort_by_key(|table| (table.schema != own, table.schema.clone()));
    all
}

/// The columns of the answer as `*` names them: in lower case, as Athena does, when the statement
/// reads Athena's tables alone.
fn columns_of_star(answer: &Schema, tables: &BTreeSet<Resolved>) -> Schema {
    let athena = tables.iter().all(|table| table.table == views::ATHENA) && !tables.is_empty();
    let fields = answer.fields().iter().map(|field| match athena {
        true => Arc::new(field.as_ref().clone().with_name(field.name().to_lowercase())),
        false => Arc::clone(field),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn tree(statement: &Statement) -> Option<&datafusion::sql::sqlparser::ast::Statement> {
    match statement {
        Statement::Statement(tree) => Some(tree),
        _ => None,
    }
}

fn unreadable() -> SqlError {
    SqlError::new(traillake_trino::Kind::Unsupported, "the statement is not supported")
}
