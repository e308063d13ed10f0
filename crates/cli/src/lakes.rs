//! The lake that the settings name.

use std::hash::{Hash as _, Hasher as _};
use std::path::{Component, Path, PathBuf};

use traillake_store::{CacheOptions, Error, Lake, OpenOptions};

use crate::buckets;
use crate::env_vars;
use crate::failure::Problem;
use crate::session::Session;

/// Opens the lake for reading; creates nothing.
pub async fn open(session: &Session) -> anyhow::Result<Lake> {
    let location = session.settings.lake();
    let options = options(session, &location).await?;
    Lake::open_with(&location, options).await.map_err(|error| no_lake(&location, error))
}

/// Returns why there is no lake to look at.
pub fn no_lake(location: &str, error: Error) -> anyhow::Error {
    match error {
        Error::NoLake { .. } => Problem::new(format!("no lake at `{location}`"))
            .hint(
                "name it with `--lake` or TRAILLAKE_LAKE, or make one: `traillake ingest FOLDER`, \
                 `traillake demo`",
            )
            .into(),
        // The words are the store's; its hint is for who makes a lake.
        Error::NotALake { .. } => Problem::new(error.to_string())
            .hint("a lake has a file `traillake.json`; name it with `--lake` or TRAILLAKE_LAKE")
            .into(),
        other => not_opened(location, other),
    }
}

/// Opens the lake for writing, and creates it in a folder that is empty or absent.
pub async fn open_or_create(session: &Session) -> anyhow::Result<Lake> {
    let location = session.settings.lake();
    let options = options(session, &location).await?;
    let opened = Lake::open_or_create_with(&location, options).await;
    opened.map_err(|error| not_opened(&location, error))
}

/// Returns whether there is a lake where the settings say; one of a newer format counts.
pub async fn exists(session: &Session) -> anyhow::Result<bool> {
    let location = session.settings.lake();
    let found = Lake::is_lake_with(&location, options(session, &location).await?).await;
    found.map_err(|error| not_opened(&location, error))
}

/// Returns how a lake is opened: through S3 where its URL says so.
pub async fn options(session: &Session, location: &str) -> anyhow::Result<OpenOptions> {
    if !buckets::is_bucket(location) {
        return Ok(OpenOptions::default());
    }
    let bucket = Some(buckets::lake(location, &session.settings).await?);
    let cache = session.settings.size("s3.cache").filter(|bytes| *bytes > 0);
    let folder = cache.and_then(|_| cache_folder(location));
    let cache = Some(CacheOptions { folder, bytes_max: cache.unwrap_or(0), now: chrono::Utc::now });
    Ok(OpenOptions { bucket, cache, ..OpenOptions::default() })
}

/// Returns the folder for what is kept of a lake in S3: one for each lake.
fn cache_folder(location: &str) -> Option<PathBuf> {
    let folder = env_vars::read(env_vars::XDG_CACHE_HOME).map(PathBuf::from);
    let folder =
        folder.or_else(|| Some(PathBuf::from(env_vars::read(env_vars::HOME)?).join(".cache")))?;
    let name: String = location
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' })
        .collect();
    let endpoint = env_vars::read(env_vars::AWS_ENDPOINT_URL_S3).unwrap_or_default();
    let mut hasher = std::hash::DefaultHasher::new();
    (location, endpoint).hash(&mut hasher);
    Some(folder.join("traillake").join(format!("{name}-{:016x}", hasher.finish())))
}

/// Returns the folder of a lake on a local disk.
pub fn local_folder(location: &str) -> Option<PathBuf> {
    match location.strip_prefix("file://") {
        Some(path) => Some(PathBuf::from(path)),
        None if location.contains("://") => None,
        None => Some(PathBuf::from(location)),
    }
}

/// Refuses a place to write to that lies in the lake, which has nothing in it but what is its own.
pub async fn refuse_inside(session: &Session, output: Option<&Path>) -> anyhow::Result<()> {
    let location = session.settings.lake();
    let (Some(output), Some(folder)) = (output, local_folder(&location)) else { return Ok(()) };
    if !resolved(output).starts_with(resolved(&folder)) || !exists(session).await? {
        return Ok(());
    }
    let output = output.display();
    Err(Problem::new(format!("`{output}` lies in the lake at `{location}`"))
        .hint("write to a place outside: a lake holds nothing but its own")
        .into())
}

/// Returns the path with links resolved, also when its last parts do not exist yet.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            part => resolved.push(part),
        }
        resolved = resolved.canonicalize().unwrap_or(resolved);
    }
    resolved
}

fn not_opened(location: &str, error: Error) -> anyhow::Error {
    match error {
        // These say everything, hint included.
        Error::NotALake { .. }
        | Error::NoHardLinks { .. }
        | Error::NoConditionalWrites { .. }
        | Error::Location { .. } => error.into(),
        other => {
            anyhow::Error::new(other).context(format!("could not open the lake at `{location}`"))
        }
    }
}
