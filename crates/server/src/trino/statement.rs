//! `POST /v1/statement` and the addresses of its pages.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::budget::Limits;
use super::commands::{self, Answered, Meant, Statement};
use super::exchange::{Asked as Page, Terms};
use super::faults::{self, Fault};
use super::pages::{Document, Phase};
use super::session::{Refused, Session};
use super::{columns, kill, metadata};
use crate::auth::Identity;
use crate::engines::names;
use crate::error::{Error, Result};
use crate::http::{Encrypted, Inner, Shared};
use crate::queries::{Asked, check_length};

/// The word under which these queries stand in the history.
const PROTOCOL: &str = "trino";

/// `POST /v1/statement`: a statement in, the address of its first page out.
///
/// No web page can send one unasked: without `X-Trino-User` or `Authorization`, which a browser
/// asks this server about first, it is refused.
pub(crate) async fn post(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    head: Parts,
    body: Bytes,
) -> Response {
    let session = match Session::of(&head.headers, &identity, server.options.no_auth) {
        Ok(session) => session,
        Err(refused) => return refusal_of(&refused),
    };
    let Ok(sql) = std::str::from_utf8(&body) else {
        return text(StatusCode::BAD_REQUEST, "the statement is not UTF-8");
    };
    if sql.trim().is_empty() {
        return text(StatusCode::BAD_REQUEST, "the statement is empty");
    }
    let base = base(&head);
    let answered = match answer(&server, &identity, &session, sql, &base).await {
        Ok(response) => return response,
        Err(Told::Error(error)) => Err(Fault::of(&error, Default::default())),
        Err(Told::Fault(fault)) => Err(fault),
        Err(Told::Answered(answered)) => Ok(*answered),
    };
    whole(answered, &base)
}

/// What ends a statement in its first answer.
enum Told {
    Error(Error),
    Fault(Fault),
    Answered(Box<Answered>),
}

impl From<Error> for Told {
    fn from(error: Error) -> Told {
        Told::Error(error)
    }
}

impl From<Fault> for Told {
    fn from(fault: Fault) -> Told {
        Told::Fault(fault)
    }
}

async fn answer(
    server: &Arc<Inner>,
    identity: &Identity,
    session: &Session,
    sql: &str,
    base: &str,
) -> std::result::Result<Response, Told> {
    let queries = &server.queries;
    if let Err(error) = check_length(sql) {
        queries.refused_text(identity, PROTOCOL, sql, &error).await;
        return Err(error.into());
    }
    let own = &server.options.store;
    let stores = queries.engines().stores(identity, own).await?;
    let found = session.schema.as_ref().and_then(|schema| {
        stores.iter().find(|info| names(info, schema) || info.name.eq_ignore_ascii_case(schema))
    });
    // A schema that is no store is accepted: tables have the same names in all of them.
    let store = match found {
        Some(info) => info.name.clone(),
        None => queries.engines().usual_store(identity, own).await?,
    };
    let mut schemas: Vec<String> = stores.iter().map(|info| info.name.clone()).collect();
    schemas.extend(["system", "information_schema"].map(str::to_owned));
    let meant = match commands::read(sql, session, &schemas) {
        Ok(meant) => meant,
        Err(fault) => {
            let typed = Statement { sql: sql.to_owned(), ..Statement::default() };
            let refused = as_asked(identity, session, store, (sql, typed));
            queries.refused(&refused, &Error::request(&fault.message)).await;
            return Err(fault.into());
        }
    };
    let statement = match meant {
        Meant::Answered(answered) => return Err(Told::Answered(Box::new(answered))),
        Meant::Query(statement) => statement,
        Meant::Kill(id) => {
            kill::end(queries, &identity.user, &id).await?;
            let done = Answered::changing("CALL", Vec::new());
            return Err(Told::Answered(Box::new(done)));
        }
        Meant::ColumnsOf(statement) => {
            let (shift, asked) = asked(server, identity, session, store, (sql, statement)).await?;
            let columns = output(server, asked).await;
            let columns = columns.map_err(|error| Fault::of(&error, shift))?;
            return Err(Told::Answered(Box::new(columns)));
        }
    };
    let (shift, asked) = asked(server, identity, session, store, (sql, statement)).await?;
    let terms = match terms(server, identity, session, shift) {
        Ok(terms) => terms,
        Err(fault) => {
            queries.refused_as_full(&asked, &Error::full(&fault.message)).await;
            return Err(fault.into());
        }
    };
    let (id, run) = queries.start(asked).await?;
    let exchange = server.trino.start(id, &identity.user, terms, run);
    Ok(document(exchange.first(base).into()))
}

/// Returns what one more exchange is started with.
///
/// # Errors
/// When so many answers wait to be fetched that there is no place for it.
fn terms(
    server: &Inner,
    identity: &Identity,
    session: &Session,
    shift: faults::Shift,
) -> std::result::Result<Terms, Fault> {
    let options = &server.options;
    let limits = Limits { of_one: options.pages_of_one_bytes_max, all: options.pages_bytes_max };
    Ok(Terms {
        precise: session.precise_times,
        shift,
        gone_after: options.client_gone_after,
        limits,
        place: server.trino.place(&identity.user, limits)?,
        delivery: server.queries.delivery(),
    })
}

/// Returns what is to be run for what was typed, with tables of drivers and words about the session
/// in place.
async fn asked(
    server: &Inner,
    identity: &Identity,
    session: &Session,
    store: String,
    (typed, statement): (&str, Statement),
) -> Result<(faults::Shift, Asked)> {
    let statement = metadata::complete(statement, server, identity, session, &store).await?;
    Ok((statement.shift, as_asked(identity, session, store, (typed, statement))))
}

fn as_asked(
    identity: &Identity,
    session: &Session,
    store: String,
    (typed, statement): (&str, Statement),
) -> Asked {
    Asked {
        identity: identity.clone(),
        protocol: PROTOCOL,
        store,
        schema: session.schema.clone(),
        sql: statement.sql,
        parameters: statement.parameters,
        client_token: None,
        details: json!({"user": session.user, "source": session.source, "statement": typed}),
        timeout: session.timeout(),
        rows_max: None,
    }
}

/// `DESCRIBE OUTPUT`: the columns that a query would have.
async fn output(server: &Inner, asked: Asked) -> Result<Answered> {
    let running = server.queries.stream(asked).await?;
    let fields = running.schema.fields().iter();
    let rows = fields.map(|field| {
        let kind = columns::described(field, true).name;
        let size = field.data_type().primitive_width().unwrap_or_default();
        [
            json!(field.name()),
            json!(""),
            json!(""),
            json!(""),
            json!(kind),
            json!(size),
            json!(false),
        ]
        .to_vec()
    });
    let answered = Answered {
        columns: vec![
            ("Column Name", "varchar"),
            ("Catalog", "varchar"),
            ("Schema", "varchar"),
            ("Table", "varchar"),
            ("Type", "varchar"),
            ("Type Size", "bigint"),
            ("Aliased", "boolean"),
        ],
        rows: rows.collect(),
        ..Answered::default()
    };
    running.finished(0).await;
    Ok(answered)
}

/// An answer that is one document.
fn whole(answered: std::result::Result<Answered, Fault>, base: &str) -> Response {
    let id = Uuid::new_v4().to_string();
    let bare = Document::of(&id, base);
    let (text, changes) = match &answered {
        Err(fault) => {
            let document = Document { phase: Phase::Failed, fault: Some(fault), ..bare };
            (document.to_text(), [].as_slice())
        }
        Ok(answered) => {
            let columns = columns::of_names(&answered.columns).to_string();
            let rows = json!(answered.rows).to_string();
            let document = Document {
                columns: Some(&columns),
                data: (!answered.rows.is_empty()).then_some(&rows),
                update_type: answered.update_type,
                ..bare
            };
            (document.to_text(), answered.changes.as_slice())
        }
    };
    let mut response = document(text.into());
    for change in changes {
        let (name, value) = change.header();
        match HeaderValue::from_str(&value) {
            Ok(value) => drop(response.headers_mut().append(name, value)),
            Err(_) => {
                return self::text(StatusCode::BAD_REQUEST, "a name cannot stand in a header");
            }
        }
    }
    response
}

fn document(text: Bytes) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The address of a page: `/v1/statement/{step}/{id}/{slug}/{token}`.
pub(crate) type Address = Path<(String, String, String, String)>;

/// `GET` of a page.
pub(crate) async fn next(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Path((_, id, slug, token)): Address,
    head: Parts,
) -> Response {
    let found = server.trino.find(&identity.user, &id, &slug);
    let (Some(exchange), Ok(token)) = (found, token.parse()) else { return no_such_page() };
    match exchange.page(&server.trino, token, &base(&head)).await {
        Page::Page(page) => document(page),
        Page::Gone => text(StatusCode::GONE, "a later page was asked for already"),
        Page::Missing => no_such_page(),
    }
}

/// `HEAD` of a page: the client is there, and has time.
pub(crate) async fn heartbeat(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Path((_, id, slug, _)): Address,
) -> Response {
    match server.trino.find(&identity.user, &id, &slug) {
        Some(exchange) => {
            exchange.touch();
            StatusCode::OK.into_response()
        }
        None => no_such_page(),
    }
}

/// `DELETE` of a page: the query ends.
pub(crate) async fn cancel(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Path((_, id, slug, _)): Address,
) -> Response {
    match server.trino.find(&identity.user, &id, &slug) {
        Some(exchange) => {
            exchange.touch();
            // One that is over already stays as it is.
            match server.queries.cancel(&identity.user, &id).await {
                Ok(_) => {
                    exchange.left();
                    StatusCode::NO_CONTENT.into_response()
                }
                Err(error) => {
                    let fault = Fault::of(&error, Default::default());
                    text(crate::http::status_of(&error), fault.message)
                }
            }
        }
        None => no_such_page(),
    }
}

fn no_such_page() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such page")
}

/// Where the client reached this server: what it asks for next is asked there too. A proxy that
/// ends TLS says so; whoever else says so is told a wrong address for its own next request.
fn base(head: &Parts) -> String {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match (header("x-forwarded-proto"), head.extensions.get::<Encrypted>()) {
        (Some("https"), _) | (None, Some(_)) => "https",
        _ => "http",
    };
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let host = authority.or(header(HOST.as_str())).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

fn refusal_of(refused: &Refused) -> Response {
    match refused {
        Refused::NoUser => unauthorized("send `X-Trino-User`, or Basic credentials"),
        Refused::Header(name) => text(StatusCode::BAD_REQUEST, format!("`{name}` cannot be read")),
    }
}

/// Returns what the guard refused, as Trino's clients expect it: plain text.
pub(crate) fn refusal(error: &Error) -> Response {
    match error {
        Error::Unknown { reason } => unauthorized(reason),
        error => text(crate::http::status_of(error), error.to_string()),
    }
}

fn unauthorized(reason: &str) -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, reason.to_owned());
    for scheme in ["Basic realm=\"traillake\"", "Bearer realm=\"traillake\""] {
        response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    response
}

/// An answer in words, that nobody keeps.
pub(super) fn text(status: StatusCode, message: impl Into<String>) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], message.into()).into_response()
}
