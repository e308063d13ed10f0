//! `POST /v1/query` and `GET /v1/query`: a statement in, its rows out as they come.

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use traillake_query::{Parameters, Value};

use super::Shared;
use super::body::{Buffer, Sending, Tail, Trailers};
use super::telling::{self, wants_trailers};
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::formats::{self, ArrowIpc, Csv, Encoder, ParquetFile, Style};
use crate::queries::{Asked, Running, check_length};

/// The word under which these queries stand in the history.
const PROTOCOL: &str = "http";

/// How an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One object: columns, rows, snapshots, warnings, statistics.
    Json,
    /// An object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// The IPC stream format.
    Arrow,
    /// A file.
    Parquet,
}

impl Format {
    pub(super) const ALL: [Format; 5] =
        [Format::Json, Format::Ndjson, Format::Csv, Format::Arrow, Format::Parquet];

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Whether an answer itself says where it ends.
    fn says_its_end(self) -> bool {
        matches!(self, Format::Json | Format::Parquet)
    }

    /// The format that `Accept` asks for first among those known here.
    fn accepted(headers: &HeaderMap) -> Option<Format> {
        let accept = headers.get(ACCEPT)?.to_str().ok()?;
        accept.split(',').find_map(|part| {
            let wanted = part.split(';').next().unwrap_or_default().trim();
            let is_wanted =
                |format: &Format| format.content_type().split(';').next() == Some(wanted);
            Format::ALL.into_iter().find(is_wanted)
        })
    }

    fn encoder(self, schema: &SchemaRef, buffer: &Buffer) -> Result<Box<dyn Encoder>> {
        let sink = buffer.sink();
        let style = Style::default();
        Ok(match self {
            Format::Json => Box::new(formats::Json::array(schema, &style, sink)),
            Format::Ndjson => Box::new(formats::Json::lines(schema, &style, sink)),
            Format::Csv => Box::new(Csv::new(schema, style, sink)),
            Format::Arrow => Box::new(ArrowIpc::new(schema, &style, sink)?),
            Format::Parquet => Box::new(ParquetFile::new(schema, sink)?),
        })
    }
}

/// A statement with all that can be said about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    sql: String,
    store: Option<String>,
    format: Option<Format>,
    /// Values of `:name`, or of `?` in their order.
    #[serde(default)]
    parameters: Given,
    /// Seconds.
    timeout: Option<f64>,
    rows_max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Given {
    Named(serde_json::Map<String, Json>),
    Positional(Vec<Json>),
}

impl Default for Given {
    fn default() -> Given {
        Given::Positional(Vec::new())
    }
}

/// `POST /v1/query`, with a JSON object or with the bare statement (`application/sql`).
pub(super) async fn by_body(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Query(url): Query<Vec<(String, String)>>,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let question = match content_type.trim() {
        "application/json" => {
            if let Some((name, _)) = url.first() {
                let reason = format!("`{name}` belongs into the JSON, not into the URL");
                return Err(Error::request(reason));
            }
            serde_json::from_slice(&body)
                .map_err(|error| Error::request(format!("the request is malformed: {error}")))?
        }
        "application/sql" => {
            let sql = String::from_utf8(body.to_vec())
                .map_err(|_| Error::request("the statement is not UTF-8"))?;
            told_in_url(&server, &identity, url, Some(sql)).await?
        }
        // A web page can send other kinds of bodies without asking its reader's browser.
        _ => {
            return Err(Error::request(
                "send `Content-Type: application/json`, or `application/sql` and the statement",
            ));
        }
    };
    answer(&server, identity, question, version, &headers).await
}

/// `GET /v1/query?sql=…&format=…`: for what reads a URL.
pub(super) async fn by_url(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Query(url): Query<Vec<(String, String)>>,
    version: Version,
    headers: HeaderMap,
) -> Result<Response> {
    let question = told_in_url(&server, &identity, url, None).await?;
    answer(&server, identity, question, version, &headers).await
}

/// As [`of_url`]; of a URL that cannot be read the statement is remembered.
async fn told_in_url(
    server: &super::Inner,
    identity: &Identity,
    url: Vec<(String, String)>,
    sql: Option<String>,
) -> Result<Question> {
    let in_url = || url.iter().find(|(name, _)| name == "sql").map(|(_, sql)| sql.clone());
    let asked = sql.clone().or_else(in_url);
    match (of_url(url, sql), asked) {
        (Err(error), Some(asked)) => {
            server.queries.refused_text(identity, PROTOCOL, &asked, &error).await;
            Err(error)
        }
        (question, _) => question,
    }
}

/// `HEAD /v1/query?sql=…&format=…`: what is known of an answer before its statement runs, and it
/// does not run. Readers of URLs send it first, to learn a length and whether parts can be had: there
/// are none, and DuckDB then gets all of it at once.
///
/// # Errors
/// [`Error::Request`] for a URL that cannot be read, or too long a statement.
pub(super) async fn head(
    Query(url): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response> {
    let question = of_url(url, None)?;
    check_length(&question.sql)?;
    let format = question.format.or_else(|| Format::accepted(&headers)).unwrap_or(Format::Json);
    // Of a body that is known to be empty the length would be told, which is not that of the answer.
    let unknown = Body::from_stream(futures::stream::empty::<std::io::Result<Bytes>>());
    let mut response = Response::new(unknown);
    *response.headers_mut() = telling::of_format(format.content_type());
    Ok(response)
}

/// Reads a question from a URL: `sql`, `store`, `format`, `timeout`, `rows_max`, and `p.NAME` for
/// the value of `:NAME`, or `p` for those of `?`, in their order.
fn of_url(pairs: Vec<(String, String)>, sql: Option<String>) -> Result<Question> {
    let mut question = Question {
        sql: sql.unwrap_or_default(),
        store: None,
        format: None,
        parameters: Given::default(),
        timeout: None,
        rows_max: None,
    };
    let (mut named, mut positional) = (serde_json::Map::new(), Vec::new());
    for (name, value) in pairs {
        let wrong = |name: &str| Error::request(format!("`{name}={value}` cannot be read"));
        match name.as_str() {
            "sql" => question.sql = value,
            "store" => question.store = Some(value),
            "format" => {
                let format = serde_json::from_value(Json::from(value.as_str()));
                question.format = Some(format.map_err(|_| wrong("format"))?);
            }
            "timeout" => question.timeout = Some(value.parse().map_err(|_| wrong("timeout"))?),
            "rows_max" => question.rows_max = Some(value.parse().map_err(|_| wrong("rows_max"))?),
            "p" => positional.push(value.into()),
            other => match other.strip_prefix("p.") {
                Some(parameter) => drop(named.insert(parameter.to_owned(), value.into())),
                None => return Err(Error::request(format!("`{other}` means nothing here"))),
            },
        }
    }
    if question.sql.trim().is_empty() {
        return Err(Error::request("`sql` is missing"));
    }
    question.parameters = match (named.is_empty(), positional.is_empty()) {
        (false, false) => {
            let reason = "a statement has values by name (`p.NAME`) or by place (`p`), not both";
            return Err(Error::request(reason));
        }
        (false, true) => Given::Named(named),
        _ => Given::Positional(positional),
    };
    Ok(question)
}

async fn answer(
    server: &super::Inner,
    identity: Identity,
    question: Question,
    version: Version,
    headers: &HeaderMap,
) -> Result<Response> {
    let format = question.format.or_else(|| Format::accepted(headers)).unwrap_or(Format::Json);
    let sql = question.sql.clone();
    let asked = match asked(server, &identity, question).await {
        Ok(asked) => asked,
        Err(error) => {
            server.queries.refused_text(&identity, PROTOCOL, &sql, &error).await;
            return Err(error);
        }
    };
    let mut running = server.queries.stream(asked).await?;
    // An error of the first rows is still an answer of its own.
    let first = match running.next().await {
        Ok(first) => first,
        Err(error) => {
            running.failed(&error).await;
            return Err(error);
        }
    };
    let is_of_old = version == Version::HTTP_10;
    let with_trailers = !is_of_old && wants_trailers(headers);
    let (sending, headers) = begin(format, running, first, with_trailers).await?;
    // In HTTP/1.0 a body ends with its connection, whether all of it was sent or not.
    let body = match is_of_old && !format.says_its_end() {
        true => Body::from(sending.into_whole().await?),
        false => sending.into_body(server.options.client_gone_after),
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// Returns what is to be run for a question.
async fn asked(server: &super::Inner, identity: &Identity, question: Question) -> Result<Asked> {
    check_length(&question.sql)?;
    let timeout = question.timeout.map(|seconds| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::request(format!("`timeout` cannot be {seconds} s")))
    });
    let store = match question.store {
        Some(store) => store,
        None => server.queries.engines().usual_store(identity, &server.options.store).await?,
    };
    Ok(Asked {
        identity: identity.clone(),
        protocol: PROTOCOL,
        store,
        sql: question.sql,
        parameters: parameters(question.parameters)?,
        client_token: None,
        details: json!({}),
        schema: None,
        timeout: timeout.transpose()?,
        rows_max: question.rows_max,
    })
}

/// Returns an answer of which nothing is sent yet, and what is told before it.
async fn begin(
    format: Format,
    running: Running,
    first: Option<arrow::array::RecordBatch>,
    with_trailers: bool,
) -> Result<(Sending, HeaderMap)> {
    let buffer = Buffer::default();
    let headers = telling::headers(&running, format.content_type(), with_trailers);
    if format == Format::Json {
        let text = telling::head(&running);
        use std::io::Write as _;
        buffer.sink().write_all(text.as_bytes())?;
    }
    let encoder = match format.encoder(&running.schema, &buffer) {
        Ok(encoder) => encoder,
        Err(error) => {
            running.failed(&error).await;
            return Err(error);
        }
    };
    let tail: Option<Tail> = (format == Format::Json).then_some(telling::tail);
    let trailers: Option<Trailers> = with_trailers.then_some(telling::trailers);
    Ok((Sending { running, encoder, buffer, first, tail, trailers }, headers))
}

fn parameters(given: Given) -> Result<Parameters> {
    let mut parameters = Parameters::default();
    match given {
        Given::Named(named) => {
            for (name, value) in named {
                parameters.named.insert(name, value_of(value)?);
            }
        }
        Given::Positional(values) => {
            for value in values {
                parameters.positional.push(value_of(value)?);
            }
        }
    }
    Ok(parameters)
}

fn value_of(value: Json) -> Result<Value> {
    let wrong =
        |value: &Json| Error::request(format!("`{value}` cannot be the value of a parameter"));
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(value),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            // Of a whole number that no bigint holds a double would keep the first digits only.
            None if !number.is_f64() => return Err(wrong(&Json::Number(number))),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            let texts: Option<Vec<String>> = texts.collect();
            Value::Texts(texts.ok_or_else(|| wrong(&Json::Array(items)))?)
        }
        object => return Err(wrong(&object)),
    })
}
