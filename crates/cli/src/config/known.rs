//! What can be set, how, and which values each setting takes.

use std::time::Duration;

use crate::env_vars;
use crate::quantities::{parse_duration, parse_ingest_memory, parse_size};

const SECOND: Duration = Duration::from_secs(1);

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
    pub(super) check: fn(&str) -> Result<(), String>,
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
        key: "follow.days-back",
        env: env_vars::FOLLOW_DAYS_BACK,
        flag: "",
        default: "3",
        about: "days of delivery before today that each look at a followed source lists",
        check: |text| days(text).map(|_| ()),
    },
    Setting {
        key: "follow.sweep-every",
        env: env_vars::FOLLOW_SWEEP_EVERY,
        flag: "",
        default: "24h",
        about: "how often all of a followed source is listed, for what comes later still",
        check: |text| match parse_duration(text)? {
            every if every < SECOND => Err(format!("`{text}` is less than a second")),
            _ => Ok(()),
        },
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
pub(super) const FREE_TEXTS: &[&str] = &["lake", "store", "s3.encryption"];
/// Settings of several texts, which in a file may be a list.
pub(super) const LISTS: &[&str] = &["serve.deliver-to"];

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

/// Reads a number of days, from 1 to some years.
fn days(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(days @ 1..=3_660) => Ok(days),
        _ => Err(format!("`{text}` is no number of days from 1 to 3660")),
    }
}
