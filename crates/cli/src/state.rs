//! Where a server keeps its state: credentials, history, kept answers.

use std::path::PathBuf;

use clap::Args;
use traillake_server::State;

use crate::env_vars;
use crate::failure::Problem;

/// The flag that names the folder.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The folder of the server's state [default: traillake in the user's state folder]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// The file of the first token, alone on its line.
pub const TOKEN_FILE: &str = "token";
/// The file of the first access key, as AWS's clients read it.
pub const KEY_FILE: &str = "aws-credentials";
/// The file that makes a folder a server's state.
const STATE_FILE: &str = "state.db";

impl StateArgs {
    /// Opens the state, and creates what is missing.
    pub fn open(&self) -> anyhow::Result<State> {
        Ok(State::open(&self.folder()?)?)
    }

    /// Opens the state, which must be there: another one knows nothing of what is asked.
    pub fn open_existing(&self) -> anyhow::Result<State> {
        let folder = self.folder()?;
        // What cannot be looked at is told when it is opened.
        if !folder.join(STATE_FILE).try_exists().unwrap_or(true) {
            let message = format!("there is no server's state at `{}`", folder.display());
            return Err(Problem::new(message)
                .hint("name it with `--state DIR`; `serve`, `token add` and `key add` make one")
                .into());
        }
        Ok(State::open(&folder)?)
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        self.state.clone().map_or_else(default_folder, Ok)
    }
}

fn default_folder() -> anyhow::Result<PathBuf> {
    let user = env_vars::read(env_vars::XDG_STATE_HOME).map(PathBuf::from);
    let home = || Some(PathBuf::from(env_vars::read(env_vars::HOME)?).join(".local/state"));
    let folder = user.or_else(home).ok_or_else(|| {
        Problem::new("there is no home folder for the server's state").hint("add `--state DIR`")
    })?;
    Ok(folder.join("traillake"))
}
