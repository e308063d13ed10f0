//! Where an answer goes: standard output, or a file that appears whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use super::Sink;
use crate::failure::Problem;

/// A file under way: written beside its name, then renamed, or copied behind what is there.
pub struct Destination {
    path: PathBuf,
    mode: Mode,
    partial: TempPath,
}

/// What becomes of a file of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Keep,
    Replace,
    Append,
}

impl Destination {
    /// Returns a destination at `path` and the sink to write to. An existing file is refused
    /// unless `force`, before anything is computed.
    pub fn create(path: &Path, force: bool) -> anyhow::Result<(Destination, Sink)> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        Destination::beside(path, if force { Mode::Replace } else { Mode::Keep })
    }

    /// Returns a destination behind what the file at `path` holds, and the sink to write to.
    pub fn append(path: &Path) -> anyhow::Result<(Destination, Sink)> {
        Destination::beside(path, Mode::Append)
    }

    fn beside(path: &Path, mode: Mode) -> anyhow::Result<(Destination, Sink)> {
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
        Ok((Destination { path: path.to_path_buf(), mode, partial }, sink))
    }

    /// Gives the file its name. The sink must be flushed.
    pub fn publish(self) -> anyhow::Result<()> {
        let path = self.path;
        let done = match self.mode {
            Mode::Replace => self.partial.persist(&path).map_err(|error| error.error),
            Mode::Keep => self.partial.persist_noclobber(&path).map_err(|error| error.error),
            Mode::Append => copy_behind(&self.partial, &path),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(taken(&path)),
            Err(error) => {
                Err(Problem::new(format!("could not write `{}`", path.display())).because(error))
            }
        }
    }
}

fn copy_behind(partial: &Path, path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    std::io::copy(&mut File::open(partial)?, &mut file)?;
    Ok(())
}

fn taken(path: &Path) -> anyhow::Error {
    Problem::new(format!("`{}` exists", path.display()))
        .hint("give another name, or `--force` to replace it")
        .into()
}
