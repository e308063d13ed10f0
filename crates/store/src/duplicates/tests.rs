use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::data_file;
use crate::input::Comparison;
use crate::ledger::variants_table;
use crate::spec::StoreSpec;

/// Letters: `code`, `sender`, `sent` make two of them the same, `text` is their content. The case
/// of a text is its spelling.
fn letters() -> TableSpec {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("code", DataType::Utf8, true),
        Field::new("sender", DataType::Utf8, true),
        Field::new("sent", time, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("hash", DataType::Int64, false),
        Field::new("_object", DataType::Int64, false),
        Field::new("_index", DataType::Int32, false),
    ]);
    TableSpec {
        name: "letters",
        schema: Arc::new(schema),
        partition: Some("month"),
        time_column: Some("sent"),
        sort: &["sender", "sent"],
        bloom: &[],
        stats: &["sender"],
        identity: Some(Identity { columns: ["code", "sender", "sent"], fingerprint: "hash" }),
    }
}

#[derive(Default)]
struct Spelling {
    comparisons: AtomicUsize,
}

impl Content for Spelling {
    fn record_bytes(&self, rows: &RecordBatch, row: usize) -> std::result::Result<Vec<u8>, String> {
        let texts = rows.column_by_name("text").ok_or("no text")?.as_string::<i32>();
        Ok(texts.value(row).as_bytes().to_vec())
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Comparison {
        self.comparisons.fetch_add(1, Ordering::Relaxed);
        match () {
            () if a == b => Comparison::Same,
            () if a.eq_ignore_ascii_case(b) => Comparison::Respelled,
            () => Comparison::Differs { paths: vec![format!("{}→{}", a.len(), b.len())] },
        }
    }
}

type Key = (Option<&'static str>, Option<&'static str>, i64);

/// A copy of a letter as it arrives, from the object of that ordinal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Letter {
    key: Key,
    text: String,
    object: u32,
    index: i32,
}

fn letter(code: &'static str, text: &str) -> Letter {
    Letter { key: (Some(code), Some("s"), 0), text: text.to_string(), object: 0, index: 0 }
}

fn batch(letters_: &[Letter], ids: ObjectIds) -> RecordBatch {
    let text = |of: fn(&Letter) -> Option<&str>| -> ArrayRef {
        Arc::new(letters_.iter().map(of).collect::<StringArray>())
    };
    let hash = |letter: &Letter| xxh3_64(letter.text.as_bytes()) as i64;
    let columns: Vec<ArrayRef> = vec![
        text(|letter| letter.key.0),
        text(|letter| letter.key.1),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(letters_.iter().map(|letter| letter.key.2))
                .with_timezone("UTC"),
        ),
        text(|letter| Some(&letter.text)),
        Arc::new(Int64Array::from_iter_values(letters_.iter().map(hash))),
        Arc::new(Int64Array::from_iter_values(letters_.iter().map(|l| ids.id(l.object)))),
        Arc::new(Int32Array::from_iter_values(letters_.iter().map(|letter| letter.index))),
    ];
    RecordBatch::try_new(letters().schema, columns).unwrap()
}

/// A table of letters with its variants, growing round by round.
struct PostOffice {
    objects: Arc<dyn ObjectStore>,
    stored: Vec<LiveFile>,
    variants: Vec<LiveFile>,
    variants_table: TableSpec,
    content: Spelling,
    total: Counts,
    rounds: i64,
}

impl PostOffice {
    fn new() -> PostOffice {
        let spec = StoreSpec { records: vec![letters()], plain: Vec::new() };
        PostOffice {
            objects: Arc::new(InMemory::new()),
            stored: Vec::new(),
            variants: Vec::new(),
            variants_table: variants_table(&spec).unwrap(),
            content: Spelling::default(),
            total: Counts::default(),
            rounds: 0,
        }
    }

    async fn round(&mut self, arrivals: &[Letter]) -> Vec<Counts> {
        self.rounds += 1;
        let table = letters();
        let ids = ObjectIds::claim(self.rounds, &[], || 0).unwrap();
        let object_keys: Vec<String> = (0..8).map(|n| format!("object-{n}")).collect();
        let place = Place {
            table: &table,
            content: &self.content,
            objects: &self.objects,
            stored: &self.stored,
            variants: &self.variants,
            object_keys: &object_keys,
            ids,
        };
        let rows = arrivals.chunks(3).map(|letters| batch(letters, ids)).collect();
        let resolved = resolve(&place, rows).await.unwrap();
        let stored = write_all(&self.objects, &table, resolved.rows).await;
        let identity = table.identity.unwrap();
        let variants = vec![resolved.variants.into_rows(&identity, Default::default()).unwrap()];
        let variants = write_all(&self.objects, &self.variants_table, variants).await;
        self.stored.extend(stored);
        self.variants.extend(variants);
        for counts in &resolved.counts {
            self.total.stored += counts.stored;
            self.total.duplicates += counts.duplicates;
            self.total.respelled += counts.respelled;
            self.total.variants += counts.variants;
        }
        resolved.counts
    }

    async fn read(&self, files: &[LiveFile], text: &str) -> Vec<(Key, String)> {
        let mut found = Vec::new();
        for file in files {
            let opened = data_file::open(&self.objects, file).await.unwrap();
            let rows: Vec<RecordBatch> = opened.build().unwrap().try_collect().await.unwrap();
            for batch in rows {
                let column = |name: &str| batch.column_by_name(name).unwrap().clone();
                let bytes = match column(text) {
                    array if array.as_string_opt::<i32>().is_some() => {
                        arrow::compute::cast(&array, &DataType::Binary).unwrap()
                    }
                    array => array,
                };
                let name = |name: &str, row: usize| -> Option<&'static str> {
                    let array = column(name);
                    let array = array.as_string::<i32>();
                    array.is_valid(row).then(|| &*array.value(row).to_string().leak())
                };
                for row in 0..batch.num_rows() {
                    let sent = column("sent");
                    let sent = sent.as_primitive::<TimestampMicrosecondType>().value(row);
                    let text = bytes.as_binary::<i32>().value(row).to_vec();
                    let key = (name("code", row), name("sender", row), sent);
                    found.push((key, String::from_utf8(text).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    async fn letters(&self) -> Vec<(Key, String)> {
        self.read(&self.stored, "text").await
    }

    async fn kept_variants(&self) -> Vec<(Key, String)> {
        self.read(&self.variants, "record").await
    }
}

async fn write_all(
    objects: &Arc<dyn ObjectStore>,
    table: &TableSpec,
    rows: Vec<RecordBatch>,
) -> Vec<LiveFile> {
    let folder = Path::from(table.name);
    let mut files = Vec::new();
    for (month, rows) in data_file::by_month(table, rows).unwrap() {
        let file = data_file::write(objects, &folder, table, month.as_deref(), rows).await.unwrap();
        files.push(file.file);
    }
    files
}

/// Counts in the order stored, duplicates, respelled, variants.
async fn check(rounds: &[Vec<Letter>], expected: [u64; 4], texts: &[&str], variants: &[&str]) {
    let mut office = PostOffice::new();
    for letters in rounds {
        office.round(letters).await;
    }
    let total = &office.total;
    let counts = [total.stored, total.duplicates, total.respelled, total.variants];
    let bodies = |rows: Vec<(Key, String)>| -> Vec<String> {
        let mut texts: Vec<String> = rows.into_iter().map(|(_, text)| text).collect();
        texts.sort();
        texts
    };
    assert_eq!(counts, expected, "{rounds:?}");
    assert_eq!(bodies(office.letters().await), texts, "{rounds:?}");
    assert_eq!(bodies(office.kept_variants().await), variants, "{rounds:?}");
}

/// Rounds of copies of one letter.
async fn check_copies(rounds: &[&[&str]], expected: [u64; 4], kept: &str, variants: &[&str]) {
    let copies = |texts: &&[&str]| texts.iter().map(|text| letter("1", text)).collect();
    let rounds: Vec<Vec<Letter>> = rounds.iter().map(copies).collect();
    check(&rounds, expected, &[kept], variants).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_committed_copy_stays_and_every_other_is_told_apart() {
    check_copies(&[&["a"]], [1, 0, 0, 0], "a", &[]).await;
    // Equal bytes, within a round and later.
    check_copies(&[&["a", "a"], &["a"]], [1, 2, 0, 0], "a", &[]).await;
    // Another spelling.
    check_copies(&[&["a"], &["A"]], [1, 0, 1, 0], "a", &[]).await;
    check_copies(&[&["A"], &["a"]], [1, 0, 1, 0], "A", &[]).await;
    // Another value, and further copies of it: again, respelled.
    check_copies(&[&["a"], &["bb"], &["bb"], &["BB"]], [1, 1, 1, 1], "a", &["bb"]).await;
    // A third value beside a stored variant, and copies of winner and variants mixed in one round.
    let mixed: &[&str] = &["c", "BB", "a", "A", "c"];
    check_copies(&[&["a"], &["bb"], mixed], [1, 2, 2, 2], "a", &["bb", "c"]).await;
    // All of it in one round: the smallest fingerprint wins.
    check_copies(&[&["bb", "BB", "bb"], &["c"]], [1, 1, 1, 1], "bb", &["c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_round_content_decides_and_never_the_order_of_arrival() {
    let copies: Vec<Letter> = ["a", "A", "bb", "c", "C", "a"]
        .iter()
        .zip(0..)
        .map(|(text, object)| Letter { object, ..letter("1", text) })
        .collect();
    let mut seen = Vec::new();
    for order in 0..copies.len() {
        let mut arrivals = copies.clone();
        arrivals.rotate_left(order);
        for arrivals in [arrivals.clone(), arrivals.into_iter().rev().collect()] {
            let mut office = PostOffice::new();
            let counts = office.round(&arrivals).await;
            seen.push((counts, office.letters().await, office.kept_variants().await));
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
    let (counts, stored, variants) = &seen[0];
    assert_eq!((stored.len(), variants.len()), (1, 2));
    let all: u64 = counts.iter().map(|c| c.stored + c.duplicates + c.respelled + c.variants).sum();
    assert_eq!(all, copies.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_equal_copies_the_one_from_the_smallest_key_is_kept() {
    let from = |object, index| Letter { object, index, ..letter("1", "a") };
    for arrivals in [[from(2, 0), from(1, 7), from(1, 3)], [from(1, 3), from(2, 0), from(1, 7)]] {
        let counts = PostOffice::new().round(&arrivals).await;
        assert_eq!((counts[1].stored, counts[1].duplicates, counts[2].duplicates), (1, 1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn null_equals_null_and_without_an_id_the_content_is_the_identity() {
    let with_key = |key: Key, text: &str| Letter { key, ..letter("", text) };
    let second = 1_000_000;
    // No sender: one letter, twice; with a sender it is another letter.
    let nobody = with_key((Some("1"), None, 0), "a");
    let anybody = with_key((Some("1"), Some(""), 0), "a");
    let rounds = [vec![nobody.clone()], vec![nobody, anybody]];
    check(&rounds, [2, 1, 0, 0], &["a", "a"], &[]).await;
    // No code, or an empty one: other texts are other letters, equal texts are duplicates.
    for code in [None, Some("")] {
        let a = with_key((code, Some("s"), second), "a");
        let upper = with_key((code, Some("s"), second), "A");
        let rounds = [vec![a.clone(), upper.clone(), a.clone()], vec![a, upper]];
        check(&rounds, [2, 3, 0, 0], &["A", "a"], &[]).await;
    }
    // Code, sender and time all count.
    let rounds = [
        vec![
            with_key((Some("1"), Some("s"), 0), "a"),
            with_key((Some("1"), Some("s"), second), "b"),
        ],
        vec![with_key((Some("1"), Some("t"), 0), "c"), with_key((Some("2"), Some("s"), 0), "d")],
    ];
    check(&rounds, [4, 0, 0, 0], &["a", "b", "c", "d"], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_found_in_every_file_and_month() {
    let month = 31 * 86_400_000_000_i64;
    let mut office = PostOffice::new();
    let at = |n: i64, text: &str| Letter {
        key: (Some("1"), Some("s"), n * month / 3),
        text: text.to_string(),
        object: 0,
        index: n as i32,
    };
    for n in 0..9 {
        office.round(&[at(n, "a")]).await;
    }
    let later: Vec<Letter> = (0..9).flat_map(|n| [at(n, "a"), at(n, "A"), at(n, "bb")]).collect();
    office.round(&later).await;
    office.round(&later).await;
    let expected = Counts { stored: 9, duplicates: 9 + 18, respelled: 18, variants: 9 };
    assert_eq!(office.total, expected);
    assert_eq!(office.letters().await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forged_values_of_one_letter_do_not_make_rounds_quadratic() {
    let mut office = PostOffice::new();
    let forged: Vec<Letter> = (0..1000).map(|n| letter("1", &format!("text {n}"))).collect();
    office.round(&forged).await;
    office.round(&forged).await;
    let expected = Counts { stored: 1, duplicates: 1000, respelled: 0, variants: 999 };
    assert_eq!(office.total, expected);
    let comparisons = office.content.comparisons.into_inner();
    assert!(comparisons < 200 * forged.len(), "{comparisons}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variant_of_another_table_is_not_a_copy() {
    let mut office = PostOffice::new();
    office.round(&[letter("1", "a")]).await;
    office.round(&[letter("1", "bb")]).await;
    let table = TableSpec { name: "cards", ..letters() };
    let ids = ObjectIds::claim(9, &[], || 0).unwrap();
    let place = Place {
        table: &table,
        content: &office.content,
        objects: &office.objects,
        stored: &office.stored,
        variants: &office.variants,
        object_keys: &["object-0".to_string()],
        ids,
    };
    let resolved = resolve(&place, vec![batch(&[letter("1", "bb")], ids)]).await.unwrap();
    assert_eq!(resolved.counts[0].variants, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_unknown_objects_are_refused() {
    let office = PostOffice::new();
    let ids = ObjectIds::claim(1, &[], || 0).unwrap();
    let table = letters();
    let place = Place {
        table: &table,
        content: &office.content,
        objects: &office.objects,
        stored: &[],
        variants: &[],
        object_keys: &["object-0".to_string()],
        ids,
    };
    let stray = Letter { object: 1, ..letter("1", "a") };
    let other = ObjectIds::claim(2, &[], || 0).unwrap();
    for rows in [batch(&[stray], ids), batch(&[letter("1", "a")], other)] {
        assert!(matches!(resolve(&place, vec![rows]).await, Err(Error::Input { .. })));
    }
}

#[test]
fn a_resolution_can_move_between_threads() {
    fn check<'a, F: Future + Send>(_: impl FnOnce(&'a Place<'a>, Vec<RecordBatch>) -> F) {}
    check(resolve);
}

/// What a store must hold after all those letters, worked out without rounds.
fn truth(letters: &[Letter]) -> BTreeMap<Key, Vec<String>> {
    let mut values: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for letter in letters {
        let values = values.entry(letter.key).or_default();
        let value = letter.text.to_ascii_lowercase();
        if !values.contains(&value) {
            values.push(value);
            values.sort();
        }
    }
    values
}

fn arbitrary_letter(spellings: bool) -> impl Strategy<Value = Letter> {
    let texts: &[&str] = if spellings { &["a", "A", "bb", "Bb", "c"] } else { &["a", "bb", "c"] };
    let codes = prop::sample::select(&["1", "2", "3"][..]);
    let senders = prop::sample::select(&[None, Some("s")][..]);
    let times = prop::sample::select(&[0, 1_000_000, 40 * 86_400_000_000][..]);
    let texts = prop::sample::select(texts.to_vec());
    (codes, senders, times, texts, 0..8_u32, 0..50_i32).prop_map(
        |(code, sender, sent, text, object, index)| Letter {
            key: (Some(code), sender, sent),
            text: text.to_string(),
            object,
            index,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However copies are spread over rounds, the rows and what they and the variants say are the
    /// same, and so are the totals; only which spelling came first is for the rounds to decide.
    #[test]
    fn any_partition_into_rounds_gives_the_same_rows_and_totals(
        letters in any::<bool>().prop_flat_map(|spellings| {
            prop::collection::vec(arbitrary_letter(spellings), 1..40)
        }),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (office, kept, variants) = runtime.block_on(async {
            let mut office = PostOffice::new();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(letters.len())).collect();
            cuts.extend([0, letters.len()]);
            cuts.sort_unstable();
            for cut in cuts.windows(2) {
                office.round(&letters[cut[0]..cut[1]]).await;
            }
            let (kept, variants) = (office.letters().await, office.kept_variants().await);
            (office, kept, variants)
        });
        let truth = truth(&letters);
        let total = office.total;
        prop_assert_eq!(total.stored as usize, truth.len());
        let values: usize = truth.values().map(Vec::len).sum();
        prop_assert_eq!(total.variants as usize, values - truth.len());
        let all = total.stored + total.duplicates + total.respelled + total.variants;
        prop_assert_eq!(all as usize, letters.len());
        if letters.iter().all(|letter| letter.text == letter.text.to_ascii_lowercase()) {
            prop_assert_eq!(total.respelled, 0);
        }
        let keys: Vec<Key> = kept.iter().map(|(key, _)| *key).collect();
        prop_assert_eq!(keys, truth.keys().copied().collect::<Vec<_>>());
        let mut held: BTreeMap<Key, Vec<String>> = BTreeMap::new();
        for (key, text) in kept.into_iter().chain(variants) {
            held.entry(key).or_default().push(text.to_ascii_lowercase());
        }
        held.values_mut().for_each(|values| values.sort());
        prop_assert_eq!(held, truth);
    }
}
