//! The lake that the settings name.

use std::path::PathBuf;

use traillake_store::{Error, Lake};

use crate::failure::Problem;
use crate::session::Session;

/// Opens the lake for reading; creates nothing.
pub async fn open(session: &Session) -> anyhow::Result<Lake> {
    let location = session.settings.lake();
    Lake::open(&location).await.map_err(|error| match error {
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
    Lake::open_or_create(&location).await.map_err(|error| not_opened(&location, error))
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
        Error::NotALake { .. } | Error::NoHardLinks { .. } | Error::Location { .. } => error.into(),
        other => {
            anyhow::Error::new(other).context(format!("could not open the lake at `{location}`"))
        }
    }
}
