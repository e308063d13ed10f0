//! How large the rows of a file are once they are decoded, as its footer tells.
//!
//! Of texts in a dictionary a file has each once, and the decoded column has them in every row: what
//! is read of a file says nothing of what it becomes. Writers put the decoded size of texts beside
//! them, for each column of a row group and for each page.

use std::iter::successors;
use std::ops::Range;

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

/// Sizes of rows.
pub(super) struct Sizes {
    /// Bytes of a row of each row group, on average.
    groups: Vec<usize>,
    pages: Vec<Page>,
}

/// Values of one column.
struct Page {
    column: usize,
    rows: Range<usize>,
    /// Bytes of a row's values, on average.
    row_bytes: usize,
}

impl Sizes {
    /// What a footer tells.
    pub fn of(footer: &ParquetMetaData) -> Sizes {
        let (mut groups, mut pages, mut start) = (Vec::new(), Vec::new(), 0);
        for (number, group) in footer.row_groups().iter().enumerate() {
            let rows = start..start + usize::try_from(group.num_rows()).unwrap_or_default();
            let mut row_bytes = 0;
            for (column, chunk) in group.columns().iter().enumerate() {
                let index = footer.offset_index().and_then(|of| of.get(number)?.get(column));
                row_bytes += values(chunk, rows.len()) + texts(chunk, index, rows.len());
                pages.extend(pages_of(column, chunk, index, &rows));
            }
            groups.push(row_bytes.max(1));
            start = rows.end;
        }
        Sizes { groups, pages }
    }

    /// Bytes of a row, on average, in that of some row groups where they are most.
    pub fn row_bytes(&self, groups: &[usize]) -> usize {
        groups.iter().map(|group| self.groups[*group]).max().unwrap_or(1)
    }

    /// How many rows from `from` on fit into so many bytes: one at least, `most` at most. Rows of a page
    /// are taken to be as large as its average.
    pub fn fitting(&self, from: usize, most: usize, bytes: usize) -> usize {
        let shorter = |rows: &usize| (*rows > 1).then_some(*rows / 2);
        let fitting = successors(Some(most), shorter)
            .map(|rows| (bytes / self.largest(&(from..from + rows)).max(1)).clamp(1, rows));
        fitting.max().unwrap_or(1)
    }

    /// Bytes of a row that has of each column the largest values of a range.
    fn largest(&self, rows: &Range<usize>) -> usize {
        let mut columns: Vec<usize> = Vec::new();
        let meets = |page: &&Page| page.rows.start < rows.end && rows.start < page.rows.end;
        for page in self.pages.iter().filter(meets) {
            columns.resize(columns.len().max(page.column + 1), 0);
            columns[page.column] = columns[page.column].max(page.row_bytes);
        }
        columns.iter().sum()
    }
}

/// The pages of a column of a row group; all of it as one where the footer does not tell of pages.
fn pages_of(
    column: usize,
    chunk: &ColumnChunkMetaData,
    index: Option<&OffsetIndexMetaData>,
    rows: &Range<usize>,
) -> Vec<Page> {
    let values = values(chunk, rows.len());
    let told = index.and_then(|index| Some((index, index.unencoded_byte_array_data_bytes()?)));
    let Some((index, bytes)) = told else {
        let row_bytes = values + texts(chunk, index, rows.len());
        return vec![Page { column, rows: rows.clone(), row_bytes }];
    };
    let starts = index.page_locations().iter();
    let starts: Vec<usize> = starts.map(|at| rows.start + size(at.first_row_index)).collect();
    let ends = starts.iter().skip(1).copied().chain([rows.end]);
    let page = |((start, end), bytes): ((usize, usize), &i64)| Page {
        column,
        rows: start..end,
        row_bytes: values + size(*bytes) / end.saturating_sub(start).max(1),
    };
    starts.iter().copied().zip(ends).zip(bytes).map(page).collect()
}

/// Bytes of a row's values of one column, their texts apart: numbers, and where texts begin.
fn values(chunk: &ColumnChunkMetaData, rows: usize) -> usize {
    size_of::<i64>() * size(chunk.num_values()) / rows.max(1)
}

/// Bytes of a row's texts of one column: as the chunk tells, or its pages, which do so also where a
/// column has no statistics. Where a dictionary's are not told they are taken at their worst, as if
/// all of it were one text.
fn texts(chunk: &ColumnChunkMetaData, index: Option<&OffsetIndexMetaData>, rows: usize) -> usize {
    if chunk.column_type() != Type::BYTE_ARRAY {
        return 0;
    }
    let of_pages = || Some(index?.unencoded_byte_array_data_bytes()?.iter().sum());
    match chunk.unencoded_byte_array_data_bytes().or_else(of_pages) {
        Some(bytes) => size(bytes) / rows.max(1),
        None if chunk.dictionary_page_offset().is_some() => size(chunk.uncompressed_size()),
        None => size(chunk.uncompressed_size()) / rows.max(1),
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
