//! Lines of a text that somebody else has written: one at a time, and none longer than makes sense.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of a line, at most. A key takes 1,024, three times as many where it is URL-encoded; an
/// inventory may tell beside it whom an object belongs to and who may read it.
const BYTES_MAX: u64 = 1 << 20;

/// Lines of a text, without what ends them. They end with the text, and with what cannot be read.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    is_over: bool,
}

impl<R: Read> Lines<R> {
    /// Returns the lines that `input` holds.
    pub(super) fn of(input: R) -> Lines<R> {
        Lines { input: BufReader::new(input), line: Vec::new(), is_over: false }
    }

    /// Returns the next line, none at the end.
    ///
    /// # Errors
    /// When the next cannot be read; none comes behind it.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        if self.is_over {
            return Ok(None);
        }
        self.is_over = true;
        let wrong = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
        self.line.clear();
        (&mut self.input).take(BYTES_MAX).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.len() as u64 == BYTES_MAX && self.line.last() != Some(&b'\n') {
            return Err(wrong(format!("a line has more than {BYTES_MAX} bytes")));
        }
        let is_end = |byte: &&u8| matches!(**byte, b'\n' | b'\r');
        let ends = self.line.iter().rev().take_while(is_end).count();
        let line = str::from_utf8(&self.line[..self.line.len() - ends]);
        let line = line.map_err(|_| wrong("a line is not UTF-8".to_owned()))?;
        self.is_over = false;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_at_a_time_until_one_cannot_be_read() {
        let check = |text: &[u8], expected: &[&str]| {
            let mut lines = Lines::of(text);
            let mut told = Vec::new();
            while told.len() < 10 {
                match lines.next() {
                    Ok(Some(line)) => told.push(line.to_owned()),
                    Ok(None) => break,
                    Err(error) => told.push(error.to_string()),
                }
            }
            assert_eq!(told, expected, "{}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        };
        check(b"", &[]);
        check(b"a\n\nb\r\nc", &["a", "", "b", "c"]);
        check(b"a\n", &["a"]);
        check(b"a\n\xff\nb\n", &["a", "a line is not UTF-8"]);
        // A line that never ends is not waited for.
        let endless = Lines::of(std::io::repeat(b'x')).next().unwrap_err();
        assert_eq!(endless.to_string(), "a line has more than 1048576 bytes");
    }
}
