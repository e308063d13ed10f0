//! Where lines come from: a person at a line editor, or a pipe.

use std::borrow::Cow;
use std::io::BufRead as _;

use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder as _, Prompt,
    PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::complete::Words;
use super::history;
use super::meta;
use super::statements::{command_behind, next_statement};
use crate::session::Session;

/// Statements that are remembered.
const HISTORY_LINES: usize = 10_000;
const MENU: &str = "completion";

/// Where lines come from.
pub enum Input {
    /// A person.
    Person(Box<Reedline>),
    /// Standard input, which is no terminal.
    Pipe,
}

/// What was read.
pub enum Line {
    /// One line, or several that belong together, each with its line end.
    Text(String),
    /// Ctrl-C: forget what was typed so far.
    Cleared,
    /// The end of the input.
    End,
}

impl Input {
    /// Returns standard input: with a line editor when it is a terminal.
    pub fn open(session: &Session, words: Words) -> anyhow::Result<Input> {
        if !session.terminal.stdin || !session.terminal.stdout {
            return Ok(Input::Pipe);
        }
        let mut keys = default_emacs_keybindings();
        let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
        let menu = Box::new(ColumnarMenu::default().with_name(MENU));
        let mut editor = Reedline::create()
            .with_validator(Box::new(WholeStatements))
            .with_completer(Box::new(words))
            .with_menu(ReedlineMenu::EngineCompleter(menu))
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_ansi_colors(crate::terminal::wants_color(session.settings.text("color"), true));
        // Without a history file, for whatever reason, the shell still works.
        match history::file()
            .and_then(|path| Ok(FileBackedHistory::with_file(HISTORY_LINES, path)?))
        {
            Ok(history) => editor = editor.with_history(Box::new(history)),
            Err(error) => session.talk.note(&format!("no history is kept: {error:#}")),
        }
        Ok(Input::Person(Box::new(editor)))
    }

    /// Returns true when a person types.
    pub fn is_interactive(&self) -> bool {
        matches!(self, Input::Person(_))
    }

    /// Reads on; `fresh` tells that no statement is half read.
    pub fn read(&mut self, store: &str, fresh: bool) -> anyhow::Result<Line> {
        match self {
            Input::Person(editor) => {
                let prompt = StorePrompt { store: store.to_owned(), fresh };
                Ok(match editor.read_line(&prompt)? {
                    Signal::Success(text) => Line::Text(text + "\n"),
                    Signal::CtrlD => Line::End,
                    _ => Line::Cleared,
                })
            }
            Input::Pipe => {
                let mut line = String::new();
                match std::io::stdin().lock().read_line(&mut line)? {
                    0 => Ok(Line::End),
                    _ => Ok(Line::Text(line)),
                }
            }
        }
    }
}

/// Enter ends the input when a statement is whole, or the line is a command; else it begins a new
/// line.
struct WholeStatements;

impl Validator for WholeStatements {
    fn validate(&self, text: &str) -> ValidationResult {
        let text = text.trim();
        let whole = text.is_empty()
            || meta::spelled_out(text).is_some()
            || next_statement(text).is_some()
            || command_behind(text).is_some();
        if whole { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

struct StorePrompt {
    store: String,
    fresh: bool,
}

impl Prompt for StorePrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        if self.fresh { Cow::Borrowed(&self.store) } else { Cow::Borrowed("") }
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("-> ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(history: {}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_stuck_in_a_statement() {
        for (text, is_whole) in [
            ("", true),
            ("\\d events", true),
            ("help", true),
            ("Exit", true),
            ("quit;", true),
            ("SELECT 1\nFROM events;", true),
            ("SELECT 1\n\\q", true),
            ("quit it\n\n\\q", true),
            ("SELECT 1\nFROM events", false),
            ("SELECT 'a\n\\q", false),
        ] {
            let found = matches!(WholeStatements.validate(text), ValidationResult::Complete);
            assert_eq!(found, is_whole, "{text}");
        }
    }
}
