//! What every request passes first: where it comes from, how large it is, who sends it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::{Inner, Peer, reply};
use crate::auth::{self, Identity};
use crate::error::{Error, Result};

/// How long a request's body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// What tells nothing about the lake, and is asked by what watches processes.
const OPEN: [&str; 1] = ["/health"];

/// Lets a request through with who sent it ([`Identity`], among its extensions), or refuses it in
/// the words of its protocol.
pub(super) async fn guard(
    State(server): State<Arc<Inner>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let admitted = admit(&server, &head, body).await;
    match admitted {
        Ok((identity, body)) => {
            head.extensions.insert(identity);
            let answered = next.run(Request::from_parts(head, Body::from(body)));
            // A fault of ours costs this answer, not the connection of everybody behind a proxy.
            match AssertUnwindSafe(answered).catch_unwind().await {
                Ok(response) => response,
                Err(_) => Error::state("a fault of this program; please report it").into_response(),
            }
        }
        Err(error) => {
            if matches!(error, Error::Unknown { .. } | Error::Forbidden { .. }) {
                server.metrics.refused();
                tracing::warn!(path = head.uri.path(), "request refused: {error}");
            }
            if let Error::Unknown { reason } = &error {
                let (whose, now) = (auth::named(&server.state, &head).await, server.options.now());
                server.logins.refused(whose, address_of(&head), reason, now).await;
            }
            reply::refusal(&head, &error)
        }
    }
}

async fn admit(server: &Inner, head: &Parts, body: Body) -> Result<(Identity, Bytes)> {
    auth::check_origin(head, &server.options.hosts)?;
    let limit = server.options.body_bytes_max;
    let body = read(body, limit).await?;
    if server.options.no_auth || OPEN.contains(&head.uri.path()) {
        return Ok((Identity::anybody(), body));
    }
    let now = server.options.now();
    let (identity, credential) = auth::identify(&server.state, head, &body, now).await?;
    server.logins.accepted(&identity.user, &credential, address_of(head), now).await;
    Ok((identity, body))
}

/// The address of who sent a request: that of a proxy, where one stands before the server.
fn address_of(head: &Parts) -> &str {
    head.extensions.get::<Peer>().map_or("", |peer| &peer.0)
}

async fn read(body: Body, limit: usize) -> Result<Bytes> {
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, limit).collect()).await;
    match collected {
        Err(_) => Err(Error::request(format!(
            "the request's body took longer than {} s",
            BODY_WITHIN.as_secs()
        ))),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Error::request(format!("the request's body has more than {limit} bytes")))
        }
        Ok(Err(error)) => Err(Error::request(format!("the request's body broke off: {error}"))),
    }
}
