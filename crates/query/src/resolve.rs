//! Which table a name means: `traillake.<store>.<table>`, and every other spelling people bring.

use traillake_store::StoreInfo;
use traillake_trino::{Kind, Names, SqlError, TableName};

use crate::error::Error;
use crate::notes::{Note, NoteKind};
use crate::options::Alias;
use crate::views::ATHENA;

/// The catalog of everything.
pub(crate) const CATALOG: &str = "traillake";
/// The schema of the tables about the lake itself.
pub(crate) const SYSTEM: &str = "system";
/// The schema of the standard's tables about tables.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Tables of every store, by the name in a statement.
pub(crate) const STORE_TABLES: &[&str] =
    &["events", ATHENA, "insights", "aggregated", "digests", "variants", "rejects"];
/// Tables of `system` that every lake has.
pub(crate) const SYSTEM_TABLES: &[&str] =
    &["objects", "rejects", "variants", "files", "stores", "listed", "missing", "coverage"];
/// Tables of `information_schema`.
pub(crate) const INFORMATION_TABLES: &[&str] = &["schemata", "tables", "columns"];

/// Schemas that stand for "wherever it is": Athena's name for Lake's federated tables.
const FEDERATED: &str = "aws:cloudtrail";

/// What a table name was found to mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Resolved {
    /// A store, `system` or `information_schema`.
    pub(crate) schema: String,
    /// The table in it.
    pub(crate) table: String,
}

impl Resolved {
    fn new(schema: &str, table: &str) -> Resolved {
        Resolved { schema: schema.to_string(), table: table.to_string() }
    }

    /// Catalog, schema and table.
    pub(crate) fn parts(&self) -> Vec<String> {
        vec![CATALOG.to_string(), self.schema.clone(), self.table.clone()]
    }

    /// The same in one piece, for people.
    pub(crate) fn full_name(&self) -> String {
        self.parts().join(".")
    }
}

/// What names can mean in one session.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    /// The session's store, in which names without a schema are looked up.
    pub(crate) store: &'a str,
    /// The schema in which they are looked for before: [`SYSTEM`] or [`INFORMATION_SCHEMA`].
    pub(crate) schema: Option<&'static str>,
    /// All stores of the lake.
    pub(crate) stores: &'a [StoreInfo],
    /// Names of the tables handed in.
    pub(crate) lookups: &'a [String],
    /// Names of the tables of `system`.
    pub(crate) system: &'a [&'static str],
    /// Further names of tables, by the parts they are made of.
    pub(crate) aliases: &'a [(Vec<String>, Resolved)],
    /// For did-you-mean.
    pub(crate) names: &'a Names,
}

impl Resolver<'_> {
    /// Returns the table that `name` means, with a note when it was accepted but not as typed.
    ///
    /// # Errors
    /// [`Kind::UnknownName`] with the place and the nearest known name.
    pub(crate) fn resolve(&self, name: &TableName) -> Result<(Resolved, Option<Note>), SqlError> {
        let parts: Vec<&str> = name.parts.iter().map(String::as_str).collect();
        if let Some(table) = self.aliased(&parts) {
            return Ok((table.clone(), None));
        }
        match parts.as_slice() {
            [table] => match self.in_schema(table) {
                Some(found) => Ok((found, None)),
                None => self.bare(table).ok_or_else(|| self.unknown(name)),
            },
            [schema, table] | [_, schema, table] => self.qualified(name, schema, table),
            _ => Err(self.unknown(name)),
        }
    }

    /// The table with that further name; a catalog may stand before it.
    fn aliased(&self, parts: &[&str]) -> Option<&Resolved> {
        let is = |alias: &[String], parts: &[&str]| {
            alias.len() == parts.len()
                && alias.iter().zip(parts).all(|(alias, part)| alias.eq_ignore_ascii_case(part))
        };
        let found = self.aliases.iter().find(|(alias, _)| {
            is(alias, parts) || parts.len() == 3 && alias.len() == 2 && is(alias, &parts[1..])
        });
        found.map(|(_, table)| table)
    }

    /// The table of the session's schema, where that is no store.
    fn in_schema(&self, table: &str) -> Option<Resolved> {
        let schema = self.schema?;
        let tables = if schema == SYSTEM { self.system } else { INFORMATION_TABLES };
        known(tables, table).map(|table| Resolved::new(schema, table))
    }

    fn bare(&self, table: &str) -> Option<(Resolved, Option<Note>)> {
        let is = |name: &&String| name.eq_ignore_ascii_case(table);
        if let Some(lookup) = self.lookups.iter().find(is) {
            return Some((Resolved::new(self.store, lookup), None));
        }
        if let Some(found) = known(STORE_TABLES, table) {
            return Some((Resolved::new(self.store, found), None));
        }
        if let Some(found) = self.aliased(&[table]) {
            return Some((found.clone(), None));
        }
        if let Some(store) = self.store_named(table) {
            return Some((Resolved::new(store, "events"), None));
        }
        is_named_by_athena(table).then(|| {
            let found = Resolved::new(self.store, ATHENA);
            let note = Note::new(
                NoteKind::Accepted,
                format!("there is no table `{table}` here; it is read as `{}`", found.full_name()),
            );
            (found, Some(note))
        })
    }

    fn qualified(
        &self,
        name: &TableName,
        schema: &str,
        table: &str,
    ) -> Result<(Resolved, Option<Note>), SqlError> {
        let own = |tables: &[&'static str], schema| {
            let found = known(tables, table).map(|table| (Resolved::new(schema, table), None));
            found.ok_or_else(|| self.unknown(name))
        };
        if schema.eq_ignore_ascii_case(SYSTEM) {
            return own(self.system, SYSTEM);
        }
        if schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            return own(INFORMATION_TABLES, INFORMATION_SCHEMA);
        }
        if let Some(store) = self.store_named(schema) {
            if let Some(table) = known(STORE_TABLES, table) {
                return Ok((Resolved::new(store, table), None));
            }
            let own = self.bare(table).filter(|_| store == self.store);
            return own.ok_or_else(|| self.unknown(name));
        }
        let (found, _) = self.bare(table).ok_or_else(|| self.unknown(name))?;
        let note = format!(
            "there is no database `{schema}` here; `{}` is read as `{}`",
            name.parts.join("."),
            found.full_name()
        );
        let note =
            (!schema.eq_ignore_ascii_case(FEDERATED)).then(|| Note::new(NoteKind::Accepted, note));
        Ok((found, note))
    }

    /// The store with that name, id or ARN.
    fn store_named(&self, text: &str) -> Option<&str> {
        let found = self.stores.iter().find(|store| {
            store.name.eq_ignore_ascii_case(text)
                || store.arn.eq_ignore_ascii_case(text)
                || store.id.to_string().eq_ignore_ascii_case(text)
        });
        found.map(|store| store.name.as_str())
    }

    fn unknown(&self, name: &TableName) -> SqlError {
        let typed = name.parts.join(".");
        let error = SqlError::new(Kind::UnknownName, format!("there is no table `{typed}`")).at(
            name.line,
            name.column,
            name.length,
        );
        let last = name.parts.last().map_or("", String::as_str);
        if let Some(table) = known(self.system, last) {
            return error.with_hint(format!("did you mean `system.{table}`?"));
        }
        match self.names.nearest_table(last) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None if last.len() == 36 && last.matches('-').count() == 4 => error.with_hint(
                "no store of this lake has that id; `store list` shows the stores it has",
            ),
            None => error.with_hint("`SHOW TABLES` lists the tables"),
        }
    }
}

/// Returns the schema of that name that is no store's.
pub(crate) fn schema_without_store(name: &str) -> Option<&'static str> {
    known(&[SYSTEM, INFORMATION_SCHEMA], name)
}

/// Returns the further names by their parts, with the tables they mean.
///
/// # Errors
/// [`Error::Lookup`] for a name that is taken or no name, and for a table that does not exist.
pub(crate) fn aliases(
    resolver: &Resolver<'_>,
    aliases: &[Alias],
) -> Result<Vec<(Vec<String>, Resolved)>, Error> {
    let known = |Alias { name, table }: &Alias| {
        let refused = |reason: String| Error::Lookup { name: name.clone(), reason };
        let parts = parts_of(name);
        let lookups = resolver.lookups.iter().map(String::as_str);
        let mut taken = STORE_TABLES.iter().copied().chain(lookups);
        if parts.len() == 1 && taken.any(|known| known.eq_ignore_ascii_case(&parts[0])) {
            return Err(refused("the lake has a table of that name".to_string()));
        }
        if parts.len() > 2 || parts.iter().any(String::is_empty) {
            return Err(refused("write it as `table` or `database.table`".to_string()));
        }
        let meant = TableName { parts: parts_of(table), line: 0, column: 0, length: 0 };
        let found = resolver.resolve(&meant).map_err(|error| refused(error.to_string()))?;
        Ok((parts, found.0))
    };
    aliases.iter().map(known).collect()
}

/// The parts of a table's name.
pub(crate) fn parts_of(name: &str) -> Vec<String> {
    name.split('.').map(|part| part.trim_matches('"').to_string()).collect()
}

/// Whether the CloudTrail console, or AWS's guide, calls Athena's table of a trail by that name:
/// `cloudtrail_logs_` and the name of a bucket, `cloudtrail_logs_pp`.
fn is_named_by_athena(table: &str) -> bool {
    let start = table.get(..ATHENA.len() + 1);
    // A bucket's name has no `$`: `cloudtrail_logs_trail$partitions` is no table of a trail.
    start.is_some_and(|start| start.eq_ignore_ascii_case(&format!("{ATHENA}_")))
        && !table.contains('$')
}

fn known<'a>(tables: &[&'a str], name: &str) -> Option<&'a str> {
    tables.iter().copied().find(|table| table.eq_ignore_ascii_case(name))
}
