//! Settings: every value and where it came from.
//!
//! A flag beats an environment variable, that beats `traillake.toml` in the current folder, that
//! beats `traillake.toml` in the user's configuration folder, that beats the default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use traillake_query::Alias;

use crate::closest::closest;
use crate::env_vars;
use crate::failure::Problem;
use crate::quantities::{parse_duration, parse_ingest_memory, parse_size};

/// The name of a configuration file.
pub const FILE_NAME: &str = "traillake.toml";

/// One thing that can be set, and the ways to set it.
pub struct Setting {
    /// Its key in `traillake.toml`; a dot stands for a table.
    pub key: &'static str,
    /// The environment variable that sets it.
    pub env: &'static str,
    /// The flag that sets it; empty: none does.
    pub flag: &'static str,
    /// Its value when nothing sets it.
    pub default: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    check: fn(&str) -> Result<(), String>,
}

/// Every setting, in the order in which `traillake config` lists them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "lake",
        env: env_vars::LAKE,
        flag: "--lake",
        default: "./lake",
        about: "the lake to work on",
        check: |_| Ok(()),
    },
    Setting {
        key: "store",
        env: env_vars::STORE,
        flag: "--store",
        default: "default",
        about: "the event data store to work on",
        check: |_| Ok(()),
    },
    Setting {
        key: "color",
        env: env_vars::COLOR,
        flag: "--color",
        default: "auto",
        about: "colour: auto, always or never",
        check: |text| one_of(text, &["auto", "always", "never"]),
    },
    Setting {
        key: "progress",
        env: env_vars::PROGRESS,
        flag: "--no-progress",
        default: "true",
        about: "a progress bar on a terminal",
        check: |text| one_of(text, &["true", "false"]),
    },
    Setting {
        key: "log-format",
        env: env_vars::LOG_FORMAT,
        flag: "--log-format",
        default: "text",
        about: "messages as text or json",
        check: |text| one_of(text, &["text", "json"]),
    },
    Setting {
        key: "ingest.jobs",
        env: env_vars::INGEST_JOBS,
        flag: "--jobs",
        default: "auto",
        about: "objects decoded at once; auto: one a core",
        check: |text| count_or(text, "auto"),
    },
    Setting {
        key: "ingest.memory",
        env: env_vars::INGEST_MEMORY,
        flag: "--memory",
        default: "512MB",
        about: "the memory of an ingest",
        check: |text| parse_ingest_memory(text).map(|_| ()),
    },
    Setting {
        key: "query.memory",
        env: env_vars::QUERY_MEMORY,
        flag: "--memory",
        default: "auto",
        about: "the memory of a query; auto: half of the machine's",
        check: |text| if text == "auto" { Ok(()) } else { parse_size(text).map(|_| ()) },
    },
    Setting {
        key: "query.timeout",
        env: env_vars::QUERY_TIMEOUT,
        flag: "--timeout",
        default: "none",
        about: "the longest a query may take",
        check: |text| if text == "none" { Ok(()) } else { parse_duration(text).map(|_| ()) },
    },
    Setting {
        key: "query.rows-max",
        env: env_vars::QUERY_ROWS_MAX,
        flag: "--rows-max",
        default: "none",
        about: "the most rows an answer may have",
        check: |text| count_or(text, "none"),
    },
    Setting {
        key: "maintain.every",
        env: env_vars::MAINTAIN_EVERY,
        flag: "",
        default: "1h",
        about: "how often a lake is kept small while logs are followed; none: never",
        check: |text| if text == "none" { Ok(()) } else { parse_duration(text).map(|_| ()) },
    },
    Setting {
        key: "serve.deliver-to",
        env: env_vars::SERVE_DELIVER_TO,
        flag: "--deliver-to",
        default: "none",
        about: "places in S3 that answers may be delivered to, with commas between; none: nowhere",
        check: |text| match text {
            "none" => Ok(()),
            places => places.split(',').try_for_each(|place| parse_place(place).map(|_| ())),
        },
    },
    Setting {
        key: "s3.cache",
        env: env_vars::S3_CACHE,
        flag: "",
        default: "1GB",
        about: "what is kept on this machine of a lake in S3; none: only in memory",
        check: |text| if text == "none" { Ok(()) } else { parse_size(text).map(|_| ()) },
    },
    Setting {
        key: "s3.encryption",
        env: env_vars::S3_ENCRYPTION,
        flag: "",
        default: "bucket",
        about: "encryption of a lake in S3: bucket (its default), AES256, or a KMS key",
        check: |_| Ok(()),
    },
    Setting {
        key: "s3.storage-class",
        env: env_vars::S3_STORAGE_CLASS,
        flag: "",
        default: "bucket",
        about: "storage class of data files of a lake in S3; bucket: its default",
        check: |text| one_of(text, STORAGE_CLASSES),
    },
];

/// Storage classes that can be read at once; from the others objects have to be restored first.
const STORAGE_CLASSES: &[&str] =
    &["bucket", "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];

/// Settings that take any text: a number, a list or a date in a file is none, and must not be read
/// as the name or the place that it spells.
const FREE_TEXTS: &[&str] = &["lake", "store", "s3.encryption"];
/// Settings of several texts, which in a file may be a list.
const LISTS: &[&str] = &["serve.deliver-to"];

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

/// Reads a place in S3, as a flag or a setting has it.
pub fn parse_place(text: &str) -> Result<String, String> {
    let place = text.trim();
    let names_bucket = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    match place.strip_prefix("s3://").is_some_and(names_bucket) {
        true => Ok(place.to_owned()),
        false => Err(format!("`{place}` is no place in S3, such as `s3://bucket/prefix`")),
    }
}

fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    match words.contains(&text) {
        true => Ok(()),
        false => Err(format!("`{text}` is none of {}", words.join(", "))),
    }
}

fn count_or(text: &str, word: &str) -> Result<(), String> {
    match text == word || text.parse::<u64>().is_ok_and(|count| count > 0) {
        true => Ok(()),
        false => Err(format!("`{text}` is neither a number above 0 nor `{word}`")),
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
