//! The sqllogictest files of testdata/queries/trino: expected values from Trino's documentation.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::support::Session;

struct Database(Session);

#[async_trait]
impl AsyncDB for Database {
    type Error = traillake_trino::SqlError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Self::ColumnType>, Self::Error> {
        let answer = self.0.run(sql).await?;
        let rows = answer.rows.into_iter().map(|row| {
            let empty = |value: String| if value.is_empty() { "(empty)".to_owned() } else { value };
            row.into_iter().map(empty).collect()
        });
        let types = vec![DefaultColumnType::Any; answer.headers.len()];
        Ok(DBOutput::Rows { types, rows: rows.collect() })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "traillake"
    }
}

#[tokio::test]
async fn every_file_of_statements_has_the_documented_answers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/queries/trino");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .slt files in {folder}");
    let mut failures = Vec::new();
    for file in files {
        // Every record is run, so that one report names all that fail.
        let records = sqllogictest::parse_file::<DefaultColumnType>(&file).unwrap();
        let mut runner = Runner::new(|| async { Ok(Database(Session::new().await)) });
        for record in records {
            if let Err(error) = runner.run_async(record).await {
                failures.push(error.display(false).to_string());
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
