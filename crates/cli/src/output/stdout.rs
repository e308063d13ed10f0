//! Standard output, whose reader may go away, as `head` does.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Standard output. Its errors tell that its reader went away from a socket that broke: the first
/// ends a command in silence, the second is a failure.
pub struct Stdout(io::Stdout);

/// Whoever read standard output reads no more.
#[derive(Debug)]
pub struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

impl Stdout {
    /// Returns the standard output of this process.
    pub fn new() -> Stdout {
        Stdout(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(told)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(told)
    }
}

fn told(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => io::Error::new(ErrorKind::BrokenPipe, ReaderGone),
        _ => error,
    }
}
