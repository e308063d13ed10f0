//! The physical columns of the record tables and of `digests`.
//!
//! AWS's names, camelCase. What people filter on inside `userIdentity` is a column of its own,
//! because engines prune nothing on struct fields; free-form fields are exact JSON text. Columns
//! come hot ones first.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Kinds of records, each with a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Management, data and network activity events.
    Events,
    /// Insights events.
    Insights,
    /// Five-minute aggregates of data events.
    Aggregated,
    /// Digest files, one row each.
    Digest,
}

impl Kind {
    /// Every kind, in the order of the tables.
    pub const ALL: [Kind; 4] = [Kind::Events, Kind::Insights, Kind::Aggregated, Kind::Digest];

    /// Returns the name of the kind's table.
    pub const fn table(self) -> &'static str {
        match self {
            Kind::Events => "events",
            Kind::Insights => "insights",
            Kind::Aggregated => "aggregated",
            Kind::Digest => "digests",
        }
    }

    /// Returns the physical schema of the kind's table.
    pub fn schema(self) -> SchemaRef {
        match self {
            Kind::Events => events(),
            Kind::Insights => insights(),
            Kind::Aggregated => aggregated(),
            Kind::Digest => digests(),
        }
    }

    /// Returns the columns of the kind's table that hold fields of the record, in table order.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Kind::Events => EVENTS,
            Kind::Insights => INSIGHTS,
            Kind::Aggregated => AGGREGATED,
            Kind::Digest => DIGESTS,
        }
    }

    /// Returns the number of the column of this name; the number of columns if there is none.
    pub(crate) const fn position(self, name: &str) -> usize {
        let columns = self.columns();
        let mut number = 0;
        while number < columns.len() && !is_equal(columns[number].name, name) {
            number += 1;
        }
        number
    }

    /// Returns the names of the columns that hold exact JSON text.
    pub fn json_columns(self) -> Vec<&'static str> {
        let json = |column: &&Column| column.form == Form::Json;
        self.columns().iter().filter(json).map(|column| column.name).collect()
    }

    /// Returns the names of the columns that [`crate::rebuild()`] reads in this kind's table.
    pub fn rebuild_columns(self) -> Vec<&'static str> {
        let fields = self.columns().iter().map(|column| column.name);
        fields.chain([SHAPE, RAW_FIELDS, UNKNOWN_FIELDS, RECORD]).collect()
    }
}

const fn is_equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    a.len() == b.len() && at == a.len()
}

/// How a column holds its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Decoded text.
    Text,
    /// Exact JSON text; null for a JSON null.
    Json,
    /// Boolean.
    Flag,
    /// Microseconds UTC.
    Time,
    /// List of resources.
    Resources,
    /// Bytes.
    Bytes,
}

/// A column that holds a field of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// How it holds the field.
    pub form: Form,
}

const fn text(name: &'static str) -> Column {
    Column { name, form: Form::Text }
}

const fn json(name: &'static str) -> Column {
    Column { name, form: Form::Json }
}

const fn flag(name: &'static str) -> Column {
    Column { name, form: Form::Flag }
}

const fn time(name: &'static str) -> Column {
    Column { name, form: Form::Time }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, form: Form::Bytes }
}

/// The time of the record, microseconds UTC; never null.
pub const EVENT_TIME: &str = "eventTime";
/// Service that was called.
pub const EVENT_SOURCE: &str = "eventSource";
/// What was called.
pub const EVENT_NAME: &str = "eventName";
/// First part of a record's identity.
pub const EVENT_ID: &str = "eventID";
/// Second part of a record's identity; `eventTime` is the third.
pub const RECIPIENT_ACCOUNT_ID: &str = "recipientAccountId";
/// Skeleton of the record, see [`crate::shape`].
pub const SHAPE: &str = "_shape";
/// Fields whose spelling no column can hold, as an object of exact JSON values; else null.
pub const RAW_FIELDS: &str = "_raw_fields";
/// Fields without a column, as an object of exact JSON values; else null.
pub const UNKNOWN_FIELDS: &str = "_unknown_fields";
/// The spare column: the record's bytes, where the other columns do not give them back; else null.
pub const RECORD: &str = "_record";
/// The first 8 bytes, little endian, of SHA-256 of the record's bytes: nobody can make another
/// record with the same one.
pub const FINGERPRINT: &str = "_fingerprint";
/// The object that the record came in: an ordinal of the round, later the ledger's id.
pub const OBJECT: &str = "_object";
/// Number of the record in its object, from 0.
pub const INDEX: &str = "_index";

/// Bookkeeping columns of every record table, after the fields.
pub const BOOKKEEPING: &[&str] =
    &[SHAPE, RAW_FIELDS, UNKNOWN_FIELDS, RECORD, FINGERPRINT, OBJECT, INDEX];

/// Names of the fields of one element of `resources`.
pub const RESOURCE_FIELDS: [&str; 4] = ["accountId", "type", "ARN", "ARNPrefix"];

const EVENTS: &[Column] = &[
    time(EVENT_TIME),
    text(EVENT_SOURCE),
    text(EVENT_NAME),
    text("awsRegion"),
    text(RECIPIENT_ACCOUNT_ID),
    text(EVENT_ID),
    text("userIdentity_type"),
    text("userIdentity_principalId"),
    text("userIdentity_arn"),
    text("userIdentity_accountId"),
    text("userIdentity_accessKeyId"),
    text("userIdentity_userName"),
    text("userIdentity_invokedBy"),
    text("userIdentity_sessionIssuer_arn"),
    text("userIdentity_sessionIssuer_userName"),
    text("sourceIPAddress"),
    text("userAgent"),
    text("errorCode"),
    text("errorMessage"),
    flag("readOnly"),
    flag("managementEvent"),
    text("eventCategory"),
    text("eventType"),
    json("requestParameters"),
    json("responseElements"),
    Column { name: "resources", form: Form::Resources },
    json("additionalEventData"),
    text("requestID"),
    text("sharedEventID"),
    text("vpcEndpointId"),
    text("vpcEndpointAccountId"),
    text("eventVersion"),
    text("apiVersion"),
    text("userIdentity_sessionIssuer_type"),
    text("userIdentity_sessionIssuer_principalId"),
    text("userIdentity_sessionIssuer_accountId"),
    text("userIdentity_creationDate"),
    text("userIdentity_mfaAuthenticated"),
    text("userIdentity_identityProvider"),
    text("userIdentity_credentialId"),
    text("userIdentity_webIdFederationData_federatedProvider"),
    json("userIdentity_webIdFederationData_attributes"),
    text("userIdentity_sourceIdentity"),
    text("userIdentity_ec2RoleDelivery"),
    text("userIdentity_ec2IssuedInVpc"),
    text("userIdentity_assumedRoot"),
    text("userIdentity_onBehalfOf_userId"),
    text("userIdentity_onBehalfOf_identityStoreArn"),
    text("userIdentity_inScopeOf_sourceArn"),
    text("userIdentity_inScopeOf_sourceAccount"),
    text("userIdentity_inScopeOf_issuerType"),
    text("userIdentity_inScopeOf_credentialsIssuedTo"),
    text("userIdentity_invokedByDelegate_accountId"),
    text("tlsDetails_tlsVersion"),
    text("tlsDetails_cipherSuite"),
    text("tlsDetails_clientProvidedHostHeader"),
    text("tlsDetails_keyExchange"),
    text("sessionCredentialFromConsole"),
    text("annotation"),
    json("serviceEventDetails"),
    json("addendum"),
    json("edgeDeviceDetails"),
    json("insightDetails"),
    json("eventContext"),
];

const INSIGHTS: &[Column] = &[
    time(EVENT_TIME),
    text(EVENT_SOURCE),
    text(EVENT_NAME),
    text("awsRegion"),
    text(RECIPIENT_ACCOUNT_ID),
    text(EVENT_ID),
    text("sharedEventID"),
    text("insightType"),
    text("insightState"),
    text("insightErrorCode"),
    text("insightSource"),
    json("insightContext"),
    text("eventVersion"),
    text("eventType"),
    text("eventCategory"),
    json("addendum"),
];

const AGGREGATED: &[Column] = &[
    time(EVENT_TIME),
    text(EVENT_SOURCE),
    text(EVENT_NAME),
    text("awsRegion"),
    text(RECIPIENT_ACCOUNT_ID),
    text(EVENT_ID),
    time("windowEnd"),
    text("windowSize"),
    json("summary"),
    text("eventVersion"),
    text("eventType"),
    text("eventCategory"),
];

const DIGESTS: &[Column] = &[
    time("digestEndTime"),
    time("digestStartTime"),
    text("awsAccountId"),
    text("digestS3Bucket"),
    text("digestS3Object"),
    text("digestPublicKeyFingerprint"),
    text("digestSignatureAlgorithm"),
    time("newestEventTime"),
    time("oldestEventTime"),
    text("previousDigestS3Bucket"),
    text("previousDigestS3Object"),
    text("previousDigestHashValue"),
    text("previousDigestHashAlgorithm"),
    text("previousDigestSignature"),
    json("logFiles"),
    bytes("content"),
    bytes("sha256"),
    text("signature"),
    text("signatureAlgorithm"),
    text("backfillGenerationTimestamp"),
];

/// Returns the type of all time columns.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Returns the fields of one element of `resources`.
pub(crate) fn resource_fields() -> Fields {
    RESOURCE_FIELDS.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

/// Returns the element of the list that `resources` is.
pub(crate) fn resource_item() -> Field {
    Field::new("element", DataType::Struct(resource_fields()), true)
}

fn field(column: &Column) -> Field {
    let data_type = match column.form {
        Form::Text | Form::Json => DataType::Utf8,
        Form::Flag => DataType::Boolean,
        Form::Time => time_type(),
        Form::Resources => DataType::List(Arc::new(resource_item())),
        Form::Bytes => DataType::Binary,
    };
    Field::new(column.name, data_type, column.name != EVENT_TIME)
}

fn record_table(columns: &[Column]) -> SchemaRef {
    let bookkeeping = [
        Field::new(SHAPE, DataType::Utf8, false),
        Field::new(RAW_FIELDS, DataType::Utf8, true),
        Field::new(UNKNOWN_FIELDS, DataType::Utf8, true),
        Field::new(RECORD, DataType::Binary, true),
        Field::new(FINGERPRINT, DataType::Int64, false),
        Field::new(OBJECT, DataType::Int64, false),
        Field::new(INDEX, DataType::Int32, false),
    ];
    Arc::new(Schema::new(columns.iter().map(field).chain(bookkeeping).collect::<Vec<_>>()))
}

/// Returns the physical schema of `events`.
pub fn events() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| record_table(EVENTS));
    SCHEMA.clone()
}

/// Returns the physical schema of `insights`: `eventSource` and `eventName` are those of the call
/// that was unusual; trail form and Lake form share the columns.
pub fn insights() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| record_table(INSIGHTS));
    SCHEMA.clone()
}

/// Returns the physical schema of `aggregated`: `eventTime` is the start of the window.
pub fn aggregated() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| record_table(AGGREGATED));
    SCHEMA.clone()
}

/// Returns the physical schema of `digests`: parsed fields, the exact inflated bytes with their
/// SHA-256, and what S3 keeps beside the file (signature, algorithm, backfill stamp), null until
/// the reader of the bucket fills it in.
pub fn digests() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let object = Field::new(OBJECT, DataType::Int64, false);
        Arc::new(Schema::new(DIGESTS.iter().map(field).chain([object]).collect::<Vec<_>>()))
    });
    SCHEMA.clone()
}
