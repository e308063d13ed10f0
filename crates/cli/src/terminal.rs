//! What the program is connected to.

use std::io::IsTerminal as _;

use crate::env_vars;

/// Which of the standard streams are terminals, and how wide and colourful they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Standard input is a terminal: somebody can type.
    pub stdin: bool,
    /// Standard output is a terminal: somebody reads the data.
    pub stdout: bool,
    /// Standard error is a terminal: somebody reads the talk.
    pub stderr: bool,
    /// The columns of the terminal at standard output.
    pub width: Option<usize>,
}

impl Terminal {
    /// Returns what this process is connected to.
    pub fn detect() -> Terminal {
        let stdout = std::io::stdout();
        let stdout_is_terminal = stdout.is_terminal();
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0.into());
        Terminal {
            stdin: std::io::stdin().is_terminal(),
            stdout: stdout_is_terminal,
            stderr: std::io::stderr().is_terminal(),
            width: width.filter(|_| stdout_is_terminal),
        }
    }
}

/// Returns whether to colour a stream, given the setting `color` and whether it is a terminal.
pub fn wants_color(setting: &str, is_terminal: bool) -> bool {
    match setting {
        "always" => true,
        "never" => false,
        _ => is_terminal && env_vars::read(env_vars::NO_COLOR).is_none(),
    }
}
