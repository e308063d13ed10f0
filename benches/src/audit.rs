//! Questions that an audit asks of a trail, in the words of each engine.

use std::collections::BTreeMap;

/// An engine that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The lake that is measured.
    TrailLake,
    /// DuckDB over a Parquet file.
    DuckDb,
    /// ClickHouse's MergeTree.
    ClickHouse,
}

/// A question: one text for all engines. `{arn}`, `{key}` and such stand for what the engine calls
/// that field, `{req x}` for the key `x` of requestParameters, `{time t}` for a point in time; a
/// `<thing>` is one found in the trail. Every answer is ordered to its last row.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// In two or three words.
    pub name: &'static str,
    /// The statement.
    pub sql: &'static str,
}

const fn ask(name: &'static str, sql: &'static str) -> Question {
    Question { name, sql }
}

/// The questions that are measured.
pub const QUESTIONS: &[Question] = &[
    ask(
        "calls of an hour",
        "SELECT count(*) AS n FROM {events} WHERE eventTime >= {time <hour>} AND eventTime < \
         {time <hour-end>}",
    ),
    ask(
        "calls by a principal",
        "SELECT eventSource, eventName, count(*) AS n, max(eventTime) AS last FROM {events} \
         WHERE {arn} = '<principal>' GROUP BY eventSource, eventName ORDER BY n DESC, \
         eventSource, eventName",
    ),
    ask(
        "calls with an access key",
        "SELECT eventTime, eventSource, eventName, sourceIPAddress FROM {events} WHERE {key} = \
         '<key>' ORDER BY eventTime DESC, eventID LIMIT 200",
    ),
    ask(
        "calls from an address",
        "SELECT {arn} AS arn, eventName, count(*) AS n FROM {events} WHERE sourceIPAddress = \
         '<address>' GROUP BY {arn}, eventName ORDER BY n DESC, arn, eventName LIMIT 100",
    ),
    ask(
        "one event",
        "SELECT eventTime, eventName, sourceIPAddress FROM {events} WHERE eventID = '<event>'",
    ),
    ask(
        "errors",
        "SELECT errorCode, count(*) AS n FROM {events} WHERE errorCode IS NOT NULL GROUP BY \
         errorCode ORDER BY n DESC, errorCode",
    ),
    ask(
        "who is refused",
        "SELECT {arn} AS arn, eventSource, eventName, count(*) AS n FROM {events} WHERE \
         errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation') GROUP BY {arn}, \
         eventSource, eventName ORDER BY n DESC, arn, eventSource, eventName LIMIT 20",
    ),
    ask(
        "most frequent calls",
        "SELECT eventName, count(*) AS n FROM {events} GROUP BY eventName ORDER BY n DESC, \
         eventName LIMIT 20",
    ),
    ask(
        "latest 100",
        "SELECT eventTime, eventID, eventName, {arn} AS arn, sourceIPAddress, errorCode FROM \
         {events} ORDER BY eventTime DESC, eventID LIMIT 100",
    ),
    ask(
        "who touched a bucket",
        "SELECT {type} AS t, {arn} AS arn, eventName, count(*) AS n FROM {events} WHERE {req \
         bucketName} = '<bucket>' GROUP BY {type}, {arn}, eventName ORDER BY n DESC, t, arn, \
         eventName LIMIT 100",
    ),
    ask(
        "sign-ins by MFA",
        "SELECT {add MFAUsed} AS mfa, {res ConsoleLogin} AS outcome, {user} AS who, count(*) AS \
         n FROM {events} WHERE eventName = 'ConsoleLogin' GROUP BY {add MFAUsed}, {res \
         ConsoleLogin}, {user} ORDER BY n DESC, mfa, outcome, who LIMIT 100",
    ),
    ask(
        "distinct addresses",
        "SELECT recipientAccountId, count(DISTINCT sourceIPAddress) AS n FROM {events} GROUP BY \
         recipientAccountId ORDER BY recipientAccountId",
    ),
    ask(
        "what assumed roles did",
        "SELECT e.{issuer} AS r, count(*) AS n FROM (SELECT {req roleArn} AS r FROM {events} \
         WHERE eventName = 'AssumeRole' AND eventTime >= {time <day>} AND eventTime < {time \
         <day-end>} GROUP BY {req roleArn}) a JOIN {events} e ON e.{issuer} = a.r WHERE \
         e.eventTime >= {time <day>} AND e.eventTime < {time <day-end>} GROUP BY e.{issuer} \
         ORDER BY n DESC, r",
    ),
    ask(
        "resources by type",
        "SELECT {rtype} AS t, count(*) AS n FROM {resources} GROUP BY {rtype} ORDER BY n DESC, t",
    ),
    ask(
        "a path in a payload",
        "SELECT eventName, count(*) AS n FROM {events} WHERE {port} = '443' GROUP BY eventName \
         ORDER BY n DESC, eventName",
    ),
    ask(
        "mentions of a key",
        "SELECT eventTime, eventID, eventName FROM {events} WHERE {mentions <key>} ORDER BY \
         eventTime DESC, eventID LIMIT 200",
    ),
    ask(
        "mentions of a stranger",
        "SELECT eventTime, eventID, eventName FROM {events} WHERE {mentions \
         AKIANOBODYEVERUSEDIT} ORDER BY eventTime DESC, eventID LIMIT 200",
    ),
    ask(
        "calls per day",
        "SELECT {day} AS d, eventSource, count(*) AS n FROM {events} GROUP BY {day}, eventSource \
         ORDER BY d, eventSource",
    ),
    ask(
        "failed writes per hour",
        "SELECT {hour} AS h, eventSource, count(*) AS n FROM {events} WHERE readOnly = false AND \
         errorCode IS NOT NULL GROUP BY {hour}, eventSource ORDER BY h, eventSource",
    ),
    ask(
        "life of access keys",
        "SELECT {key} AS k, min(eventTime) AS a, max(eventTime) AS z, count(*) AS n FROM \
         {events} WHERE {key} LIKE 'AKIA%' GROUP BY {key} ORDER BY n DESC, k LIMIT 50",
    ),
    ask(
        "many regions",
        "SELECT {arn} AS arn, count(DISTINCT awsRegion) AS n FROM {events} WHERE {arn} IS NOT \
         NULL GROUP BY {arn} HAVING count(DISTINCT awsRegion) > 1 ORDER BY n DESC, arn LIMIT 50",
    ),
];

/// Statements that find a thing to ask for in the lake: neither the most frequent nor the rarest.
pub const THINGS: &[(&str, &str)] = &[
    ("principal", "{middle {arn}}"),
    ("key", "{middle {key}}"),
    ("address", "{middle sourceIPAddress}"),
    ("bucket", "{middle {req bucketName}}"),
    ("event", "SELECT eventID FROM events ORDER BY eventID OFFSET 100 LIMIT 1"),
];

/// Columns that are text in every engine, for what the others have in place of `mentions`.
const TEXTS: &[&str] = &[
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "eventID",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
];
const IDENTITY: &[&str] =
    &["type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy"];
const ISSUER: &[&str] = &["type", "principalId", "arn", "accountId", "userName"];

impl Engine {
    /// Returns its name, as in tables and for `peers.py`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::TrailLake => "traillake",
            Engine::DuckDb => "DuckDB",
            Engine::ClickHouse => "ClickHouse",
        }
    }

    /// Returns `sql` in the engine's words, with things in the place of their names. A word that
    /// nobody knows stays as it is, and makes the statement fail.
    pub fn spell(self, sql: &str, things: &BTreeMap<String, String>) -> String {
        let mut spelled = sql.to_owned();
        for (name, thing) in things {
            spelled = spelled.replace(&format!("<{name}>"), thing);
        }
        // Innermost braces first: a word may be the argument of another.
        while let Some(end) = spelled.find('}')
            && let Some(start) = spelled[..end].rfind('{')
        {
            let inside = &spelled[start + 1..end];
            let (word, argument) = inside.split_once(' ').unwrap_or((inside, ""));
            let Some(words) = self.word(word, argument) else { return spelled };
            spelled.replace_range(start..=end, &words);
        }
        spelled
    }

    fn word(self, word: &str, argument: &str) -> Option<String> {
        Some(match word {
            "events" => match self {
                Engine::TrailLake => "events".to_owned(),
                Engine::DuckDb => "ordered".to_owned(),
                Engine::ClickHouse => "bench.events".to_owned(),
            },
            "arn" | "type" => self.identity(word),
            "key" => self.identity("accessKeyId"),
            "user" => self.identity("userName"),
            "issuer" => self.issuer("arn"),
            "req" => self.member("requestParameters", argument),
            "res" => self.member("responseElements", argument),
            "add" => self.member("additionalEventData", argument),
            "port" => self.path(),
            "day" | "hour" => match self {
                Engine::ClickHouse if word == "day" => "toStartOfDay(eventTime)".to_owned(),
                Engine::ClickHouse => "toStartOfHour(eventTime)".to_owned(),
                _ => format!("date_trunc('{word}', eventTime)"),
            },
            "time" => match self {
                Engine::ClickHouse => format!("toDateTime('{argument}', 'UTC')"),
                _ => format!("TIMESTAMP '{argument}'"),
            },
            "resources" => self.resources(),
            "rtype" => match self {
                Engine::DuckDb => "r.\"type\"".to_owned(),
                _ => "r.type".to_owned(),
            },
            "mentions" => self.mentions(argument),
            "middle" => format!(
                "WITH c AS (SELECT {argument} AS v, count(*) AS n FROM events \
                 WHERE {argument} <> '' GROUP BY 1) \
                 SELECT v FROM (SELECT v, row_number() OVER (ORDER BY n DESC, v) AS place, \
                 count(*) OVER () AS many FROM c) WHERE place = many / 3 + 1"
            ),
            _ => return None,
        })
    }

    fn identity(self, field: &str) -> String {
        match self {
            Engine::ClickHouse => format!("userIdentity_{field}"),
            _ => format!("userIdentity.{field}"),
        }
    }

    fn issuer(self, field: &str) -> String {
        match self {
            Engine::ClickHouse => format!("userIdentity_sessionIssuer_{field}"),
            _ => format!("userIdentity.sessionContext.sessionIssuer.{field}"),
        }
    }

    fn member(self, column: &str, key: &str) -> String {
        match self {
            Engine::TrailLake => format!("{column}['{key}']"),
            Engine::DuckDb => format!("({column}->>'$.{key}')"),
            Engine::ClickHouse => format!("JSONExtract({column}, '{key}', 'Nullable(String)')"),
        }
    }

    /// The port of the first rule of a security group.
    fn path(self) -> String {
        let path = "$.ipPermissions.items[0].fromPort";
        match self {
            Engine::TrailLake => format!("json_extract_scalar(requestParameters, '{path}')"),
            Engine::DuckDb => format!("(requestParameters->>'{path}')"),
            Engine::ClickHouse => "toString(JSONExtract(requestParameters, 'ipPermissions', \
                                   'items', 1, 'fromPort', 'Nullable(Int64)'))"
                .to_owned(),
        }
    }

    /// Events beside each of their resources, `r`.
    fn resources(self) -> String {
        match self {
            Engine::TrailLake => {
                "events CROSS JOIN UNNEST(resources) AS r(accountId, type, arn, arnPrefix)"
                    .to_owned()
            }
            Engine::DuckDb => "(SELECT unnest(resources) AS r FROM ordered)".to_owned(),
            Engine::ClickHouse => {
                "(SELECT tupleElement(arrayJoin(JSONExtract(ifNull(resources, '[]'), \
                'Array(Tuple(ARN Nullable(String), accountId Nullable(String), \
                type Nullable(String)))')), 'type') AS type FROM bench.events) AS r"
                    .to_owned()
            }
        }
    }

    /// A condition for "somewhere in the event". The others look for the bytes alone, so the term
    /// must be one that stands in no longer word.
    fn mentions(self, term: &str) -> String {
        if self == Engine::TrailLake {
            return format!("mentions('{term}')");
        }
        let texts = TEXTS.iter().map(|name| (*name).to_owned());
        let identity = IDENTITY.iter().map(|field| self.identity(field));
        let issuer = ISSUER.iter().map(|field| self.issuer(field));
        let all = texts.chain(identity).chain(issuer).chain(["resources".to_owned()]);
        let holds = all.map(|text| match self {
            Engine::ClickHouse => format!("position({text}, '{term}') > 0"),
            _ => format!("contains(CAST({text} AS VARCHAR), '{term}')"),
        });
        format!("({})", holds.collect::<Vec<_>>().join(" OR "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_spelled_for_every_engine() {
        let names = THINGS.iter().map(|(name, _)| *name);
        let times = ["hour", "hour-end", "day", "day-end"];
        let things = names.chain(times).map(|name| (name.to_owned(), "2023-01-01".to_owned()));
        let things: BTreeMap<String, String> = things.collect();
        for engine in [Engine::TrailLake, Engine::DuckDb, Engine::ClickHouse] {
            let texts = QUESTIONS.iter().map(|question| (question.name, question.sql));
            for (name, sql) in texts.chain(THINGS.iter().copied()) {
                let spelled = engine.spell(sql, &things);
                let left =
                    ["{", "}", "<bucket", "<key", "<hour"].map(|mark| spelled.contains(mark));
                assert!(!left.contains(&true), "{name} for {}: {spelled}", engine.name());
            }
        }
        let sql = "SELECT {req a} FROM {events} WHERE {arn} = '<x>'";
        let things = BTreeMap::from([("x".to_owned(), "y".to_owned())]);
        assert_eq!(
            Engine::TrailLake.spell(sql, &things),
            "SELECT requestParameters['a'] FROM events WHERE userIdentity.arn = 'y'"
        );
    }
}
