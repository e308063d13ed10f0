//! A small lake, written through `store`: events with the physical columns that views are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, StructBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};
use traillake_query::{Engine, EngineOptions, Rebuild};
use traillake_store::{
    Comparison, Content, Counts, Identity, Lake, ObjectRow, ObjectState, PartRows, RejectRow,
    RoundInput, RoundPart, StoreSpec, TableSpec,
};

/// Text columns of `events`, beside those of bookkeeping.
const TEXTS: &[&str] = &[
    "eventSource",
    "eventName",
    "awsRegion",
    "recipientAccountId",
    "eventID",
    "userIdentity_type",
    "userIdentity_principalId",
    "userIdentity_arn",
    "userIdentity_accountId",
    "userIdentity_accessKeyId",
    "userIdentity_userName",
    "userIdentity_invokedBy",
    "userIdentity_sessionIssuer_arn",
    "userIdentity_sessionIssuer_userName",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventType",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventVersion",
    "apiVersion",
    "userIdentity_sessionIssuer_type",
    "userIdentity_sessionIssuer_principalId",
    "userIdentity_sessionIssuer_accountId",
    "userIdentity_creationDate",
    "userIdentity_mfaAuthenticated",
    "userIdentity_identityProvider",
    "userIdentity_credentialId",
    "userIdentity_webIdFederationData_federatedProvider",
    "userIdentity_webIdFederationData_attributes",
    "userIdentity_sourceIdentity",
    "userIdentity_ec2RoleDelivery",
    "userIdentity_ec2IssuedInVpc",
    "userIdentity_assumedRoot",
    "userIdentity_onBehalfOf_userId",
    "userIdentity_onBehalfOf_identityStoreArn",
    "userIdentity_inScopeOf_sourceArn",
    "userIdentity_inScopeOf_sourceAccount",
    "userIdentity_inScopeOf_issuerType",
    "userIdentity_inScopeOf_credentialsIssuedTo",
    "userIdentity_invokedByDelegate_accountId",
    "tlsDetails_tlsVersion",
    "tlsDetails_cipherSuite",
    "tlsDetails_clientProvidedHostHeader",
    "tlsDetails_keyExchange",
    "sessionCredentialFromConsole",
    "annotation",
    "serviceEventDetails",
    "addendum",
    "edgeDeviceDetails",
    "insightDetails",
    "eventContext",
    "_raw_fields",
    "_unknown_fields",
];

/// One event: its time in microseconds since 1970, and what its text columns hold.
#[derive(Clone)]
pub struct Event {
    time: i64,
    texts: Vec<(&'static str, String)>,
    resources: Vec<(&'static str, &'static str)>,
}

impl Event {
    /// A management event with id `id`.
    pub fn new(id: &str, time: &str, source: &str, name: &str) -> Event {
        let time = DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
        let event = Event { time, texts: Vec::new(), resources: Vec::new() };
        event
            .with("eventID", id)
            .with("eventSource", source)
            .with("eventName", name)
            .with("awsRegion", "eu-central-1")
            .with("recipientAccountId", "111122223333")
            .with("eventCategory", "Management")
            .with("eventVersion", "1.08")
    }

    /// The event with another value in a text column.
    pub fn with(mut self, column: &'static str, value: &str) -> Event {
        assert!(TEXTS.contains(&column), "{column}");
        self.texts.retain(|(name, _)| *name != column);
        self.texts.push((column, value.to_string()));
        self
    }

    /// The event without a value in a text column.
    pub fn without(mut self, column: &'static str) -> Event {
        self.texts.retain(|(name, _)| *name != column);
        self
    }

    /// The event with a resource more.
    pub fn on(mut self, kind: &'static str, arn: &'static str) -> Event {
        self.resources.push((kind, arn));
        self
    }

    fn text(&self, column: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| *name == column).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> String {
        format!(
            r#"{{"eventID":"{}","eventName":"{}"}}"#,
            self.text("eventID").unwrap_or(""),
            self.text("eventName").unwrap_or("")
        )
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn resource_fields() -> Fields {
    ["accountId", "type", "ARN", "ARNPrefix"]
        .map(|n| Field::new(n, DataType::Utf8, true))
        .into_iter()
        .collect()
}

fn resources_type() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Struct(resource_fields()), true)))
}

fn schema() -> SchemaRef {
    let mut fields = vec![Field::new("eventTime", time_type(), false)];
    fields.extend(TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true)));
    fields.extend([
        Field::new("readOnly", DataType::Boolean, true),
        Field::new("managementEvent", DataType::Boolean, true),
        Field::new("resources", resources_type(), true),
        Field::new("_record", DataType::Binary, true),
        Field::new("_fingerprint", DataType::Int64, false),
        Field::new("_object", DataType::Int64, false),
        Field::new("_index", DataType::Int32, false),
    ]);
    Arc::new(Schema::new(fields))
}

/// The store of these tests: `events`, and an empty table of each other kind.
pub fn spec() -> StoreSpec {
    let table = |name: &'static str, schema: SchemaRef| TableSpec {
        name,
        schema,
        partition: Some("eventMonth"),
        time_column: Some("eventTime"),
        sort: &["eventSource", "eventName", "recipientAccountId", "eventTime"],
        bloom: &["eventID", "userIdentity_arn"],
        stats: &["eventTime", "eventSource", "eventName", "recipientAccountId", "awsRegion"],
        identity: Some(Identity {
            columns: ["eventID", "recipientAccountId", "eventTime"],
            fingerprint: "_fingerprint",
        }),
    };
    let digests = Arc::new(Schema::new(vec![
        Field::new("digestEndTime", time_type(), true),
        Field::new("awsAccountId", DataType::Utf8, true),
        Field::new("digestS3Object", DataType::Utf8, true),
        Field::new("logFiles", DataType::Utf8, true),
        Field::new("_object", DataType::Int64, false),
    ]));
    let plain = TableSpec {
        name: "digests",
        schema: digests,
        partition: None,
        time_column: None,
        sort: &[],
        bloom: &[],
        stats: &[],
        identity: None,
    };
    let records =
        vec![table("events", schema()), table("insights", schema()), table("aggregated", schema())];
    StoreSpec { records, plain: vec![plain] }
}

fn batch(events: &[Event]) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(
        TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.time))
            .with_timezone("UTC"),
    )];
    for name in TEXTS {
        columns.push(Arc::new(events.iter().map(|e| e.text(name)).collect::<StringArray>()));
    }
    let read_only = events.iter().map(|e| {
        let name = e.text("eventName")?;
        Some(name.starts_with("Get") || name.starts_with("List") || name.starts_with("Describe"))
    });
    columns.push(Arc::new(read_only.collect::<BooleanArray>()));
    columns.push(Arc::new(
        events
            .iter()
            .map(|e| Some(e.text("eventCategory")? == "Management"))
            .collect::<BooleanArray>(),
    ));
    columns.push(resources(events));
    let texts: Vec<String> = events.iter().map(Event::json).collect();
    columns.push(Arc::new(BinaryArray::from_iter_values(texts.iter().map(String::as_bytes))));
    let fingerprints = texts.iter().map(|text| {
        text.bytes().fold(1_469_598_103_i64, |hash, byte| hash.wrapping_mul(31) ^ i64::from(byte))
    });
    columns.push(Arc::new(Int64Array::from_iter_values(fingerprints)));
    columns.push(Arc::new(Int64Array::from(vec![0; events.len()])));
    columns.push(Arc::new(Int32Array::from_iter_values(0..events.len() as i32)));
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn resources(events: &[Event]) -> ArrayRef {
    let element = match resources_type() {
        DataType::List(element) => element,
        _ => unreachable!(),
    };
    let row = StructBuilder::from_fields(resource_fields(), 0);
    let mut list = ListBuilder::new(row).with_field(element);
    for event in events {
        for (kind, arn) in &event.resources {
            let row = list.values();
            row.field_builder::<StringBuilder>(0).unwrap().append_value("111122223333");
            row.field_builder::<StringBuilder>(1).unwrap().append_value(kind);
            row.field_builder::<StringBuilder>(2).unwrap().append_value(arn);
            row.field_builder::<StringBuilder>(3).unwrap().append_null();
            row.append(true);
        }
        list.append(!event.resources.is_empty());
    }
    Arc::new(list.finish())
}

/// Stands for a hash: different keys, different bytes.
fn distinct(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, byte) in key.bytes().rev().enumerate() {
        bytes[at % 32] ^= byte.rotate_left(at as u32 / 32);
    }
    bytes
}

struct Records;

impl Content for Records {
    fn record_bytes(&self, rows: &RecordBatch, row: usize) -> Result<Vec<u8>, String> {
        Ok(rows.column_by_name("_record").unwrap().as_binary::<i32>().value(row).to_vec())
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Comparison {
        if a == b { Comparison::Same } else { Comparison::Differs { paths: vec!["$".into()] } }
    }
}

/// Gives back the bytes of `_record`, and counts the rows it was asked for.
#[derive(Debug, Default)]
pub struct CountedRebuild {
    rows: AtomicU64,
}

impl CountedRebuild {
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

impl Rebuild for CountedRebuild {
    fn columns(&self) -> &[&str] {
        &["eventID", "eventTime", "resources", "_record", "notInThisTable"]
    }

    fn rebuild(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        self.rows.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
        assert_eq!(rows.column_by_name("eventTime").unwrap().data_type(), &time_type());
        assert_eq!(rows.column_by_name("eventID").unwrap().data_type(), &DataType::Utf8);
        Ok(rows.column_by_name("_record").unwrap().clone())
    }
}

/// A lake in a folder of its own.
pub struct TestLake {
    pub folder: tempfile::TempDir,
    pub lake: Lake,
    pub rebuild: Arc<CountedRebuild>,
}

pub fn now() -> DateTime<Utc> {
    "2024-07-01T12:00:00Z".parse().unwrap()
}

impl TestLake {
    pub async fn empty() -> TestLake {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("lake").display().to_string();
        let lake = Lake::open_or_create(&location).await.unwrap();
        lake.create_store("default", &spec(), now()).await.unwrap();
        TestLake { folder, lake, rebuild: Arc::default() }
    }

    /// A lake whose every element of `rounds` was one round with one object.
    pub async fn with(rounds: &[&[Event]]) -> TestLake {
        let lake = TestLake::empty().await;
        for events in rounds {
            lake.commit("default", events, &[]).await;
        }
        lake
    }

    /// Commits one round: an object with `events` and rejected records.
    pub async fn commit(&self, store: &str, events: &[Event], rejects: &[&[u8]]) {
        let writer = self.lake.writer(store, &spec(), now()).await.unwrap();
        let first = events.first().map_or(0, |event| event.time / 1_000_000);
        let key = format!(
            "bucket/AWSLogs/111122223333/CloudTrail/{store}/{first}-{}.json.gz",
            events.len()
        );
        let inflated = distinct(&key);
        let object = ObjectRow {
            logical_key: key["bucket/".len()..].to_string(),
            object_key: key,
            size_bytes: 100,
            etag: Some("etag".into()),
            modified_at: None,
            version_id: None,
            sha256: Some([0xab; 32]),
            inflated_sha256: Some(inflated),
            kind: Some("events".into()),
            account: Some("111122223333".into()),
            region: Some("eu-central-1".into()),
            delivered_at: DateTime::from_timestamp(first, 0),
            records: (events.len() + rejects.len()) as u64,
            rejects: rejects.len() as u64,
            deselected: 0,
            counts: Counts::default(),
            first_event_at: None,
            last_event_at: None,
            state: ObjectState::Read,
            copy_of: None,
            detail: None,
        };
        let rejects = rejects.iter().enumerate().map(|(index, bytes)| RejectRow {
            object: 0,
            index: index as u64,
            offset: 7,
            reason: "no `eventTime`".into(),
            bytes: bytes.to_vec(),
            truncated: false,
        });
        let part =
            PartRows { records: vec![("events".into(), vec![batch(events)])], plain: Vec::new() };
        let round = RoundInput {
            parts: vec![RoundPart::Held(part)],
            objects: vec![object],
            rejects: rejects.collect(),
            ..RoundInput::default()
        };
        writer.commit_round(round, &Records, now()).await.unwrap();
    }

    pub fn options(&self) -> EngineOptions {
        EngineOptions {
            store: "default".into(),
            memory_bytes: 256 << 20,
            temp_dir: self.folder.path().to_path_buf(),
            timeout: None,
            rows_max: None,
            at: None,
            now: now(),
            since: None,
            until: None,
            rebuild: self.rebuild.clone(),
            looks: None,
            lookups: Vec::new(),
            system_tables: Vec::new(),
            aliases: Vec::new(),
            partitions: 2,
            outline: Some(spec()),
        }
    }

    pub async fn engine(&self) -> Engine {
        Engine::new(self.lake.clone(), self.options()).await.unwrap()
    }
}
