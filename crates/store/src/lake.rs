//! Lakes and the stores in them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::ObjectStore;
use uuid::Uuid;

use crate::durable::{Fsync, RealFsync};
use crate::error::{Error, Result};
use crate::round::{StepHook, StoreWriter};
use crate::snapshot::{At, StoreSnapshot};
use crate::spec::StoreSpec;

/// Puts something between a lake and its storage; for tests.
pub type Wrap = Arc<dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync>;

/// How a lake is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// Put around the object store that everything of the lake goes through.
    pub wrap: Option<Wrap>,
    /// How files are made durable.
    pub fsync: Arc<dyn Fsync>,
    /// Called at every step of rounds and of recovery.
    pub steps: Option<StepHook>,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions { wrap: None, fsync: Arc::new(RealFsync), steps: None }
    }
}

/// A lake, open. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    location: String,
}

impl Lake {
    /// Opens the lake at `location`, a path or a `file://` URL. Creates nothing.
    ///
    /// # Errors
    /// [`Error::NoLake`], [`Error::NotALake`], [`Error::NewerFormat`].
    pub async fn open(location: &str) -> Result<Lake> {
        Lake::open_with(location, OpenOptions::default()).await
    }

    /// Opens the lake at `location`, creating it in a folder that is empty or absent.
    ///
    /// # Errors
    /// [`Error::NotALake`], [`Error::NoHardLinks`], [`Error::NewerFormat`].
    pub async fn open_or_create(location: &str) -> Result<Lake> {
        Lake::open_or_create_with(location, OpenOptions::default()).await
    }

    /// As [`Lake::open`].
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub async fn open_with(location: &str, _options: OpenOptions) -> Result<Lake> {
        Err(Error::NoLake { location: location.to_string() })
    }

    /// As [`Lake::open_or_create`].
    ///
    /// # Errors
    /// As [`Lake::open_or_create`].
    pub async fn open_or_create_with(location: &str, _options: OpenOptions) -> Result<Lake> {
        Err(Error::NoLake { location: location.to_string() })
    }

    /// Whether there is a lake at `location`.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn is_lake(_location: &str) -> Result<bool> {
        Ok(false)
    }

    /// Where it is, as given.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Its stores, by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>> {
        Ok(Vec::new())
    }

    /// Creates a store that must not exist yet.
    ///
    /// # Errors
    /// [`Error::StoreExists`], [`Error::StoreName`].
    pub async fn create_store(
        &self,
        name: &str,
        _spec: &StoreSpec,
        _now: DateTime<Utc>,
    ) -> Result<StoreInfo> {
        Err(Error::StoreName { name: name.to_string() })
    }

    /// Opens a store for reading.
    ///
    /// # Errors
    /// [`Error::NoStore`].
    pub async fn store(&self, name: &str) -> Result<Store> {
        Err(Error::NoStore { name: name.to_string() })
    }

    /// Opens a store for writing: creates what is missing and completes the last round.
    ///
    /// # Errors
    /// [`Error::StoreName`], [`Error::TableFeatures`].
    pub async fn writer(
        &self,
        name: &str,
        _spec: &StoreSpec,
        _now: DateTime<Utc>,
    ) -> Result<StoreWriter> {
        Err(Error::NoStore { name: name.to_string() })
    }
}

/// Who a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its name, also its folder.
    pub name: String,
    /// Its identity, also the application id of its commits.
    pub id: Uuid,
    /// An ARN-shaped name.
    pub arn: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A store, open for reading. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    info: StoreInfo,
}

impl Store {
    /// Who it is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// One consistent state of all its tables: the latest, or an older one.
    ///
    /// # Errors
    /// [`Error::TooOld`]; when the log cannot be read.
    pub async fn snapshot(&self, _at: Option<At>) -> Result<StoreSnapshot> {
        Err(Error::NoStore { name: self.info.name.clone() })
    }
}
