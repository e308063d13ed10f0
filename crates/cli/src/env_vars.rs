//! Every environment variable that TrailLake reads, in one place.

/// The lake to work on; see the setting `lake`.
pub const LAKE: &str = "TRAILLAKE_LAKE";
/// The event data store to work on; see the setting `store`.
pub const STORE: &str = "TRAILLAKE_STORE";
/// A configuration file that replaces the two that are looked for.
pub const CONFIG: &str = "TRAILLAKE_CONFIG";
/// When to use colour; see the setting `color`.
pub const COLOR: &str = "TRAILLAKE_COLOR";
/// Whether to draw progress bars; see the setting `progress`.
pub const PROGRESS: &str = "TRAILLAKE_PROGRESS";
/// How messages look on standard error; see the setting `log-format`.
pub const LOG_FORMAT: &str = "TRAILLAKE_LOG_FORMAT";
/// A filter for log lines in the syntax of `tracing`, stronger than `-v`.
pub const LOG: &str = "TRAILLAKE_LOG";
/// How many objects are decoded at once; see the setting `ingest.jobs`.
pub const INGEST_JOBS: &str = "TRAILLAKE_INGEST_JOBS";
/// The memory of an ingest; see the setting `ingest.memory`.
pub const INGEST_MEMORY: &str = "TRAILLAKE_INGEST_MEMORY";
/// The memory of a query; see the setting `query.memory`.
pub const QUERY_MEMORY: &str = "TRAILLAKE_QUERY_MEMORY";
/// The longest a query may take; see the setting `query.timeout`.
pub const QUERY_TIMEOUT: &str = "TRAILLAKE_QUERY_TIMEOUT";
/// The most rows an answer may have; see the setting `query.rows-max`.
pub const QUERY_ROWS_MAX: &str = "TRAILLAKE_QUERY_ROWS_MAX";
/// Sets `follow.days-back`.
pub const FOLLOW_DAYS_BACK: &str = "TRAILLAKE_FOLLOW_DAYS_BACK";
/// Sets `follow.sweep-every`.
pub const FOLLOW_SWEEP_EVERY: &str = "TRAILLAKE_FOLLOW_SWEEP_EVERY";
/// How often a lake is kept small; see the setting `maintain.every`.
pub const MAINTAIN_EVERY: &str = "TRAILLAKE_MAINTAIN_EVERY";
/// Where answers may be delivered to; see the setting `serve.deliver-to`.
pub const SERVE_DELIVER_TO: &str = "TRAILLAKE_SERVE_DELIVER_TO";
/// What is kept here of a lake in S3; see the setting `s3.cache`.
pub const S3_CACHE: &str = "TRAILLAKE_S3_CACHE";
/// How a lake in S3 is encrypted; see the setting `s3.encryption`.
pub const S3_ENCRYPTION: &str = "TRAILLAKE_S3_ENCRYPTION";
/// The storage class of a lake in S3; see the setting `s3.storage-class`.
pub const S3_STORAGE_CLASS: &str = "TRAILLAKE_S3_STORAGE_CLASS";
/// The file the shell keeps its history in.
pub const HISTORY: &str = "TRAILLAKE_HISTORY";

/// Any value that is not empty switches colour off: <https://no-color.org>.
pub const NO_COLOR: &str = "NO_COLOR";
/// The folder of the user's configuration files, by the XDG base directory specification.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The folder of files such as histories, by the XDG base directory specification.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The folder of what may be removed at any time, by the XDG base directory specification.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The user's home folder.
pub const HOME: &str = "HOME";

/// The profile of the AWS configuration that is asked unless another is named.
pub const AWS_PROFILE: &str = "AWS_PROFILE";
/// A key of AWS's, with its secret in another variable.
pub const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Another S3 than Amazon's: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>.
pub const AWS_ENDPOINT_URL_S3: &str = "AWS_ENDPOINT_URL_S3";

/// The editor that the shell's `\e` opens, before [`EDITOR`].
pub const VISUAL: &str = "VISUAL";
/// The editor that the shell's `\e` opens; `vi` without one.
pub const EDITOR: &str = "EDITOR";

/// The names of our own, for finding the misspelt one.
pub const OURS: &[&str] = &[
    LAKE,
    STORE,
    CONFIG,
    COLOR,
    PROGRESS,
    LOG_FORMAT,
    LOG,
    INGEST_JOBS,
    INGEST_MEMORY,
    QUERY_MEMORY,
    QUERY_TIMEOUT,
    QUERY_ROWS_MAX,
    FOLLOW_DAYS_BACK,
    FOLLOW_SWEEP_EVERY,
    MAINTAIN_EVERY,
    SERVE_DELIVER_TO,
    S3_CACHE,
    S3_ENCRYPTION,
    S3_STORAGE_CLASS,
    HISTORY,
];

/// Returns the variable's value, or `None` when it is unset or empty.
pub fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
