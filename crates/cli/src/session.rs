//! What every command has at hand: the settings, a voice, the terminal, the time.

use chrono::{DateTime, Utc};
use tracing_subscriber::EnvFilter;

use crate::args::GlobalArgs;
use crate::closest::closest;
use crate::config::{self, Places, Settings};
use crate::env_vars;
use crate::talk::Talk;
use crate::terminal::{Terminal, wants_color};

/// What every command has at hand.
#[derive(Clone)]
pub struct Session {
    /// Every setting, resolved.
    pub settings: Settings,
    /// The voice on standard error.
    pub talk: Talk,
    /// What the program is connected to.
    pub terminal: Terminal,
    /// When the program was started.
    pub now: DateTime<Utc>,
}

impl Session {
    /// Returns the session that these flags, the environment and the configuration files ask for.
    pub fn open(flags: &GlobalArgs, now: DateTime<Utc>) -> anyhow::Result<Session> {
        let named =
            flags.config.clone().or_else(|| env_vars::read(env_vars::CONFIG).map(Into::into));
        if let Some(path) = named.as_deref().filter(|path| !path.exists()) {
            anyhow::bail!("there is no configuration file `{}`", path.display());
        }
        let settings = Settings::resolve(&Places {
            flags: flags.settings(),
            env: &env_vars::read,
            files: config::files(named.as_deref(), &env_vars::read),
        })?;
        let terminal = Terminal::detect();
        let json = settings.text("log-format") == "json";
        let color = wants_color(settings.text("color"), terminal.stderr);
        let talk = Talk::new(flags.quiet, json, color);
        start_log(flags.verbose, json, color);
        warn_of_misspelt_variables(&talk);
        Ok(Session { settings, talk, terminal, now })
    }

    /// Returns whether to draw a progress bar.
    pub fn draws_progress(&self) -> bool {
        self.terminal.stderr
            && !self.talk.is_quiet()
            && self.settings.text("progress") == "true"
            && self.settings.text("log-format") == "text"
    }
}

/// Sends log lines to standard error: warnings, and with `-v` information, with `-vv` details.
fn start_log(verbose: u8, json: bool, color: bool) {
    let level = match verbose {
        // What the log's reader cannot read comes back as an error, and is told as one.
        0 => "error,buoyant_kernel=off",
        1 => "warn,traillake=info",
        2 => "info,traillake=debug",
        _ => "debug,traillake=trace",
    };
    let filter = env_vars::read(env_vars::LOG).unwrap_or_else(|| level.to_owned());
    let filter = EnvFilter::builder().parse_lossy(filter);
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_ansi(color);
    // Fails only when a log was started already, which only tests do.
    let _ = match json {
        true => log.json().try_init(),
        false => log.try_init(),
    };
}

fn warn_of_misspelt_variables(talk: &Talk) {
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TRAILLAKE_")) else {
            continue;
        };
        if !env_vars::OURS.contains(&name) {
            let known = closest(name, env_vars::OURS.iter().copied());
            let hint = known.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
            talk.warn(&format!("environment variable `{name}` sets nothing{hint}"));
        }
    }
}
