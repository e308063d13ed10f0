//! How is one method of one path written down?

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Operations by path and method.
pub(super) type Described = BTreeMap<(&'static str, &'static str), Operation>;

/// What is said of one method of one path.
pub(super) struct Operation {
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
    /// Where it is not that of all others.
    security: Option<Value>,
}

impl Operation {
    pub(super) fn new(summary: &'static str) -> Operation {
        let (parameters, responses) = (Vec::new(), Map::new());
        Operation { summary, parameters, body: None, responses, security: None }
    }

    /// With a parameter in the URL's query that may be left out.
    pub(super) fn query(self, name: &str, about: &str) -> Operation {
        self.parameter("query", name, about, false)
    }

    /// With a parameter in the URL's query that may stand there several times.
    pub(super) fn repeated(self, name: &str, about: &str) -> Operation {
        let mut operation = self.query(name, about);
        if let Some(parameter) = operation.parameters.last_mut() {
            parameter["schema"] = json!({"type": "array", "items": {"type": "string"}});
        }
        operation
    }

    /// With a header of the request that may be left out.
    pub(super) fn header(self, name: &str, about: &str) -> Operation {
        self.parameter("header", name, about, false)
    }

    /// With a part of the path.
    pub(super) fn part(self, name: &str, about: &str) -> Operation {
        self.parameter("path", name, about, true)
    }

    /// With a parameter in the URL's query or a header of the request.
    pub(super) fn parameter(
        mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
    ) -> Operation {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": required,
            "description": about,
            "schema": {"type": "string"},
        }));
        self
    }

    /// With a body: its media types, and a schema for each.
    pub(super) fn body(mut self, content: &[(&str, Value)]) -> Operation {
        self.body = Some(json!({"required": true, "content": media(content)}));
        self
    }

    /// Needs one of those, and not what others need.
    pub(super) fn secured_by(mut self, schemes: &[&str]) -> Operation {
        self.security = Some(schemes.iter().map(|scheme| json!({(*scheme): []})).collect());
        self
    }

    /// Answers with a status.
    pub(super) fn answers(mut self, status: u16, response: Value) -> Operation {
        self.responses.insert(status.to_string(), response);
        self
    }

    pub(super) fn into_value(self) -> Value {
        let Operation { summary, parameters, body, responses, security } = self;
        let mut value = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(body) = body {
            value["requestBody"] = body;
        }
        if let Some(security) = security {
            value["security"] = security;
        }
        value
    }
}

/// Returns a response: the media types of its body with a schema for each, and its headers.
pub(super) fn response(about: &str, content: &[(&str, Value)], headers: &[(&str, &str)]) -> Value {
    let mut response = json!({"description": about});
    if !content.is_empty() {
        response["content"] = media(content);
    }
    if !headers.is_empty() {
        let headers = headers.iter().map(|(name, about)| {
            let header = json!({"description": about, "schema": {"type": "string"}});
            ((*name).to_owned(), header)
        });
        response["headers"] = Value::Object(headers.collect());
    }
    response
}

/// Returns the schema of an object with those members, each with the name of its type.
pub(super) fn object(members: &[(&str, &str)]) -> Value {
    let members = members.iter().map(|(name, kind)| {
        let kinds: Vec<&str> = kind.split('|').collect();
        ((*name).to_owned(), json!({"type": kinds}))
    });
    json!({"type": "object", "properties": Value::Object(members.collect())})
}

/// Returns the schema of text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

fn media(content: &[(&str, Value)]) -> Value {
    let content = content.iter().map(|(name, schema)| {
        let media = json!({"schema": schema});
        ((*name).to_owned(), media)
    });
    Value::Object(content.collect())
}
