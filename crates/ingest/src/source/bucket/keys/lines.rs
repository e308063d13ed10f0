//! Lines of a text that somebody else has written: one at a time, and none longer than makes sense.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of a line, at most. A key takes 1,024, three times as many where it is URL-encoded; an
/// inventory may tell beside it whom an object belongs to and who may read it.
const BYTES_MAX: u64 = 1 << 20;

/// Bytes of most lines.
const LINE_BYTES: usize = 512;

/// Lines of a text, without what ends them. They end with the text, and with what cannot be read.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    is_over: bool,
}

impl<R: Read> Lines<R> {
    /// Returns the lines that `input` holds.
    pub(super) fn of(input: R) -> Lines<R> {
        Lines { input: BufReader::new(input), is_over: false }
    }

    /// Returns the next line, none at the end.
    fn read(&mut self) -> io::Result<Option<String>> {
        let wrong = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
        let mut line = Vec::with_capacity(LINE_BYTES);
        (&mut self.input).take(BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() as u64 == BYTES_MAX && line.last() != Some(&b'\n') {
            return Err(wrong(format!("a line has more than {BYTES_MAX} bytes")));
        }
        let ends = line.iter().rev().take_while(|byte| matches!(**byte, b'\n' | b'\r')).count();
        line.truncate(line.len() - ends);
        String::from_utf8(line).map(Some).map_err(|_| wrong("a line is not UTF-8".to_owned()))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<io::Result<String>> {
        if self.is_over {
            return None;
        }
        let line = self.read();
        self.is_over = !matches!(line, Ok(Some(_)));
        line.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_at_a_time_until_one_cannot_be_read() {
        let check = |text: &[u8], expected: &[&str]| {
            let told = Lines::of(text).map(|line| line.unwrap_or_else(|error| error.to_string()));
            let told: Vec<String> = told.take(10).collect();
            assert_eq!(told, expected, "{}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        };
        check(b"", &[]);
        check(b"a\n\nb\r\nc", &["a", "", "b", "c"]);
        check(b"a\n", &["a"]);
        check(b"a\n\xff\nb\n", &["a", "a line is not UTF-8"]);
        // A line that never ends is not waited for.
        let endless = Lines::of(std::io::repeat(b'x')).next().unwrap().unwrap_err();
        assert_eq!(endless.to_string(), "a line has more than 1048576 bytes");
    }
}
