//! Standard input: one log file or archive through a pipe.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use traillake_cloudtrail::Limits;
use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, is_archive};

use super::archive::ArchiveSource;
use super::{Contents, Found, LogSource, SourceObject, Spool, Stamp};
use crate::error::{Error, Result};

/// What came through a pipe.
///
/// It has no name that would mean the same tomorrow, so its key is the hash of its bytes:
/// `stdin:sha256:<hex>`. The same bytes piped in again are known.
pub(crate) struct StdinSource {
    key: String,
    spool: Spool,
}

impl StdinSource {
    /// Reads `input` to its end and returns the source it makes: an archive's members, or itself.
    ///
    /// It is set aside on disk first, because an object is hashed before it is decoded and a zip
    /// archive is read from its end.
    ///
    /// # Errors
    /// When the input cannot be read or set aside.
    pub(crate) fn open(
        input: &mut dyn Read,
        limits: &Limits,
        temp_dir: &Path,
    ) -> Result<Arc<dyn LogSource>> {
        let mut hash = Sha256::new();
        let mut broken = None;
        let spooled = Spool::write(temp_dir, |output| {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = match input.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        broken = Some(error);
                        return Ok(());
                    }
                };
                hash.update(&buffer[..read]);
                output.write_all(&buffer[..read])?;
            }
        });
        if let Some(error) = broken {
            return Err(Error::Stdin(error));
        }
        let folder = || temp_dir.to_path_buf();
        let (spool, ()) =
            spooled.map_err(|source| Error::Temporary { folder: folder(), source })?;
        let mut key = String::from("stdin:sha256:");
        for byte in hash.finalize() {
            let _ = write!(key, "{byte:02x}");
        }
        let mut head = Vec::new();
        let read = spool.reader().take(HEAD_BYTES as u64).read_to_end(&mut head);
        read.map_err(|source| Error::Temporary { folder: folder(), source })?;
        if is_archive(&head) {
            let stamp = Stamp { size_bytes: spool.len(), modified_at: None };
            let archive = ArchiveSource::spooled(spool, key, stamp, limits.clone(), folder());
            return Ok(Arc::new(archive));
        }
        Ok(Arc::new(StdinSource { key, spool }))
    }
}

impl LogSource for StdinSource {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        let object = SourceObject::listed(self.key.as_str(), self.spool.len(), None);
        let _ = found(Found::Object(object));
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        for object in objects {
            if take(object, Contents::Spooled(self.spool.clone())).is_break() {
                return;
            }
        }
    }
}
