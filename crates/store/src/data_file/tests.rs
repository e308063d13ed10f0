use std::collections::BTreeSet;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use proptest::prelude::*;

use super::column::PAGE_ROWS_MAX;
use super::slices::SLICE_ROWS;
use super::*;
use crate::snapshot::ScalarStat;
use crate::spec::Identity;

/// Sightings of birds: a small table that is not about anything else here.
fn sightings() -> TableSpec {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let element = Arc::new(Field::new("element", DataType::Utf8, true));
    let schema = Schema::new(vec![
        Field::new("ring", DataType::Utf8, true),
        Field::new("observer", DataType::Utf8, true),
        Field::new("seen", time, false),
        Field::new("species", DataType::Utf8, true),
        Field::new("tags", DataType::List(element), true),
        Field::new("note", DataType::Utf8, true),
        Field::new("hash", DataType::Int64, false),
        Field::new("_index", DataType::Int32, false),
    ]);
    TableSpec {
        name: "sightings",
        schema: Arc::new(schema),
        partition: Some("month"),
        time_column: Some("seen"),
        sort: &["species", "observer", "seen"],
        bloom: &["ring", "note"],
        stats: &["species", "ring"],
        identity: Some(Identity { columns: ["ring", "observer", "seen"], fingerprint: "hash" }),
    }
}

struct Sighting {
    ring: Option<String>,
    observer: &'static str,
    seen: i64,
    species: Option<String>,
}

fn batch(rows: &[Sighting]) -> RecordBatch {
    let mut tags = ListBuilder::new(StringBuilder::new()).with_field(Arc::new(Field::new(
        "element",
        DataType::Utf8,
        true,
    )));
    for row in rows {
        tags.append_value([Some(row.observer), None]);
    }
    let text = |of: fn(&Sighting) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        text(|row| row.ring.as_deref()),
        text(|row| Some(row.observer)),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.seen))
                .with_timezone("UTC"),
        ),
        text(|row| row.species.as_deref()),
        Arc::new(tags.finish()),
        text(|_| None),
        Arc::new(Int64Array::from_iter_values((0..rows.len() as i64).map(|n| n * 7919))),
        Arc::new(Int32Array::from_iter_values(0..rows.len() as i32)),
    ];
    RecordBatch::try_new(sightings().schema, columns).unwrap()
}

/// Rows spread over `seconds`, in an order that is none.
fn scattered(rows: usize, seconds: i64) -> Vec<RecordBatch> {
    let sighting = |n: usize| Sighting {
        ring: (!n.is_multiple_of(11))
            .then(|| format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes()))),
        observer: ["ada", "bo", "cy"][n % 3],
        seen: (n as i64 * 7_368_787 % seconds) * 1_000_000,
        species: (!n.is_multiple_of(5)).then(|| format!("species-{}", n * 31 % 97)),
    };
    let all: Vec<Sighting> = (0..rows).map(sighting).collect();
    all.chunks(8000).map(batch).collect()
}

struct Written {
    file: DataFile,
    metadata: ParquetMetaData,
    rows: Vec<RecordBatch>,
}

async fn written(table: &TableSpec, rows: Vec<RecordBatch>) -> Written {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let file =
        write(&objects, &Path::from("lake/sightings"), table, Some("1970-01"), rows).await.unwrap();
    let bytes = objects.get(&file.file.path).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, file.file.size);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
    let metadata = reader.metadata().as_ref().clone();
    let rows = reader.with_batch_size(8192).build().unwrap().map(Result::unwrap).collect();
    Written { file, metadata, rows }
}

/// Values of a row that sort it, nulls last.
fn places(rows: &[RecordBatch]) -> Vec<(Option<String>, String, i64)> {
    let text = |batch: &RecordBatch, name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        column.is_valid(row).then(|| column.value(row).to_string())
    };
    let place = |(batch, row): (&RecordBatch, usize)| {
        let seen = batch.column_by_name("seen").unwrap();
        let seen = seen.as_primitive::<TimestampMicrosecondType>().value(row);
        (text(batch, "species", row), text(batch, "observer", row).unwrap(), seen)
    };
    rows.iter().flat_map(|b| (0..b.num_rows()).map(move |row| (b, row))).map(place).collect()
}

fn sorted(rows: &[(Option<String>, String, i64)]) -> bool {
    rows.is_sorted_by_key(|(species, observer, seen)| {
        (species.is_none(), species.clone(), observer.clone(), *seen)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_a_run_of_slices_disjoint_in_time_and_sorted_inside() {
    let count = 2 * SLICE_ROWS + SLICE_ROWS / 2;
    let input = scattered(count, 40_000);
    let file = written(&sightings(), input.clone()).await;

    let groups: Vec<usize> =
        file.metadata.row_groups().iter().map(|group| group.num_rows() as usize).collect();
    assert_eq!(groups.iter().sum::<usize>(), count);
    assert_eq!(groups.len(), 3, "{groups:?}");
    assert!(groups.iter().all(|rows| *rows <= SLICE_ROWS), "{groups:?}");

    let all = places(&file.rows);
    let mut rest = all.as_slice();
    let mut last_seen = i64::MIN;
    for rows in groups {
        let (slice, tail) = rest.split_at(rows);
        assert!(sorted(slice), "a slice is not sorted");
        let seen = || slice.iter().map(|row| row.2);
        assert!(seen().min().unwrap() > last_seen, "slices overlap in time");
        last_seen = seen().max().unwrap();
        rest = tail;
    }
    assert!(!sorted(&all));
    for group in file.metadata.row_groups() {
        assert_eq!(group.sorting_columns(), None, "the file as a whole is not in that order");
    }
    let (mut given, mut kept) = (places(&input), all);
    given.sort();
    kept.sort();
    assert!(given == kept, "rows were lost or changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instant_is_never_split() {
    let rows: Vec<RecordBatch> = scattered(SLICE_ROWS + 9000, 1);
    let file = written(&sightings(), rows).await;
    assert_eq!(file.metadata.num_row_groups(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_small_and_indexed() {
    let file = written(&sightings(), scattered(50_000, 1_000_003)).await;
    let columns = file.metadata.file_metadata().schema_descr().num_columns();
    let rows = file.metadata.row_group(0).num_rows();
    for column in 0..columns {
        let name = file.metadata.row_group(0).column(column).column_path().string();
        let pages = file.metadata.offset_index().unwrap()[0][column].page_locations();
        let starts = pages.iter().map(|page| page.first_row_index).chain([rows]);
        let starts: Vec<i64> = starts.collect();
        let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        match name.as_str() {
            "note" => assert_eq!(pages.len(), 1, "nulls need no pages to choose from"),
            _ => assert!(longest <= PAGE_ROWS_MAX as i64, "`{name}`: a page of {longest} rows"),
        }
    }
    let indexed = |name: &str| {
        let group = file.metadata.row_group(0);
        let column = group.columns().iter().position(|c| c.column_path().string() == name).unwrap();
        let index = &file.metadata.column_index().unwrap()[0][column];
        !matches!(index, ColumnIndexMetaData::NONE)
    };
    assert!(indexed("species") && indexed("seen"));
    assert!(!indexed("note") && !indexed("hash") && !indexed("tags.list.element"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_is_claimed_only_where_the_whole_file_has_it() {
    let table = sightings();
    let file = written(&table, scattered(500, 40_000)).await;
    let claimed = file.metadata.row_group(0).sorting_columns().unwrap().clone();
    let leaves: Vec<i32> = claimed.iter().map(|column| column.column_idx).collect();
    assert_eq!(leaves, [3, 1, 2]);
    assert!(claimed.iter().all(|column| !column.descending && !column.nulls_first));
    assert!(sorted(&places(&file.rows)));

    let ledger = TableSpec { time_column: None, sort: &["ring"], ..table };
    let file = written(&ledger, scattered(SLICE_ROWS + 1, 40_000)).await;
    assert_eq!(file.metadata.num_row_groups(), 2);
    for group in file.metadata.row_groups() {
        assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_stand_only_where_asked_for_and_are_as_small_as_their_values_need() {
    let bytes = async |rows| {
        let file = written(&sightings(), scattered(rows, 40_000)).await;
        let group = file.metadata.row_group(0);
        let filter = |name: &str| {
            let column = group.columns().iter().find(|c| c.column_path().string() == name).unwrap();
            column.bloom_filter_length()
        };
        for name in ["species", "observer", "hash", "tags.list.element"] {
            assert_eq!(filter(name), None, "{name}");
        }
        assert_eq!(filter("note"), None, "a column without values needs no filter");
        filter("ring").unwrap()
    };
    let (small, large) = (bytes(1000).await, bytes(SLICE_ROWS).await);
    assert!((1000..3000).contains(&small), "{small}");
    assert!((200_000..280_000).contains(&large), "{large}");
}

fn check_bounds(texts: &[Option<&str>], min: Option<&str>, max: Option<&str>) {
    let rows: Vec<Sighting> = texts
        .iter()
        .map(|text| Sighting {
            ring: None,
            observer: "ada",
            seen: 0,
            species: text.map(str::to_string),
        })
        .collect();
    let columns = statistics::of(&sightings(), &[batch(&rows)]).unwrap();
    let species = columns.iter().find(|stats| &*stats.column == "species").unwrap();
    let text = |text: Option<&str>| text.map(|text| ScalarStat::Text(text.to_string()));
    assert_eq!((&species.min, &species.max), (&text(min), &text(max)), "{texts:?}");
    assert_eq!(species.nulls, Some(texts.iter().filter(|text| text.is_none()).count() as u64));
}

#[test]
fn text_bounds_are_cut_the_delta_way() {
    let long = |c: char, n| c.to_string().repeat(n);
    check_bounds(&[Some("b"), None, Some("a")], Some("a"), Some("b"));
    check_bounds(&[None], None, None);
    check_bounds(&[Some("")], Some(""), Some(""));
    check_bounds(&[Some(&long('x', 32))], Some(&long('x', 32)), Some(&long('x', 32)));
    check_bounds(&[Some(&long('x', 33))], Some(&long('x', 32)), Some(&(long('x', 32) + "\u{7f}")));
    // Characters are cut, never bytes; what is cut off is above ASCII, so is what replaces it.
    let bound = long('é', 32) + "\u{10ffff}";
    check_bounds(&[Some(&long('é', 40))], Some(&long('é', 32)), Some(&bound));
    let delete = long('x', 32) + "\u{7f}";
    check_bounds(&[Some(&delete)], Some(&long('x', 32)), Some(&(long('x', 32) + "\u{10ffff}")));
    // Nothing is above the largest character.
    let top = long('\u{10ffff}', 33);
    check_bounds(&[Some(&top)], Some(&long('\u{10ffff}', 32)), None);
}

fn check_times(times: &[i64], min: &str, max: &str) {
    let rows: Vec<Sighting> = times
        .iter()
        .map(|seen| Sighting { ring: None, observer: "ada", seen: *seen, species: None })
        .collect();
    let columns = statistics::of(&sightings(), &[batch(&rows)]).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&statistics::to_delta_json(rows.len() as u64, &columns)).unwrap();
    assert_eq!(json["numRecords"], rows.len());
    assert_eq!(
        (&json["minValues"]["seen"], &json["maxValues"]["seen"]),
        (&min.into(), &max.into())
    );
    assert_eq!(json["nullCount"]["species"], rows.len());
    assert!(json["minValues"].get("species").is_none());
}

#[test]
fn time_bounds_go_outwards_to_milliseconds() {
    let second = 1_000_000;
    let zero = "1970-01-01T00:00:00.000Z";
    check_times(&[0, 60 * second], zero, "1970-01-01T00:01:00.000Z");
    check_times(&[1, 999], zero, "1970-01-01T00:00:00.001Z");
    check_times(&[1000], "1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z");
    check_times(&[-1], "1969-12-31T23:59:59.999Z", zero);
    let end_of_year = 1_640_995_199_999_999;
    check_times(&[end_of_year], "2021-12-31T23:59:59.999Z", "2022-01-01T00:00:00.000Z");
}

proptest! {
    #[test]
    fn text_bounds_hold(texts in proptest::collection::vec(".{0,40}", 1..20)) {
        let rows: Vec<Sighting> = texts
            .iter()
            .map(|text| Sighting {
                ring: None,
                observer: "ada",
                seen: 0,
                species: Some(text.clone()),
            })
            .collect();
        let columns = statistics::of(&sightings(), &[batch(&rows)]).unwrap();
        let species = columns.iter().find(|stats| &*stats.column == "species").unwrap();
        for text in texts {
            if let Some(ScalarStat::Text(min)) = &species.min {
                prop_assert!(*min <= text);
            }
            if let Some(ScalarStat::Text(max)) = &species.max {
                prop_assert!(*max >= text);
            }
        }
    }
}

#[test]
fn rows_are_split_by_the_month_of_their_time() {
    let day = 86_400_000_000;
    let rows: Vec<Sighting> = [0, 31 * day - 1, 31 * day, 59 * day, 10 * day, -1]
        .map(|seen| Sighting { ring: None, observer: "ada", seen, species: None })
        .into();
    let months = by_month(&sightings(), vec![batch(&rows)]).unwrap();
    let counts: Vec<(String, usize)> = months
        .into_iter()
        .map(|(month, rows)| (month.unwrap(), rows.iter().map(RecordBatch::num_rows).sum()))
        .collect();
    let expected = [("1969-12", 1), ("1970-01", 3), ("1970-02", 1), ("1970-03", 1)];
    assert_eq!(counts, expected.map(|(month, rows)| (month.to_string(), rows)));

    let plain = TableSpec { partition: None, ..sightings() };
    let whole = by_month(&plain, vec![batch(&rows)]).unwrap();
    assert_eq!(whole.keys().collect::<Vec<_>>(), [&None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_table_are_refused_and_leave_no_file() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let short = scattered(10, 10).remove(0).project(&[0, 1, 2]).unwrap();
    let refused = write(&objects, &Path::from("x"), &sightings(), None, vec![short]).await;
    assert!(matches!(refused, Err(Error::Input { .. })));
    let strange = TableSpec { sort: &["tags"], ..sightings() };
    let refused = write(&objects, &Path::from("x"), &strange, None, scattered(10, 10)).await;
    assert!(matches!(refused, Err(Error::Input { .. })));
    let left: Vec<object_store::ObjectMeta> = objects.list(None).try_collect().await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_who_wrote_it_and_where_it_belongs() {
    let file = written(&sightings(), scattered(10, 10)).await;
    assert!(file.metadata.file_metadata().created_by().unwrap().starts_with("traillake version"));
    assert_eq!(file.metadata.file_metadata().key_value_metadata(), None);
    let path = file.file.file.path.to_string();
    assert!(path.starts_with("lake/sightings/month=1970-01/part-") && path.ends_with(".parquet"));
    let names: BTreeSet<&str> =
        file.metadata.row_group(0).columns().iter().map(|c| c.column_descr().name()).collect();
    assert!(!names.contains("month"), "the partition column stands in the path only");
}

/// Rows written slice by slice are a file as any other: in its slices, its claims and what is known
/// of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_slice_by_slice_is_as_one_written_at_once() {
    let table = sightings();
    let mut rows = scattered(9_000, 30_000);
    let nothing = Sighting { ring: None, observer: "di", seen: 29_999_999_999, species: None };
    rows.push(batch(&[nothing]));
    let whole = written(&table, rows.clone()).await;
    let sorted = slices::plan(&table, &rows).unwrap();
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let folder = Path::from("lake/sightings");
    // In one slice, and cut at a time into three.
    for cuts in [vec![], vec![10_000, 20_000]] {
        let alone = cuts.is_empty();
        let month = Some("1970-01");
        let mut file = FileWriter::create(&objects, &folder, &table, month, 3, alone).unwrap();
        let edges = [vec![0], cuts.clone(), vec![40_000]].concat();
        for edge in edges.windows(2) {
            let within = |time: i64| (edge[0]..edge[1]).contains(&(time / 1_000_000));
            let part = rows.iter().map(|batch| {
                let seen = batch.column_by_name("seen").unwrap();
                let seen = seen.as_primitive::<TimestampMicrosecondType>();
                let mask = seen.values().iter().map(|time| Some(within(*time)));
                filter_record_batch(batch, &mask.collect::<BooleanArray>()).unwrap()
            });
            file = file.add(part.collect()).await.unwrap();
        }
        let file = file.finish().await.unwrap();
        assert_eq!((file.stats, file.file.rows), (whole.file.stats.clone(), 9_001));
        assert_eq!(file.file.stats, whole.file.file.stats);
        assert_eq!(layout::rewrites(&file.file.path), 3);
        let bytes = objects.get(&file.file.path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, file.file.size);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let groups = reader.metadata().row_groups();
        assert_eq!(groups.len(), cuts.len() + 1);
        assert!(groups.iter().all(|group| group.sorting_columns().is_some() == alone));
        if alone {
            let read: Vec<_> = reader.with_batch_size(16_384).build().unwrap().collect();
            let read = read.into_iter().map(Result::unwrap).collect::<Vec<_>>();
            assert_eq!(places(&read), places(&whole.rows));
            assert_eq!(sorted.len(), 1);
        }
    }
    assert_eq!(layout::rewrites(&whole.file.file.path), 0);
}
