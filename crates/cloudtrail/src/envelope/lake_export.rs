//! Results of a CloudTrail Lake query, as Lake writes them to S3 (`result_1.csv.gz`): comma-separated
//! values by RFC 4180 with the whole record as text in the column `eventJson`.
//!
//! A record's bytes are those of the cell once its doubled quotes are single again. A row that is not
//! well-formed is a reject, and the next line is taken for the next row.

use memchr::memchr;

use super::{Body, Halt, Walk, Walker, reason_of};

/// The column that holds the record. Lake's names are case-insensitive.
const COLUMN: &[u8] = b"eventJson";
/// Bytes in which a header must end.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Rows that are not well-formed before the rest counts as one: after each, lines are read again.
const BROKEN_MAX: u32 = 100;

/// Where a value stands in the object, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: usize,
    end: usize,
    is_quoted: bool,
}

/// A row of the file.
#[derive(Debug, PartialEq, Eq)]
enum Row {
    /// Its values, and where the next begins.
    Cells(Vec<Cell>, usize),
    /// Not well-formed.
    Broken(&'static str),
}

/// Reads one row; it goes on where it stopped when more of the file is known.
#[derive(Debug)]
struct Scan {
    at: usize,
    state: State,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before a value.
    Before,
    /// In a value without quotes, from here on.
    Bare(usize),
    /// In a value with quotes.
    Quoted(usize),
    /// Behind a quote that may be doubled or the last.
    Quote(usize),
    /// Behind the last quote and a carriage return.
    Return(usize, usize),
}

impl Scan {
    fn from(at: usize) -> Scan {
        Scan { at, state: State::Before, cells: Vec::new() }
    }

    /// Goes on over `known`, what is known of the file from where it stopped; none when that does not
    /// hold the end of the row.
    fn go_on(&mut self, known: &[u8], is_end: bool) -> Option<Row> {
        let base = self.at;
        let mut ahead = 0;
        while let Some(byte) = known.get(ahead).copied() {
            let at = base + ahead;
            let ends = matches!(byte, b',' | b'\n');
            self.state = match (self.state, byte) {
                (State::Before, b'"') => State::Quoted(at + 1),
                (State::Before, _) if !ends => State::Bare(at),
                (State::Before, _) => self.cell(at, at, false),
                (State::Bare(_), b'"') => {
                    return Some(Row::Broken("a quote within a value that has none"));
                }
                (State::Bare(start), _) if ends => self.cell(start, at, false),
                (State::Quoted(start), b'"') => State::Quote(start),
                (State::Quoted(start), _) => {
                    let skipped = memchr(b'"', &known[ahead..]);
                    ahead += skipped.unwrap_or(known.len() - ahead).saturating_sub(1);
                    State::Quoted(start)
                }
                (State::Quote(start), b'"') => State::Quoted(start),
                (State::Quote(start), _) if ends => self.cell(start, at - 1, true),
                (State::Quote(start), b'\r') => State::Return(start, at - 1),
                (State::Return(start, end), b'\n') => self.cell(start, end, true),
                (State::Quote(_) | State::Return(..), _) => {
                    return Some(Row::Broken("text behind a value in quotes"));
                }
                (bare, _) => bare,
            };
            ahead += 1;
            if byte == b'\n' && matches!(self.state, State::Before) {
                self.at = base + ahead;
                return Some(self.row());
            }
        }
        self.at = base + ahead;
        if !is_end {
            return None;
        }
        match self.state {
            State::Before => self.cell(self.at, self.at, false),
            State::Bare(start) => self.cell(start, self.at, false),
            State::Quote(start) => self.cell(start, self.at - 1, true),
            State::Return(start, end) => self.cell(start, end, true),
            State::Quoted(_) => return Some(Row::Broken("a quote that is never closed")),
        };
        Some(self.row())
    }

    fn cell(&mut self, start: usize, end: usize, is_quoted: bool) -> State {
        self.cells.push(Cell { start, end, is_quoted });
        State::Before
    }

    fn row(&mut self) -> Row {
        Row::Cells(std::mem::take(&mut self.cells), self.at)
    }
}

/// Returns whether a file begins with the header of a Lake query's result that has whole records.
pub(crate) fn is_lake_export(start: &[u8]) -> bool {
    column_of(start).is_some()
}

/// Number of the column of records, and how many columns there are.
fn column_of(start: &[u8]) -> Option<(usize, usize)> {
    let start = &start[..start.len().min(HEADER_BYTES_MAX)];
    let line = &start[..memchr(b'\n', start).map_or(start.len(), |end| end + 1)];
    let Some(Row::Cells(cells, _)) = Scan::from(0).go_on(line, true) else { return None };
    let is_it =
        |cell: &Cell| line[cell.start..cell.end].trim_ascii_end().eq_ignore_ascii_case(COLUMN);
    Some((cells.iter().position(is_it)?, cells.len()))
}

impl Walker<'_> {
    /// Walks over the rows of a Lake query's result; whether the object at `at` is one.
    pub(super) fn lake_export(&mut self, at: usize) -> Walk<bool> {
        if matches!(self.peek(at)?, None | Some(b'{' | b'[' | b' ' | b'\n' | b'\r' | b'\t')) {
            return Ok(false);
        }
        while memchr(b'\n', self.window.from(at)).is_none()
            && self.window.from(at).len() < HEADER_BYTES_MAX
            && self.window.more(at)?
        {}
        let Some((column, width)) = column_of(self.window.from(at)) else { return Ok(false) };
        self.recognise(Body::LakeExport);
        let mut at = self.end_of_line(at)?;
        let mut broken = 0;
        while self.peek(at)?.is_some() {
            at = match self.export_row(at)? {
                Row::Cells(_, end) if self.window.from(at)[..end - at].trim_ascii().is_empty() => {
                    end
                }
                Row::Cells(cells, end) if cells.len() != width => {
                    let reason = format!("a row of {} values under {width} names", cells.len());
                    self.reject_row(at, reason, end);
                    end
                }
                Row::Cells(cells, end) => {
                    self.export_cell(at, cells[column], end);
                    end
                }
                Row::Broken(reason) => {
                    let end = self.end_of_line(at)?;
                    self.reject_row(at, format!("a malformed row: {reason}"), end);
                    broken += 1;
                    if broken == BROKEN_MAX {
                        return Err(self.cut(end));
                    }
                    end
                }
            };
            if self.visit.is_done() {
                return Err(Halt::End);
            }
        }
        Ok(true)
    }

    fn export_row(&mut self, at: usize) -> Walk<Row> {
        let bytes_max = self.limits.record_bytes_max.saturating_mul(2);
        let mut scan = Scan::from(at);
        loop {
            let is_end = self.window.is_ended();
            if let Some(row) = scan.go_on(self.window.from(scan.at), is_end) {
                return Ok(row);
            }
            if scan.at - at > bytes_max {
                return Ok(Row::Broken("larger than a row may be"));
            }
            self.window.more(at)?;
        }
    }

    /// Where the line after `at` begins; what stands from `at` on stays, up to a bound.
    fn end_of_line(&mut self, at: usize) -> Walk<usize> {
        let mut ahead = at;
        loop {
            let known = self.window.from(ahead);
            if let Some(end) = memchr(b'\n', known) {
                return Ok(ahead + end + 1);
            }
            ahead += known.len();
            let keep = if ahead - at > self.limits.record_bytes_max { ahead } else { at };
            if !self.window.more(keep)? {
                return Ok(ahead);
            }
        }
    }

    fn reject_row(&mut self, at: usize, reason: String, end: usize) {
        let known = self.window.from(at);
        let known = &known[..known.len().min(end - at)];
        self.visit.reject(at, reason, end - at, known);
    }

    /// The record of the row from `at` to `end`.
    fn export_cell(&mut self, at: usize, cell: Cell, end: usize) {
        let raw = &self.window.from(cell.start)[..cell.end - cell.start];
        let Ok(text) = std::str::from_utf8(raw) else {
            return self.reject_row(at, "its event is no UTF-8".to_owned(), end);
        };
        let text = if cell.is_quoted { text.replace("\"\"", "\"") } else { text.to_owned() };
        let record = text.trim_matches([' ', '\n', '\r', '\t']);
        if record.is_empty() {
            return self.reject_row(at, "a row without an event".to_owned(), end);
        }
        let reason = match self.visit.record(cell.start, record) {
            Ok(length) if length == record.len() => return,
            Ok(_) => "text after the record".to_owned(),
            Err(stop) => reason_of(stop),
        };
        self.visit.reject(cell.start, reason, record.len(), record.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of every row, however the file is cut into pieces.
    fn check(file: &str, expected: &[Result<&[&str], &str>]) {
        for piece in [1, 2, 7, file.len().max(1)] {
            let (bytes, mut found, mut at) = (file.as_bytes(), Vec::new(), 0);
            while at < bytes.len() {
                let mut scan = Scan::from(at);
                let mut known = (at + piece).min(bytes.len());
                let row = loop {
                    let is_end = known == bytes.len();
                    if let Some(row) = scan.go_on(&bytes[scan.at..known], is_end) {
                        break row;
                    }
                    known = (known + piece).min(bytes.len());
                };
                match row {
                    Row::Cells(cells, end) => {
                        let texts = cells.iter().map(|cell| &file[cell.start..cell.end]);
                        found.push(Ok(texts.map(str::to_owned).collect::<Vec<_>>()));
                        at = end;
                    }
                    Row::Broken(reason) => {
                        found.push(Err(reason.to_owned()));
                        break;
                    }
                }
            }
            let expected: Vec<Result<Vec<String>, String>> = expected
                .iter()
                .map(|row| match row {
                    Ok(cells) => Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()),
                    Err(reason) => Err((*reason).to_owned()),
                })
                .collect();
            assert_eq!(found, expected, "{file:?} in pieces of {piece}");
        }
    }

    #[test]
    fn rows_are_read_as_rfc_4180_has_them() {
        check("a,b\nc,d", &[Ok(&["a", "b"]), Ok(&["c", "d"])]);
        check("a,b\n", &[Ok(&["a", "b"])]);
        check(",\n,", &[Ok(&["", ""]), Ok(&["", ""])]);
        check("\"a,\nb\",\"\"\r\nc,d\n", &[Ok(&["a,\nb", ""]), Ok(&["c", "d"])]);
        check("\"say \"\"x\"\"\",y\n", &[Ok(&["say \"\"x\"\"", "y"])]);
        check("\"\"\"\"", &[Ok(&["\"\""])]);
        check("\"a\"", &[Ok(&["a"])]);
        check("\"a\"\r\n", &[Ok(&["a"])]);
        check("a\n\nb\n", &[Ok(&["a"]), Ok(&[""]), Ok(&["b"])]);
        check("a\"b\n", &[Err("a quote within a value that has none")]);
        check("\"a\"b\n", &[Err("text behind a value in quotes")]);
        check("\"a\"\rb\n", &[Err("text behind a value in quotes")]);
        check("x\n\"a\nb\n", &[Ok(&["x"]), Err("a quote that is never closed")]);
    }

    #[test]
    fn a_header_is_known_by_the_column_of_events() {
        for (start, is_one) in [
            ("eventJson\n", true),
            ("eventID,\"eventjson\",eventName\r\nx", true),
            ("eventName,EVENTJSON", true),
            ("eventName,eventID\neventJson\n", false),
            ("{\"eventJson\":1}", false),
            ("", false),
        ] {
            assert_eq!(is_lake_export(start.as_bytes()), is_one, "{start:?}");
        }
    }
}
