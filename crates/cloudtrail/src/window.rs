//! A view on the inflated bytes of an object: all of them at once, or a part that moves on.

use std::io::{self, Read};

/// Bytes read at a time; doubled while one record does not fit.
const STEP_BYTES: usize = 1 << 20;

/// The bytes of an object from some offset on. Offsets are those of the inflated object.
pub(crate) enum Window<'a> {
    /// All of them.
    Held(&'a [u8]),
    /// What was read of a stream and is still needed.
    Stream { input: &'a mut dyn Read, buffer: Vec<u8>, start: usize, ended: bool },
}

impl<'a> Window<'a> {
    /// Returns a view that moves over a stream.
    pub fn stream(input: &'a mut dyn Read) -> Window<'a> {
        Window::Stream { input, buffer: Vec::new(), start: 0, ended: false }
    }

    /// Returns what is known from an offset on, which must not lie before the last one kept.
    #[inline]
    pub fn from(&self, at: usize) -> &[u8] {
        match self {
            Window::Held(bytes) => bytes.get(at..).unwrap_or_default(),
            Window::Stream { buffer, start, .. } => {
                at.checked_sub(*start).and_then(|at| buffer.get(at..)).unwrap_or_default()
            }
        }
    }

    /// Returns whether nothing follows what is known.
    pub fn is_ended(&self) -> bool {
        match self {
            Window::Held(_) => true,
            Window::Stream { ended, .. } => *ended,
        }
    }

    /// Reads more, giving up what stands before `keep`; returns false at the end.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn more(&mut self, keep: usize) -> io::Result<bool> {
        let Window::Stream { input, buffer, start, ended } = self else { return Ok(false) };
        if *ended {
            return Ok(false);
        }
        let dropped = keep.saturating_sub(*start).min(buffer.len());
        buffer.drain(..dropped);
        *start += dropped;
        let filled = buffer.len();
        buffer.resize(filled + STEP_BYTES.max(filled), 0);
        let mut end = filled;
        while end < buffer.len() {
            let read = input.read(&mut buffer[end..])?;
            if read == 0 {
                *ended = true;
                break;
            }
            end += read;
        }
        buffer.truncate(end);
        Ok(end > filled)
    }
}

/// Finds where a value ends without asking whether it is JSON: strings and brackets only.
///
/// It goes on where it stopped, so a value of any size costs no memory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Skipper {
    /// Brackets open.
    pub depth: usize,
    /// Within a string.
    pub in_string: bool,
    escaped: bool,
    started: bool,
    by_line: bool,
}

/// How a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// After so many bytes.
    End(usize),
    /// With a line break in a string: no JSON.
    Broken,
    /// Not yet.
    Open,
}

impl Skipper {
    /// Returns one to which a line break in a string says that a quote is missing.
    pub fn by_line() -> Skipper {
        Skipper { by_line: true, ..Skipper::default() }
    }

    /// Takes further bytes of the value.
    pub fn feed(&mut self, bytes: &[u8]) -> Skipped {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    b'\n' if self.by_line => return Skipped::Broken,
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Skipped::End(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return Skipped::End(at),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Skipped::End(at + 1);
                    }
                }
                // A word or a number ends where the next thing starts.
                b',' | b'\n' | b' ' | b'\t' | b'\r' | b':' if self.depth == 0 && self.started => {
                    return Skipped::End(at);
                }
                _ => {}
            }
            self.started = true;
        }
        Skipped::Open
    }
}
