//! Where an answer goes: standard output, or a file that appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use super::Sink;
use crate::failure::Problem;

/// A file under way: written beside its name, then renamed.
pub struct Destination {
    path: PathBuf,
    force: bool,
    partial: TempPath,
}

impl Destination {
    /// Returns a destination at `path` and the sink to write to. An existing file is refused
    /// unless `force`, before anything is computed.
    pub fn create(path: &Path, force: bool) -> anyhow::Result<(Destination, Sink)> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = Builder::new();
        builder.prefix(".traillake-").suffix(".partial");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(|error| {
            Problem::new(format!("could not write `{}`", path.display())).because(error)
        })?;
        let (file, partial): (File, TempPath) = file.into_parts();
        let sink: Box<dyn Write + Send> = Box::new(BufWriter::new(file));
        Ok((Destination { path: path.to_path_buf(), force, partial }, sink))
    }

    /// Gives the file its name. The sink must be flushed.
    pub fn publish(self) -> anyhow::Result<()> {
        let path = self.path;
        let done = match self.force {
            true => self.partial.persist(&path),
            false => self.partial.persist_noclobber(&path),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(taken(&path))
            }
            Err(error) => {
                Err(Problem::new(format!("could not write `{}`", path.display()))
                    .because(error.error))
            }
        }
    }
}

fn taken(path: &Path) -> anyhow::Error {
    Problem::new(format!("`{}` exists", path.display()))
        .hint("give another name, or `--force` to replace it")
        .into()
}
