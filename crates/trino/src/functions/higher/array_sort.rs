//! `array_sort(array, (x, y) -> order)`, written `$array_sort` by the rewrite.
//!
//! Every row is sorted by a merge of its own; the next comparison of all rows is answered by one
//! evaluation of the lambda.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};

use super::support::{Call, Fields, Higher, Part, element_of, list};
use crate::functions::arrays::lists::range;

pub(super) fn function() -> Higher {
    Higher {
        name: "$array_sort",
        takes: "(array, (x, y) -> -1, 0 or 1)",
        shape: &[Part::Value, Part::Lambda],
        parameters,
        returns,
        invoke,
    }
}

fn parameters(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    let element = element_of(fields.values[0], "array_sort")?;
    Ok(vec![Some(vec![Arc::clone(&element), element])])
}

fn returns(values: &[&FieldRef], bodies: &[&FieldRef]) -> Result<FieldRef> {
    match bodies[0].data_type() {
        data_type if data_type.is_integer() || data_type.is_null() => {
            Ok(Arc::new(values[0].as_ref().clone().with_name("").with_nullable(true)))
        }
        _ => plan_err!("the lambda of `array_sort` must give -1, 0 or 1"),
    }
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let lists = list(call, 0)?;
    let mut sorts: Vec<Merge> = (0..call.rows)
        .map(|row| {
            Merge::new(if lists.is_valid(row) { range(&lists, row).collect() } else { vec![] })
        })
        .collect();
    loop {
        let asked: Vec<(u32, (u32, u32))> = sorts
            .iter()
            .enumerate()
            .filter_map(|(row, sort)| sort.question().map(|pair| (row as u32, pair)))
            .collect();
        if asked.is_empty() {
            break;
        }
        let side = |of: fn(&(u32, (u32, u32))) -> u32| -> Result<ArrayRef> {
            let places: UInt32Array = asked.iter().map(|asked| Some(of(asked))).collect();
            Ok(take(lists.values(), &places, None)?)
        };
        let parameters = [side(|asked| asked.1.0)?, side(|asked| asked.1.1)?];
        let rows: UInt32Array = asked.iter().map(|(row, _)| Some(*row)).collect();
        let answers = cast(&call.evaluate(0, &parameters, &rows)?, &DataType::Int64)?;
        let answers = answers.as_primitive::<Int64Type>();
        for (at, (row, _)) in asked.iter().enumerate() {
            let order = match answers.is_valid(at).then(|| answers.value(at)) {
                Some(-1) => Ordering::Less,
                Some(0) => Ordering::Equal,
                Some(1) => Ordering::Greater,
                _ => return exec_err!("Lambda comparator must return either -1, 0, or 1"),
            };
            sorts[*row as usize].answer(order);
        }
    }
    let lengths: Vec<usize> = sorts.iter().map(|sort| sort.items.len()).collect();
    let places: UInt32Array = sorts.into_iter().flat_map(|sort| sort.items).map(Some).collect();
    let DataType::List(element) = call.result.data_type() else {
        return Ok(Arc::clone(&call.values[0]));
    };
    let values = take(lists.values(), &places, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = lists.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?))
}

/// A stable merge sort, bottom up, that asks for one comparison at a time.
struct Merge {
    items: Vec<u32>,
    merged: Vec<u32>,
    /// The length of the runs that are sorted already.
    width: usize,
    /// Where the two runs being merged begin, and the next item of either.
    start: usize,
    left: usize,
    right: usize,
}

impl Merge {
    fn new(items: Vec<u32>) -> Self {
        let mut merge = Self { items, merged: Vec::new(), width: 1, start: 0, left: 0, right: 0 };
        merge.begin(0);
        merge.settle();
        merge
    }

    fn begin(&mut self, start: usize) {
        (self.start, self.left) = (start, start);
        self.right = self.bounds().0;
    }

    /// The ends of the left run and of the right one.
    fn bounds(&self) -> (usize, usize) {
        let at = |runs: usize| (self.start + runs * self.width).min(self.items.len());
        (at(1), at(2))
    }

    /// Returns the two items whose order is needed next; none when all is sorted.
    fn question(&self) -> Option<(u32, u32)> {
        (self.width < self.items.len()).then(|| (self.items[self.left], self.items[self.right]))
    }

    fn answer(&mut self, order: Ordering) {
        let next = if order == Ordering::Greater { &mut self.right } else { &mut self.left };
        self.merged.push(self.items[*next]);
        *next += 1;
        self.settle();
    }

    /// Copies what needs no comparison, up to the next question.
    fn settle(&mut self) {
        while self.width < self.items.len() {
            let (middle, end) = self.bounds();
            if self.left < middle && self.right < end {
                return;
            }
            self.merged.extend_from_slice(&self.items[self.left..middle]);
            self.merged.extend_from_slice(&self.items[self.right..end]);
            if end < self.items.len() {
                self.begin(end);
                continue;
            }
            self.items = std::mem::take(&mut self.merged);
            self.width *= 2;
            self.begin(0);
        }
    }
}
