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

impl StateArgs {
    /// Opens the state, and creates what is missing.
    pub fn open(&self) -> anyhow::Result<State> {
        let folder = match &self.state {
            Some(folder) => folder.clone(),
            None => default_folder()?,
        };
        Ok(State::open(&folder)?)
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
