//! Settings: every value and where it came from.
//!
//! A flag beats an environment variable, that beats `traillake.toml` in the current folder, that
//! beats `traillake.toml` in the user's configuration folder, that beats the default.

mod known;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use traillake_query::Alias;

pub use known::{SETTINGS, Setting, parse_place};

use self::known::{FREE_TEXTS, LISTS};
use crate::closest::closest;
use crate::env_vars;
use crate::failure::Problem;
use crate::quantities::{parse_duration, parse_size};

/// The name of a configuration file.
pub const FILE_NAME: &str = "traillake.toml";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The flag of this name.
    Flag(&'static str),
    /// The environment variable of this name.
    Env(&'static str),
    /// This configuration file.
    File(PathBuf),
    /// Nothing set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) => write!(f, "flag {name}"),
            Origin::Env(name) => write!(f, "environment {name}"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A setting's value and its origin.
#[derive(Clone, Debug)]
pub struct Value {
    /// The value as it was written.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// The table of a configuration file that gives tables of the lake further names.
const TABLES: &str = "tables.";

/// All settings, resolved.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Value>,
    /// Further names of tables, with the tables they mean.
    tables: BTreeMap<String, Value>,
}

/// Where settings are looked for, strongest first.
pub struct Places<'a> {
    /// Values given as flags, by key.
    pub flags: Vec<(&'static str, String)>,
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Configuration files, the stronger first; those that do not exist are passed over.
    pub files: Vec<PathBuf>,
}

impl Settings {
    /// Returns the settings found in `places`, or the first key or value that is wrong.
    pub fn resolve(places: &Places<'_>) -> anyhow::Result<Settings> {
        let mut files = Vec::new();
        for path in &places.files {
            if let Some(keys) = read_file(path)? {
                files.push((path, keys));
            }
        }
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            let flag = places.flags.iter().find(|(key, _)| *key == setting.key);
            let value = flag
                .map(|(_, text)| (text.clone(), Origin::Flag(setting.flag)))
                .or_else(|| (places.env)(setting.env).map(|text| (text, Origin::Env(setting.env))))
                .or_else(|| {
                    let mut found = files.iter().filter_map(|(path, keys)| {
                        Some((keys.get(setting.key)?.clone(), Origin::File(path.to_path_buf())))
                    });
                    found.next()
                });
            let (text, origin) = value.unwrap_or((setting.default.to_owned(), Origin::Default));
            (setting.check)(&text).map_err(|reason| {
                Problem::new(format!("`{}` from {origin} is wrong: {reason}", setting.key))
            })?;
            values.insert(setting.key, Value { text, origin });
        }
        Ok(Settings { values, tables: named_tables(files) })
    }

    /// Returns every setting with its value, in the order of [`SETTINGS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, &Value)> {
        SETTINGS.iter().filter_map(|setting| Some((setting, self.values.get(setting.key)?)))
    }

    /// Returns the further names of tables that `[tables]` gives, in the order of the names.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.tables.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the same for an engine.
    pub fn aliases(&self) -> Vec<Alias> {
        let alias = |(name, value): (&str, &Value)| Alias {
            name: name.to_owned(),
            table: value.text.clone(),
        };
        self.tables().map(alias).collect()
    }

    /// Returns the location of the lake. A path in a configuration file is meant from the folder
    /// of that file.
    pub fn lake(&self) -> String {
        let text = self.text("lake");
        let from = match self.values.get("lake").map(|value| &value.origin) {
            Some(Origin::File(file)) if !text.contains("://") => file.parent(),
            _ => None,
        };
        match from.filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => folder.join(text).to_string_lossy().into_owned(),
            None => text.to_owned(),
        }
    }

    /// Returns the value of `key` as it was written; empty for a key that does not exist.
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |value| value.text.as_str())
    }

    /// Returns the size in bytes of `key`, or `None` for `auto`.
    pub fn size(&self, key: &str) -> Option<u64> {
        parse_size(self.text(key)).ok()
    }

    /// Returns the number at `key`, or `None` for `auto` and `none`.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.text(key).parse().ok()
    }

    /// Returns the texts at `key`; nothing for `none`.
    pub fn texts(&self, key: &str) -> Vec<String> {
        match self.text(key) {
            "none" => Vec::new(),
            texts => texts.split(',').map(|text| text.trim().to_owned()).collect(),
        }
    }

    /// Returns the duration at `key`, or `None` for `none`.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.text(key)).ok()
    }
}

/// Returns the configuration files to look for, the stronger first: `named` alone when given.
pub fn files(named: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(path) = named {
        return vec![path.to_path_buf()];
    }
    let user = env(env_vars::XDG_CONFIG_HOME).map(PathBuf::from);
    let user = user.or_else(|| Some(PathBuf::from(env(env_vars::HOME)?).join(".config")));
    let mut files = vec![PathBuf::from(FILE_NAME)];
    files.extend(user.map(|folder| folder.join("traillake").join(FILE_NAME)));
    files
}

/// Returns the keys of a configuration file with their values as text, or `None` without a file.
fn read_file(path: &Path) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("could not read the configuration file `{}`", path.display());
            return Err(Problem::new(message).because(error));
        }
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Problem::new(format!("`{}` is not TOML", path.display())).because(error)
    })?;
    let mut keys = BTreeMap::new();
    flatten("", table, &mut keys);
    for key in keys.keys().filter(|key| !key.starts_with(TABLES)) {
        if !SETTINGS.iter().any(|setting| setting.key == key) {
            return Err(unknown_key(key, path));
        }
    }
    let mut texts = BTreeMap::new();
    for (key, value) in keys {
        let text = text_of(&key, value, path)?;
        texts.insert(key, text);
    }
    Ok(Some(texts))
}

/// Returns a value of a configuration file as text.
fn text_of(key: &str, value: toml::Value, path: &Path) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Array(items) if LISTS.contains(&key) => {
            let texts = items.iter().map(toml::Value::as_str).collect::<Option<Vec<&str>>>();
            let problem =
                || Problem::new(format!("`{key}` in `{}` must be a list of texts", path.display()));
            Ok(texts.ok_or_else(problem)?.join(","))
        }
        other if FREE_TEXTS.contains(&key) || key.starts_with(TABLES) => {
            let (kind, path) = (other.type_str(), path.display());
            Err(Problem::new(format!("`{key}` in `{path}` must be text, and is: {kind}"))
                .hint(format!("write it in quotes: `{key} = \"…\"`"))
                .into())
        }
        other => Ok(other.to_string()),
    }
}

/// The names that `[tables]` of each file gives; of one in both files the stronger file's.
fn named_tables(files: Vec<(&PathBuf, BTreeMap<String, String>)>) -> BTreeMap<String, Value> {
    let mut tables = BTreeMap::new();
    for (path, keys) in files.into_iter().rev() {
        for (key, text) in keys {
            if let Some(name) = key.strip_prefix(TABLES) {
                let origin = Origin::File(path.clone());
                tables.insert(name.to_owned(), Value { text, origin });
            }
        }
    }
    tables
}

fn flatten(prefix: &str, table: toml::Table, keys: &mut BTreeMap<String, toml::Value>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, keys),
            value => drop(keys.insert(key, value)),
        }
    }
}

fn unknown_key(key: &str, path: &Path) -> anyhow::Error {
    let problem = Problem::new(format!("unknown key `{key}` in `{}`", path.display()));
    match closest(key, SETTINGS.iter().map(|setting| setting.key)) {
        Some(known) => problem.hint(format!("did you mean `{known}`?")).into(),
        None => problem.hint("run `traillake config` to see every key").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        folder: &Path,
        flags: Vec<(&'static str, String)>,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Settings> {
        let env = |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let files = vec![folder.join("here.toml"), folder.join("user.toml")];
        Settings::resolve(&Places { flags, env: &env, files })
    }

    #[test]
    fn the_stronger_place_wins_key_by_key() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("here.toml"), "store = 'here'\nlake = 'data'\n")?;
        std::fs::write(
            folder.path().join("user.toml"),
            "store = 'user'\ncolor = 'never'\n[ingest]\njobs = 3\n",
        )?;
        let settings = resolve(
            folder.path(),
            vec![("progress", "false".to_owned())],
            &[(env_vars::PROGRESS, "true"), (env_vars::COLOR, "always")],
        )?;
        let shown: Vec<String> = settings
            .iter()
            .map(|(setting, value)| {
                let origin = match &value.origin {
                    Origin::File(path) => format!("{:?}", path.file_name().unwrap_or_default()),
                    other => other.to_string(),
                };
                format!("{} = {} ({origin})", setting.key, value.text)
            })
            .take(7)
            .collect();
        assert_eq!(
            shown,
            [
                "lake = data (\"here.toml\")",
                "store = here (\"here.toml\")",
                "color = always (environment TRAILLAKE_COLOR)",
                "progress = false (flag --no-progress)",
                "log-format = text (default)",
                "ingest.jobs = 3 (\"user.toml\")",
                "ingest.memory = 512MB (default)",
            ]
        );
        assert_eq!(Path::new(&settings.lake()), folder.path().join("data"));
        Ok(())
    }

    #[test]
    fn tables_get_further_names_from_both_files() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let here =
            "[tables]\n\"security.trail\" = 'cloudtrail_logs'\naudit.all = 'archive.events'\n";
        let user = "[tables]\ntrail = 'cloudtrail_logs'\n\"security.trail\" = 'events'\n";
        std::fs::write(folder.path().join("here.toml"), here)?;
        std::fs::write(folder.path().join("user.toml"), user)?;
        let settings = resolve(folder.path(), Vec::new(), &[])?;
        let aliases = settings.aliases().into_iter().map(|alias| (alias.name, alias.table));
        let expected = [
            ("audit.all", "archive.events"),
            ("security.trail", "cloudtrail_logs"),
            ("trail", "cloudtrail_logs"),
        ];
        let expected = expected.map(|(name, table)| (name.to_owned(), table.to_owned()));
        assert_eq!(aliases.collect::<Vec<_>>(), expected);
        Ok(())
    }

    #[test]
    fn places_to_deliver_to_are_a_list_or_a_text() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let here = folder.path().join("here.toml");
        for (text, expected) in [
            ("", vec![]),
            ("serve.deliver-to = 'none'", vec![]),
            ("serve.deliver-to = 's3://a/b'", vec!["s3://a/b"]),
            ("[serve]\ndeliver-to = 's3://a, s3://b/c d/'", vec!["s3://a", "s3://b/c d/"]),
            ("[serve]\ndeliver-to = ['s3://a', 's3://b/c']", vec!["s3://a", "s3://b/c"]),
        ] {
            std::fs::write(&here, text)?;
            let settings = resolve(folder.path(), Vec::new(), &[])?;
            assert_eq!(settings.texts("serve.deliver-to"), expected, "{text}");
        }
        Ok(())
    }

    #[test]
    fn wrong_keys_and_values_are_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for (text, message) in [
            ("laek = 'x'", "unknown key `laek`"),
            ("[ingest]\nmemry = 1", "unknown key `ingest.memry`"),
            ("color = 'red'", "`red` is none of auto, always, never"),
            ("[query]\nrows-max = 0", "`0` is neither a number above 0 nor `none`"),
            ("lake", "is not TOML"),
            ("lake = 5", "`lake` in `"),
            ("store = 2021", "must be text, and is: integer"),
            ("lake = ['a']", "must be text, and is: array"),
            ("[tables]\ntrail = 1", "`tables.trail` in `"),
            ("[s3]\nencryption = true", "must be text, and is: boolean"),
            ("[ingest]\nmemory = 4096", "`4096` is less than an ingest needs"),
            ("[follow]\ndays-back = 0", "`0` is no number of days from 1 to 3660"),
            ("[follow]\ndays-back = '3d'", "`3d` is no number of days"),
            ("[follow]\nsweep-every = '0s'", "is less than a second"),
            ("[follow]\nsweep-every = 'none'", "`follow.sweep-every` from "),
            ("[serve]\ndeliver-to = '/results'", "`/results` is no place in S3"),
            ("[serve]\ndeliver-to = 's3://a,s3:///b'", "`s3:///b` is no place in S3"),
            ("[serve]\ndeliver-to = []", "is no place in S3"),
            ("[serve]\ndeliver-to = ['s3://a', 1]", "must be a list of texts"),
        ] {
            std::fs::write(folder.path().join("here.toml"), text)?;
            let error =
                resolve(folder.path(), Vec::new(), &[]).map(|_| ()).map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.contains(message)), "{text}: {error:?}");
        }
        Ok(())
    }
}
