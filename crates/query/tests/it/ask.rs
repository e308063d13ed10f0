//! Asking, and answers as text.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use tokio::sync::RwLock;
use traillake_query::{Answer, Engine, Error, Parameters};

/// An answer read to its end.
pub struct Read {
    pub headers: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub notes: Vec<String>,
    pub answer: Answer,
}

/// Maps are counted for the whole process: whoever counts them must ask alone.
static ALONE: RwLock<()> = RwLock::const_new(());

/// Asks while nobody else does; returns how many maps were built too.
pub async fn exclusively(engine: &Engine, sql: &str) -> (Read, u64) {
    let _alone = ALONE.write().await;
    let before = traillake_trino::map::converted_rows();
    match read_all(engine, sql, &Parameters::default()).await {
        Ok(read) => (read, traillake_trino::map::converted_rows() - before),
        Err(error) => panic!("{sql}\n{}\n{error:?}", error.render()),
    }
}

/// Asks and reads the whole answer. NULL is `NULL`.
pub async fn try_ask(engine: &Engine, sql: &str, parameters: &Parameters) -> Result<Read, Error> {
    let _beside_others = ALONE.read().await;
    read_all(engine, sql, parameters).await
}

async fn read_all(engine: &Engine, sql: &str, parameters: &Parameters) -> Result<Read, Error> {
    let mut answer = engine.query(sql, parameters).await?;
    let mut rows = Vec::new();
    while let Some(batch) = answer.batches.next().await {
        rows.extend(texts(&batch?));
    }
    let headers = answer.schema.fields().iter().map(|field| field.name().clone()).collect();
    let notes = answer.notes().into_iter().map(|note| note.text).collect();
    Ok(Read { headers, rows, notes, answer })
}

pub async fn ask(engine: &Engine, sql: &str) -> Read {
    match try_ask(engine, sql, &Parameters::default()).await {
        Ok(read) => read,
        Err(error) => panic!("{sql}\n{}\n{error:?}", error.render()),
    }
}

/// The error a statement ends in.
pub async fn refused(engine: &Engine, sql: &str) -> Error {
    match try_ask(engine, sql, &Parameters::default()).await {
        Ok(read) => panic!("{sql}\nwas answered: {:?}", read.rows),
        Err(error) => error,
    }
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}

/// Rows as lines, cells separated by `|`.
pub fn lines(read: &Read) -> Vec<String> {
    read.rows.iter().map(|row| row.join("|")).collect()
}
