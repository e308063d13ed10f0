//! The lake that the settings name.

use std::path::PathBuf;

use traillake_store::{Error, Lake, OpenOptions};

use crate::buckets;
use crate::failure::Problem;
use crate::session::Session;

/// Opens the lake for reading; creates nothing.
pub async fn open(session: &Session) -> anyhow::Result<Lake> {
    let location = session.settings.lake();
    let options = options(&location).await?;
    Lake::open_with(&location, options).await.map_err(|error| match error {
        Error::NoLake { .. } => Problem::new(format!(
            "no lake at `{location}`; run `traillake ingest FOLDER` or `traillake demo`"
        ))
        .into(),
        other => not_opened(&location, other),
    })
}

/// Opens the lake for writing, and creates it in a folder that is empty or absent.
pub async fn open_or_create(session: &Session) -> anyhow::Result<Lake> {
    let location = session.settings.lake();
    let options = options(&location).await?;
    let opened = Lake::open_or_create_with(&location, options).await;
    opened.map_err(|error| not_opened(&location, error))
}

/// Returns whether there is a lake where the settings say; one of a newer format counts.
pub async fn exists(session: &Session) -> anyhow::Result<bool> {
    let location = session.settings.lake();
    let found = Lake::is_lake_with(&location, options(&location).await?).await;
    found.map_err(|error| not_opened(&location, error))
}

/// Returns how a lake is opened: through S3 where its URL says so.
async fn options(location: &str) -> anyhow::Result<OpenOptions> {
    let bucket = match buckets::is_bucket(location) {
        true => Some(buckets::lake(location).await?),
        false => None,
    };
    Ok(OpenOptions { bucket, ..OpenOptions::default() })
}

/// Returns the folder of a lake on a local disk.
pub fn local_folder(location: &str) -> Option<PathBuf> {
    match location.strip_prefix("file://") {
        Some(path) => Some(PathBuf::from(path)),
        None if location.contains("://") => None,
        None => Some(PathBuf::from(location)),
    }
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
