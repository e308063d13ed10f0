//! `$most_frequent(array, buckets)`, `$numeric_histogram(array(row(x, weight)), buckets)`: what
//! `approx_most_frequent` and `numeric_histogram` become over `array_agg`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, UInt32Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::arrays::lists;
use crate::functions::maps::build;
use crate::functions::maps::entries::counted;
use crate::functions::support::{Rows, Scalar, Takes};

/// Buckets of one histogram: every value takes their number in time.
const BUCKETS_MAX: i64 = 10_000;

pub(crate) fn internal() -> Vec<ScalarUDF> {
    let takes = [Takes::Array, Takes::Integer];
    vec![
        Scalar::new("$most_frequent", &takes, counted, most_frequent).udf(),
        Scalar::new("$numeric_histogram", &takes, doubles, numeric_histogram).udf(),
    ]
}

fn buckets_of(buckets: i64, function: &str) -> Result<usize> {
    if buckets < 2 {
        return exec_err!("{function} bucket count must be greater than one");
    }
    if buckets > BUCKETS_MAX {
        return exec_err!("{function} has at most {BUCKETS_MAX} buckets");
    }
    Ok(buckets as usize)
}

fn most_frequent(rows: &Rows) -> Result<ColumnarValue> {
    let (list, buckets) = (lists::list(rows, 0)?, rows.integer(1)?);
    let encoded = build::encoded(list.values())?;
    let (mut keys, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..list.len() {
        let Some(most) = buckets.get(row).filter(|_| list.is_valid(row)) else {
            lengths.push(0);
            continue;
        };
        let most = buckets_of(most, "approx_most_frequent")?;
        let mut seen = HashMap::new();
        let mut all: Vec<(u32, i64)> = Vec::new();
        for place in lists::range(&list, row) {
            let at = *seen.entry(encoded.row(place as usize)).or_insert_with(|| {
                all.push((place, 0));
                all.len() - 1
            });
            all[at].1 += 1;
        }
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.truncate(most);
        lengths.push(all.len());
        keys.extend(all.iter().map(|(place, _)| *place));
        counts.extend(all.iter().map(|(_, count)| *count));
    }
    let keys = take(list.values(), &UInt32Array::from(keys), None)?;
    let counts: ArrayRef = Arc::new(Int64Array::from(counts));
    let to = rows.args.return_field.data_type();
    rows.finish(build::made(to, lengths, keys, counts, list.nulls().cloned())?)
}

fn doubles(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::List(_) => {
            let double = |name: &str| Field::new(name, DataType::Float64, true);
            Ok(Arc::new(Field::new("", build::type_of(double("key"), double("value")), true)))
        }
        _ => plan_err!("`numeric_histogram` takes (buckets, x, weight)"),
    }
}

fn numeric_histogram(rows: &Rows) -> Result<ColumnarValue> {
    let (list, buckets) = (lists::list(rows, 0)?, rows.integer(1)?);
    let pairs = list.values().as_struct();
    let column = |at: usize| cast(pairs.column(at), &DataType::Float64);
    let (values, weights) = (column(0)?, column(1)?);
    let (values, weights) =
        (values.as_primitive::<Float64Type>(), weights.as_primitive::<Float64Type>());
    let (mut means, mut sums, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..list.len() {
        let Some(most) = buckets.get(row).filter(|_| list.is_valid(row)) else {
            lengths.push(0);
            continue;
        };
        let most = buckets_of(most, "numeric_histogram")?;
        let mut histogram: Vec<(f64, f64)> = Vec::with_capacity(most + 1);
        for place in lists::range(&list, row).map(|place| place as usize) {
            if weights.is_valid(place) {
                add(&mut histogram, values.value(place), weights.value(place));
                if histogram.len() > most {
                    merge_nearest(&mut histogram);
                }
            }
        }
        lengths.push(histogram.len());
        means.extend(histogram.iter().map(|(mean, _)| *mean));
        sums.extend(histogram.iter().map(|(_, sum)| *sum));
    }
    let keys: ArrayRef = Arc::new(Float64Array::from(means));
    let values: ArrayRef = Arc::new(Float64Array::from(sums));
    let to = rows.args.return_field.data_type();
    rows.finish(build::made(to, lengths, keys, values, list.nulls().cloned())?)
}

/// Adds a value to buckets that ascend by their means.
fn add(histogram: &mut Vec<(f64, f64)>, value: f64, weight: f64) {
    let at = histogram.partition_point(|(mean, _)| mean.total_cmp(&value).is_lt());
    match histogram.get_mut(at) {
        Some((mean, sum)) if *mean == value => *sum += weight,
        _ => histogram.insert(at, (value, weight)),
    }
}

/// Makes one bucket of the two whose means are nearest (Ben-Haim and Tom-Tov, JMLR 11, 2010).
fn merge_nearest(histogram: &mut Vec<(f64, f64)>) {
    let gaps = histogram.windows(2).map(|pair| pair[1].0 - pair[0].0).enumerate();
    let Some((at, _)) = gaps.min_by(|(_, a), (_, b)| a.total_cmp(b)) else { return };
    let ((left, of_left), (right, of_right)) = (histogram[at], histogram.remove(at + 1));
    let sum = of_left + of_right;
    histogram[at] = ((left * of_left + right * of_right) / sum, sum);
}
