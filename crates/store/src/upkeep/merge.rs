//! Files of a table without a time: each is one run in the table's order, and so is what they
//! become.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::RecordBatch;
use arrow::compute::{SortOptions, interleave_record_batch};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use super::fold::Output;
use super::input::Input;
use super::memory::{HeldRows, Memory};
use super::read::Inputs;
use crate::data_file::SLICE_ROWS;
use crate::error::{Error, Result};
use crate::spec::TableSpec;

/// Rows gathered at a time.
const GATHERED_ROWS: usize = 4096;
/// Memory is for three things: rows of the files, the slice so far, and what is gathered of those
/// for this, which is never more than they are.
const SHARES: usize = 3;

/// Copies the rows of all files in the table's order.
///
/// In memory are rows of as many files as fit, of each what comes next, and the slice being gathered.
/// When rows are so large that not every file has a place, the file that was not needed for longest
/// loses its rows, and they are read again when it is its turn: only its next key is kept, and keys
/// are short (of an object the store's limit is 1,024 bytes). So memory is bounded whatever rows are,
/// and what large rows cost is time.
pub(super) async fn in_order(
    table: &TableSpec,
    inputs: &Inputs,
    memory: &Memory,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut merge = Merge::begin(table, inputs, memory)?;
    let mut heads: BinaryHeap<Reverse<(Option<OwnedRow>, usize)>> = BinaryHeap::new();
    for number in 0..inputs.files().len() {
        heads.extend(merge.head(number).await?.map(|head| Reverse((head, number))));
    }
    while let Some(Reverse((_, number))) = heads.pop() {
        merge.take(number).await?;
        heads.extend(merge.head(number).await?.map(|head| Reverse((head, number))));
        if merge.slice.rows() >= SLICE_ROWS || merge.slice.bytes() >= merge.share {
            output.add(merge.next_slice(), false).await?;
        }
    }
    merge.gather()?;
    output.add(merge.next_slice(), false).await
}

struct Merge<'a> {
    table: &'a TableSpec,
    memory: &'a Memory,
    /// Bytes that rows of files may have in memory, and so many the slice.
    share: usize,
    runs: Vec<Run<'a>>,
    /// How often rows of a file were needed.
    turn: u64,
    /// Rows that come next in the slice: file, and row of what is in memory of it.
    taken: Vec<(usize, usize)>,
    slice: HeldRows<'a>,
    nothing: RecordBatch,
}

/// The rows of one file.
struct Run<'a> {
    input: &'a Input,
    converter: RowConverter,
    /// The row of the file that comes next.
    next: usize,
    /// At which turn its rows were needed last.
    needed: u64,
    piece: Option<Piece<'a>>,
}

/// Rows of a file in memory.
struct Piece<'a> {
    /// One batch.
    rows: HeldRows<'a>,
    /// Its sort columns, comparable; none in a table without an order.
    keys: Option<Rows>,
    /// The next row of the batch.
    row: usize,
}

impl<'a> Merge<'a> {
    fn begin(table: &'a TableSpec, inputs: &'a Inputs, memory: &'a Memory) -> Result<Merge<'a>> {
        let runs = inputs.files().iter().map(|input| Run::of(table, input));
        Ok(Merge {
            table,
            memory,
            share: memory.limit() / SHARES,
            runs: runs.collect::<Result<_>>()?,
            turn: 0,
            taken: Vec::with_capacity(GATHERED_ROWS),
            slice: HeldRows::none(memory),
            nothing: RecordBatch::new_empty(table.schema.clone()),
        })
    }

    /// The sort columns of a file's next row, where the table has any; none when there is no row.
    async fn head(&mut self, number: usize) -> Result<Option<Option<OwnedRow>>> {
        let run = &self.runs[number];
        if run.next >= run.input.rows() {
            return Ok(None);
        }
        let piece = self.load(number).await?;
        Ok(Some(piece.keys.as_ref().map(|keys| keys.row(piece.row).owned())))
    }

    /// Puts a file's next row into the slice.
    async fn take(&mut self, number: usize) -> Result<()> {
        let piece = self.load(number).await?;
        let row = piece.row;
        piece.row += 1;
        let is_read = piece.row >= piece.rows.rows();
        self.runs[number].next += 1;
        self.taken.push((number, row));
        if is_read || self.taken.len() == GATHERED_ROWS {
            self.gather()?;
        }
        if is_read {
            self.runs[number].piece = None;
        }
        Ok(())
    }

    /// What comes next of a file, which has rows left; read if it is not in memory.
    async fn load(&mut self, number: usize) -> Result<&mut Piece<'a>> {
        let piece = match self.runs[number].piece.take() {
            Some(piece) => piece,
            None => {
                let bytes = self.share / self.runs.len();
                let piece = self.runs[number].read(self.table, bytes, self.memory).await?;
                self.make_room(piece.rows.bytes())?;
                piece
            }
        };
        self.turn += 1;
        self.runs[number].needed = self.turn;
        Ok(self.runs[number].piece.insert(piece))
    }

    /// Forgets rows of files until so many bytes have room beside the others, or have all of it.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        loop {
            let loaded = self.runs.iter().filter_map(|run| Some((run, run.piece.as_ref()?)));
            let held: usize = loaded.clone().map(|(_, piece)| piece.rows.bytes()).sum();
            let Some((oldest, _)) = loaded.min_by_key(|(run, _)| run.needed) else { return Ok(()) };
            if held + bytes <= self.share {
                return Ok(());
            }
            let needed = oldest.needed;
            self.gather()?;
            let oldest = self.runs.iter_mut().find(|run| run.needed == needed);
            oldest.into_iter().for_each(|run| run.piece = None);
        }
    }

    /// Copies the rows that were taken into the slice.
    fn gather(&mut self) -> Result<()> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let batches = self.runs.iter().map(|run| run.batch().unwrap_or(&self.nothing));
        let rows = interleave_record_batch(&batches.collect::<Vec<_>>(), &self.taken);
        self.slice.push(rows.map_err(|error| failed(self.table, error))?);
        self.taken.clear();
        Ok(())
    }

    fn next_slice(&mut self) -> HeldRows<'a> {
        std::mem::replace(&mut self.slice, HeldRows::none(self.memory))
    }
}

impl<'a> Run<'a> {
    fn of(table: &TableSpec, input: &'a Input) -> Result<Run<'a>> {
        let order = SortOptions { descending: false, nulls_first: false };
        let field = |name: &&str| {
            let field = table.schema.field_with_name(name)?;
            Ok(SortField::new_with_options(field.data_type().clone(), order))
        };
        let fields = table.sort.iter().map(field).collect::<Result<_, _>>();
        let converter = fields.and_then(RowConverter::new).map_err(|error| failed(table, error))?;
        Ok(Run { input, converter, next: 0, needed: 0, piece: None })
    }

    fn batch(&self) -> Option<&RecordBatch> {
        self.piece.as_ref().and_then(|piece| piece.rows.batches().first())
    }

    /// Reads what comes next, about so many bytes and at least a row.
    async fn read<'m>(
        &mut self,
        table: &TableSpec,
        bytes: usize,
        memory: &'m Memory,
    ) -> Result<Piece<'m>> {
        let batch = self.input.piece(self.next, bytes).await?;
        let columns = table.sort.iter().filter_map(|name| batch.column_by_name(name));
        let columns: Vec<_> = columns.cloned().collect();
        let keys = match columns.is_empty() {
            true => None,
            false => Some(self.converter.convert_columns(&columns)),
        };
        let keys = keys.transpose().map_err(|error| failed(table, error))?;
        let mut rows = HeldRows::none(memory);
        rows.push(batch);
        rows.hold(keys.as_ref().map_or(0, Rows::size));
        Ok(Piece { rows, keys, row: 0 })
    }
}

fn failed(table: &TableSpec, error: arrow::error::ArrowError) -> Error {
    Error::corrupt(format!("table `{}`", table.name), format!("rows cannot be sorted: {error}"))
}
