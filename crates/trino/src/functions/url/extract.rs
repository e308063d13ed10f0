//! `url_extract_host(url)` and the other parts: NULL for text that is not a URL.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::parts::{Parts, decode, split};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint, varchar};

pub(super) fn functions() -> Vec<Function> {
    let text = |name, syntax, doc, part: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "url",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Text], varchar, part).udf(),
    };
    vec![
        text(
            "url_extract_fragment",
            "url_extract_fragment(url)",
            "The fragment, decoded; empty when there is none.",
            |rows| part(rows, |parts| decode(parts.fragment, false)),
        ),
        text(
            "url_extract_host",
            "url_extract_host(url)",
            "The host; empty when there is none.",
            |rows| part(rows, |parts| parts.host.to_owned()),
        ),
        text(
            "url_extract_path",
            "url_extract_path(url)",
            "The path, decoded; empty when there is none.",
            |rows| part(rows, |parts| decode(parts.path, false)),
        ),
        text(
            "url_extract_protocol",
            "url_extract_protocol(url)",
            "The protocol; empty when there is none.",
            |rows| part(rows, |parts| parts.scheme.to_owned()),
        ),
        text(
            "url_extract_query",
            "url_extract_query(url)",
            "The query string, decoded; empty when there is none.",
            |rows| part(rows, |parts| decode(parts.query.unwrap_or_default(), false)),
        ),
        Function {
            family: "url",
            syntax: "url_extract_port(url)",
            doc: "The port, as bigint; NULL when there is none.",
            url: super::URL,
            udf: Scalar::new("url_extract_port", &[Takes::Text], bigint, port).udf(),
        },
        Function {
            family: "url",
            syntax: "url_extract_parameter(url, name)",
            doc: "The first value, decoded, of a query parameter, whose name is taken as it stands in \
                  the URL; empty when it has no value, NULL when there is no such parameter.",
            url: super::URL,
            udf: Scalar::new(
                "url_extract_parameter",
                &[Takes::Text, Takes::Text],
                varchar,
                parameter,
            )
            .udf(),
        },
    ]
}

fn part(rows: &Rows, part: impl Fn(&Parts) -> String) -> Result<ColumnarValue> {
    let urls = rows.text(0)?;
    rows.texts(|row| Ok(urls.get(row)?.and_then(split).map(|parts| part(&parts))))
}

fn port(rows: &Rows) -> Result<ColumnarValue> {
    let urls = rows.text(0)?;
    rows.primitives::<Int64Type>(|row| {
        Ok(urls.get(row)?.and_then(split).and_then(|parts| parts.port))
    })
}

fn parameter(rows: &Rows) -> Result<ColumnarValue> {
    let (urls, names) = (rows.text(0)?, rows.text(1)?);
    rows.texts(|row| {
        let (Some(url), Some(wanted)) = (urls.get(row)?, names.get(row)?) else { return Ok(None) };
        let Some(query) = split(url).and_then(|parts| parts.query) else { return Ok(None) };
        let found = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == wanted).then(|| decode(value, true))
        });
        Ok(found)
    })
}
