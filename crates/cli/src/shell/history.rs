//! Files of the shell: what was typed before, and what is being edited.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::env_vars;
use crate::failure::Problem;

/// Returns the file of the history, which only its owner may read: statements hold names, ids and
/// addresses that are being looked for.
pub fn file() -> anyhow::Result<PathBuf> {
    let path = match env_vars::read(env_vars::HISTORY) {
        Some(path) => PathBuf::from(path),
        None => state_folder().context("there is no home folder")?.join("history"),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    private_file(&path)?;
    Ok(path)
}

/// Opens the user's editor on `statement` and returns what was saved.
pub fn edit(statement: &str) -> anyhow::Result<String> {
    let mut file = tempfile::Builder::new().prefix("traillake-").suffix(".sql").tempfile()?;
    writeln!(file, "{statement}")?;
    let editor = env_vars::read(env_vars::VISUAL).or_else(|| env_vars::read(env_vars::EDITOR));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = std::process::Command::new(program).args(words).arg(file.path()).status();
    let status = status.map_err(|error| {
        Problem::new(format!("could not start the editor `{editor}`"))
            .hint("name another one in EDITOR")
            .because(error)
    })?;
    if !status.success() {
        return Err(Problem::new(format!("the editor `{editor}` gave up")).into());
    }
    Ok(std::fs::read_to_string(file.path())?)
}

fn state_folder() -> Option<PathBuf> {
    let state = env_vars::read(env_vars::XDG_STATE_HOME).map(PathBuf::from);
    let state =
        state.or_else(|| Some(PathBuf::from(env_vars::read(env_vars::HOME)?).join(".local/state")));
    state.map(|folder| folder.join("traillake"))
}

/// Creates the file when it is missing, and takes everybody else's rights away.
fn private_file(path: &std::path::Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nobody_else_reads_the_history() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("history");
        std::fs::write(&path, "SELECT 1\n")?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
        let file = super::private_file(&path)?;
        assert_eq!(file.metadata()?.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path)?, "SELECT 1\n");
        Ok(())
    }
}
