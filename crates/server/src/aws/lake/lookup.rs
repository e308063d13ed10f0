//! LookupEvents: events by one attribute and a range of time, newest first.
//!
//! AWS looks through management events of the last 90 days; here it is every event of the store.
//! One statement with bound values, over `events`, or over `insights` where those are asked for.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use traillake_query::{Parameters, Value};

use super::pages::Pages;
use super::request::{TimeRange, malformed};
use super::{Call, PROTOCOL, fault, stores};
use crate::aws::seconds;
use crate::aws::{Answered, Fault};
use crate::error::{Error, Result};
use crate::formats::push_value;
use crate::queries::{Asked, Running};

/// Events of a page.
const PAGE: usize = 50;

/// Who called, in one word: the name of a user, the session's name of a role, `root`. A service has
/// none.
const USERNAME: &str = "CASE WHEN userIdentity.type = 'Root' THEN 'root' \
     ELSE coalesce(userIdentity.userName, \
     nullif(split_part(userIdentity.principalId, ':', 2), '')) END";

const EVENTS: &str = "SELECT eventTime, _object, _index, eventID AS \"EventId\", \
     eventName AS \"EventName\", CAST(readOnly AS varchar) AS \"ReadOnly\", \
     userIdentity.accessKeyId AS \"AccessKeyId\", eventSource AS \"EventSource\", \
     {username} AS \"Username\", eventJson AS \"CloudTrailEvent\", \
     transform(resources, r -> r.type) AS types, transform(resources, r -> r.arn) AS arns \
     FROM events";

const INSIGHTS: &str = "SELECT eventTime, _object, _index, eventID AS \"EventId\", \
     insightEventName AS \"EventName\", insightEventSource AS \"EventSource\", \
     eventJson AS \"CloudTrailEvent\" FROM insights";

/// What an event is looked up by: the attribute, the condition on an event, the one on an Insights
/// event.
const ATTRIBUTES: [(&str, &str, Option<&str>); 8] = [
    ("EventId", "eventID = :value", Some("eventID = :value")),
    ("EventName", "eventName = :value", Some("insightEventName = :value")),
    ("EventSource", "eventSource = :value", Some("insightEventSource = :value")),
    ("ReadOnly", "readOnly = (:value = 'true')", None),
    ("Username", "{username} = :value", None),
    ("ResourceType", "any_match(resources, r -> r.type = :value)", None),
    // AWS makes names of what a call was about. Records say it in `resources`, as ARNs, or only in
    // the parameters of the call.
    (
        "ResourceName",
        "(any_match(resources, r -> r.arn = :value OR substr(r.arn, -1 - length(:value)) \
         IN (concat(':', :value), concat('/', :value))) \
         OR contains(map_values(requestParameters), :value))",
        None,
    ),
    ("AccessKeyId", "userIdentity.accessKeyId = :value", None),
];

/// Where an event stands among all, newest first: its time in microseconds, object and place in it.
type Position = (i64, i64, i32);

/// LookupEvents.
pub(super) async fn lookup_events(call: Call<'_>) -> Answered {
    let request = &call.request;
    let size = request.page_size("MaxResults", PAGE)?;
    let (start, end) = request.time_range("InvalidTimeRangeException")?;
    let insights = match request.text("EventCategory", 0..=100)? {
        None => false,
        Some("insight") => true,
        Some(other) => {
            let message = format!("`{other}` is no category of events; `insight` is");
            return Err(Fault::new("InvalidEventCategoryException", message));
        }
    };
    let by = attribute(&call, insights)?;
    let value = by.as_ref().map(|by| by.value);
    let key = by.as_ref().map(|by| by.key);
    let question = json!(["LookupEvents", insights, key, value, start, end]);
    let details = json!({"operation": "LookupEvents", "parameters": question});
    let pages = Pages::of(&call, question);
    let after: Option<Position> = pages.begin(&call)?;
    let (sql, parameters) = statement(insights, by, (start, end), after, size + 1);
    let asked = Asked {
        store: stores::of_session(&call).await?,
        identity: call.identity.clone(),
        protocol: PROTOCOL,
        sql,
        parameters,
        client_token: None,
        details,
        schema: None,
        timeout: None,
        rows_max: None,
    };
    let running = call.server.queries.stream(asked).await.map_err(fault)?;
    let mut found = read(running).await.map_err(fault)?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(position, _)| pages.token(position));
    let events: Vec<Json> = found.into_iter().map(|(_, event)| event).collect();
    let mut answer = json!({ "Events": events });
    if let Some(token) = next {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}

struct Attribute<'a> {
    key: &'a str,
    value: &'a str,
    condition: &'static str,
}

/// Returns the one attribute that is asked for, if any.
fn attribute<'a>(call: &Call<'a>, insights: bool) -> Result<Option<Attribute<'a>>, Fault> {
    let wrong = |message: String| Fault::new("InvalidLookupAttributesException", message);
    let name = "LookupAttributes";
    let item = match call.request.member(name) {
        None => return Ok(None),
        Some(Json::Array(items)) => match items.as_slice() {
            [] => return Ok(None),
            [item @ Json::Object(_)] => item,
            [_] => return Err(malformed(name, "a list of structures")),
            _ => return Err(wrong("give one attribute".to_owned())),
        },
        Some(_) => return Err(malformed(name, "a list")),
    };
    let part = |part: &str| match item.get(part) {
        Some(Json::String(text)) => Ok(text.as_str()),
        Some(Json::Null) | None => Err(wrong(format!("`{part}` is missing"))),
        Some(_) => Err(malformed(part, "a string")),
    };
    let (key, value) = (part("AttributeKey")?, part("AttributeValue")?);
    let known = ATTRIBUTES.iter().find(|(known, ..)| *known == key);
    let condition = known.and_then(|(_, event, insight)| match insights {
        true => *insight,
        false => Some(*event),
    });
    let condition = condition.ok_or_else(|| match insights {
        true => wrong(format!("Insights events cannot be looked up by `{key}`")),
        false => wrong(format!("events cannot be looked up by `{key}`")),
    })?;
    if !(1..=2_000).contains(&value.chars().count()) {
        return Err(wrong("`AttributeValue` must have from 1 to 2000 characters".to_owned()));
    }
    if key == "ReadOnly" && !["true", "false"].contains(&value) {
        return Err(wrong("`ReadOnly` is `true` or `false`".to_owned()));
    }
    Ok(Some(Attribute { key, value, condition }))
}

/// Returns the statement that gives the `limit` newest events before `after`.
fn statement(
    insights: bool,
    by: Option<Attribute<'_>>,
    (start, end): TimeRange,
    after: Option<Position>,
    limit: usize,
) -> (String, Parameters) {
    let mut conditions = Vec::new();
    let mut values = vec![("limit", Value::Integer(limit as i64))];
    if let Some(Attribute { value, condition, .. }) = by {
        conditions.push(condition);
        values.push(("value", Value::Text(value.to_owned())));
    }
    let time = |time: DateTime<Utc>| Value::Timestamp(time.timestamp_micros());
    if let Some(start) = start {
        conditions.push("eventTime >= :start");
        values.push(("start", time(start)));
    }
    if let Some(end) = end {
        conditions.push("eventTime <= :end");
        values.push(("end", time(end)));
    }
    if let Some((micros, object, index)) = after {
        conditions.push("eventTime <= :time");
        conditions.push(
            "(eventTime < :time OR _object < :object OR (_object = :object AND _index < :index))",
        );
        values.push(("time", Value::Timestamp(micros)));
        values.push(("object", Value::Integer(object)));
        values.push(("index", Value::Integer(index.into())));
    }
    let mut sql = if insights { INSIGHTS } else { EVENTS }.to_owned();
    for (place, condition) in conditions.into_iter().enumerate() {
        sql += if place == 0 { " WHERE " } else { " AND " };
        sql += condition;
    }
    sql += " ORDER BY eventTime DESC, _object DESC, _index DESC LIMIT :limit";
    (sql.replace("{username}", USERNAME), Parameters::from_names(values))
}

/// Reads the events of an answer, each with where it stands.
async fn read(mut running: Running) -> Result<Vec<(Position, Json)>> {
    let mut events = Vec::new();
    loop {
        let batch = match running.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                running.failed(&error).await;
                return Err(error);
            }
        };
        for row in 0..batch.num_rows() {
            events.push(event(&batch, row)?);
        }
    }
    running.finished(0).await;
    Ok(events)
}

/// Returns one event in AWS's shape. The first three columns say where it stands, `types` and
/// `arns` its resources; every other is a member of that name, left out where it is NULL.
fn event(batch: &RecordBatch, row: usize) -> Result<(Position, Json)> {
    let mut members = Map::new();
    let mut position = Position::default();
    let (mut types, mut arns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        match field.name().as_str() {
            "eventTime" => {
                position.0 = column.as_primitive::<TimestampMicrosecondType>().value(row)
            }
            "_object" => position.1 = column.as_primitive::<Int64Type>().value(row),
            "_index" => position.2 = column.as_primitive::<Int32Type>().value(row),
            "types" => types = texts(&column.as_list::<i32>().value(row))?,
            "arns" => arns = texts(&column.as_list::<i32>().value(row))?,
            name => drop(members.insert(name.to_owned(), text(column, row)?.into())),
        }
    }
    let time = DateTime::from_timestamp_micros(position.0);
    members.insert("EventTime".to_owned(), time.map_or(Json::Null, seconds));
    let resources = types.into_iter().zip(arns).map(|(kind, arn)| {
        let parts = [("ResourceType", kind), ("ResourceName", arn)].into_iter();
        parts.filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?)))).collect()
    });
    members.insert("Resources".to_owned(), resources.map(Json::Object).collect());
    Ok((position, Json::Object(members)))
}

fn texts(values: &dyn Array) -> Result<Vec<Option<String>>> {
    (0..values.len())
        .map(|row| (!values.is_null(row)).then(|| text(values, row)).transpose())
        .collect()
}

fn text(values: &dyn Array, row: usize) -> Result<String> {
    let mut text = String::new();
    push_value(values, row, &mut text).map_err(Error::from)?;
    Ok(text)
}
