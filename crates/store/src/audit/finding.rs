//! What an audit finds, with its place.

use std::fmt;

use object_store::path::Path;

/// Findings kept; of more, only their number.
const KEPT_MAX: usize = 10_000;

/// Findings of one kind in one file that are told one by one.
pub(super) const ALIKE_MAX: usize = 5;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Something is lost or altered, or is there that should not be.
    Damage,
    /// Nothing is wrong, but whoever looks at the folder may wonder.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// The store; none for the lake as a whole.
    pub store: Option<String>,
    /// The table, where it is one's.
    pub table: Option<String>,
    /// The file or folder, as a path from the lake's own.
    pub path: Option<String>,
    /// Where in the file: a row group, a row, an object.
    pub place: Option<String>,
    /// What is wrong, for people.
    pub what: String,
}

impl fmt::Display for Finding {
    /// `store/table: path, place: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.store, &self.table) {
            (Some(store), Some(table)) => write!(f, "{store}/{table}: ")?,
            (Some(store), None) => write!(f, "{store}: ")?,
            _ => {}
        }
        if let Some(path) = &self.path {
            write!(f, "`{path}`")?;
        }
        if let Some(place) = &self.place {
            let comma = if self.path.is_some() { ", " } else { "" };
            write!(f, "{comma}{place}")?;
        }
        let colon = if self.path.is_some() || self.place.is_some() { ": " } else { "" };
        write!(f, "{colon}{}", self.what)
    }
}

/// What an audit came to.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// What was found, in the order of the lake.
    pub findings: Vec<Finding>,
    /// Findings beyond those, of which there is only the number.
    pub more: u64,
    /// Stores looked at.
    pub stores: u64,
    /// Tables looked at.
    pub tables: u64,
    /// Live files looked at.
    pub files: u64,
    /// Rows in them, by the log.
    pub rows: u64,
    /// Bytes in them, by the log.
    pub bytes: u64,
}

impl Audit {
    /// Whether no damage was found.
    pub fn is_sound(&self) -> bool {
        self.more == 0 && self.damages().next().is_none()
    }

    /// The findings that are damage.
    pub fn damages(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.grade == Grade::Damage)
    }
}

/// Findings under way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    audit: Audit,
    pub stores: u64,
}

impl Findings {
    pub fn of_lake(&mut self, path: &str, what: impl Into<String>) {
        let path = Some(path.to_string());
        let what = what.into();
        let grade = Grade::Damage;
        self.push(Finding { grade, store: None, table: None, path, place: None, what });
    }

    pub fn store<'a>(&'a mut self, store: &'a str) -> OfStore<'a> {
        OfStore { all: self, store }
    }

    pub fn close(self) -> Audit {
        Audit { stores: self.stores, ..self.audit }
    }

    fn push(&mut self, finding: Finding) {
        match (self.audit.findings.len(), finding.grade) {
            (0..KEPT_MAX, _) => self.audit.findings.push(finding),
            (_, Grade::Damage) => self.audit.more += 1,
            (_, Grade::Note) => {}
        }
    }
}

/// Findings of one store.
pub(super) struct OfStore<'a> {
    all: &'a mut Findings,
    store: &'a str,
}

impl OfStore<'_> {
    pub fn damage(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Grade::Damage, Some(path), what.into());
    }

    pub fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Grade::Note, Some(path), what.into());
    }

    /// About the store as a whole.
    pub fn torn(&mut self, what: impl Into<String>) {
        self.push(Grade::Damage, None, what.into());
    }

    pub fn table<'b>(&'b mut self, table: &'b str) -> OfTable<'b> {
        OfTable { all: self.all, store: self.store, table, damages: 0 }
    }

    fn push(&mut self, grade: Grade, path: Option<&Path>, what: String) {
        let (store, path) = (Some(self.store.to_string()), path.map(ToString::to_string));
        self.all.push(Finding { grade, store, table: None, path, place: None, what });
    }
}

/// Findings of one table.
pub(super) struct OfTable<'a> {
    all: &'a mut Findings,
    store: &'a str,
    table: &'a str,
    /// Damages so far.
    pub damages: u64,
}

impl OfTable<'_> {
    pub fn damage(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Grade::Damage, Some(path.to_string()), None, what.into());
    }

    pub fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Grade::Note, Some(path.to_string()), None, what.into());
    }

    /// Whether damage was found in a file already.
    pub fn is_damaged(&self, path: &Path) -> bool {
        let path: Option<&str> = Some(path.as_ref());
        self.all.audit.damages().any(|found| found.path.as_deref() == path)
    }

    /// A table that is not there, in a store that does not say it should be.
    pub fn absent(&mut self, folder: &Path) {
        self.note(folder, "there is no such table");
    }

    /// Everything that was found in one file.
    pub fn all(&mut self, path: &Path, faults: Faults) {
        for (place, what) in faults.told {
            self.push(Grade::Damage, Some(path.to_string()), place, what);
        }
        for (kind, more) in faults.more {
            self.damage(path, format!("{more} more like this: {kind}"));
        }
    }

    pub fn count(&mut self, files: u64, rows: u64, bytes: u64) {
        let audit = &mut self.all.audit;
        audit.tables += 1;
        audit.files += files;
        audit.rows += rows;
        audit.bytes += bytes;
    }

    fn push(&mut self, grade: Grade, path: Option<String>, place: Option<String>, what: String) {
        self.damages += u64::from(grade == Grade::Damage);
        let (store, table) = (Some(self.store.to_string()), Some(self.table.to_string()));
        self.all.push(Finding { grade, store, table, path, place, what });
    }
}

/// What was found in one file: of each kind the first few, and how many more.
#[derive(Debug, Default)]
pub(super) struct Faults {
    told: Vec<(Option<String>, String)>,
    kinds: Vec<(&'static str, usize)>,
    more: Vec<(&'static str, u64)>,
}

impl Faults {
    pub fn add(&mut self, kind: &'static str, place: Option<String>, what: impl Into<String>) {
        let known = self.kinds.iter().position(|(known, _)| *known == kind);
        let known = known.unwrap_or_else(|| {
            self.kinds.push((kind, 0));
            self.kinds.len() - 1
        });
        self.kinds[known].1 += 1;
        if self.kinds[known].1 <= ALIKE_MAX {
            self.told.push((place, what.into()));
            return;
        }
        match self.more.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, more)) => *more += 1,
            None => self.more.push((kind, 1)),
        }
    }
}
