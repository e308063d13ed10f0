//! What happens on one connection? It has so long to say what it wants, none is kept that says
//! nothing, and whoever began to say something is told why it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::middleware::AddExtension;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::http::Peer;
use crate::options::ServerOptions;

/// How long a client may take for TLS's greeting, and for a request's head.
const GREETING_WITHIN: Duration = Duration::from_secs(15);
/// Bytes of a request's head. Trino's clients send the statements that they have prepared in it, each
/// of which may be as long as any other, and what is escaped in it takes more.
const HEAD_BYTES_MAX: usize = 320 << 10;
/// How long who is refused without a request is told so.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// What every greeting of TLS begins with: <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>.
const TLS_HANDSHAKE: u8 = 22;

/// What bytes come and go by.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Serves one connection until it ends, or until `close` says that the server ends: then what is
/// under way is answered.
pub(crate) async fn serve(
    stream: Box<dyn Stream>,
    tls: Option<TlsAcceptor>,
    service: AddExtension<Router, Peer>,
    close: watch::Receiver<bool>,
) {
    let stream = match tls {
        None => stream,
        Some(acceptor) => {
            match tokio::time::timeout(GREETING_WITHIN, greet(stream, acceptor)).await {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                // Without TLS there is nothing that a client of it could read.
                Err(_) => return tracing::debug!("no TLS was agreed on in time"),
            }
        }
    };
    answer(stream, service, close).await;
}

/// Agrees on TLS. Who speaks without is told so, in the clear.
async fn greet(mut stream: Box<dyn Stream>, acceptor: TlsAcceptor) -> Option<Box<dyn Stream>> {
    let first = stream.read_u8().await.ok()?;
    if first != TLS_HANDSHAKE {
        let message = "only TLS is spoken here: ask by `https://`";
        refuse(stream, &told("400 Bad Request", "", "statement", message)).await;
        return None;
    }
    let (read, write) = tokio::io::split(stream);
    let whole = tokio::io::join(std::io::Cursor::new([first]).chain(read), write);
    match acceptor.accept(whole).await {
        Ok(stream) => Some(Box::new(stream)),
        Err(error) => {
            tracing::debug!("no TLS was agreed on: {error}");
            None
        }
    }
}

/// Answers the requests of a connection.
async fn answer(
    stream: Box<dyn Stream>,
    service: AddExtension<Router, Peer>,
    mut close: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(GREETING_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX);
    let (asked, seen) = (Arc::new(AtomicBool::new(false)), TowerToHyperService::new(service));
    let service = service_fn({
        let asked = Arc::clone(&asked);
        move |request| {
            asked.store(true, Ordering::Relaxed);
            seen.call(request)
        }
    });
    let mut served = builder.serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        _ = close.changed() => None,
    };
    match ended {
        Some(Err(error)) if error.is_timeout() => {
            let parts = served.into_parts();
            // Who has said nothing has nothing that failed, and what is told behind an answer could be
            // taken for a part of it.
            if !parts.read_buf.is_empty() && !asked.load(Ordering::Relaxed) {
                let message =
                    format!("the request's head took longer than {} s", GREETING_WITHIN.as_secs());
                let late = told("408 Request Timeout", "", "limit", &message);
                refuse(parts.io.into_inner(), &late).await;
            }
        }
        Some(_) => {}
        None => {
            Pin::new(&mut served).graceful_shutdown();
            let _ = served.await;
        }
    }
}

/// What is told to who finds no place.
pub(crate) fn no_place(options: &ServerOptions) -> Bytes {
    let ServerOptions { connections_max, connections_of_one_max, .. } = options;
    let message = format!(
        "there are too many connections; the limits are {connections_max}, and \
         {connections_of_one_max} of one address"
    );
    told("503 Service Unavailable", "retry-after: 1\r\n", "limit", &message)
}

/// An answer to who has no request that could be answered.
fn told(status: &str, headers: &str, kind: &str, message: &str) -> Bytes {
    let body = json!({"error": {"kind": kind, "message": message, "hint": null}}).to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Bytes::from(head + &body)
}

/// Tells a client why it is not served, and closes. What it still sends is read meanwhile and thrown
/// away: else what it is told could be lost with the connection.
pub(crate) async fn refuse(mut stream: Box<dyn Stream>, told: &[u8]) {
    let telling = async {
        stream.write_all(told).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(TOLD_WITHIN, telling).await;
}
