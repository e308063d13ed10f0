//! What the asker should know beside the rows.

use std::fmt;

/// Why a note is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// A name or construct was accepted, but not as typed.
    Accepted,
    /// An option of the session narrows what the statement reads.
    Restricted,
    /// A table other than `events` that the statement reads holds nothing at all.
    Empty,
    /// The answer is empty, or an aggregate over nothing, and this may be why.
    Absence,
}

/// One sentence beside the rows: standard error on the command line, a warning in a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    /// Why it is there.
    pub kind: NoteKind,
    /// The sentence: lowercase, literals in backticks.
    pub text: String,
}

impl Note {
    /// Returns a note.
    pub(crate) fn new(kind: NoteKind, text: impl Into<String>) -> Note {
        Note { kind, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
