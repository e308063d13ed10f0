//! What every request passes first: where it comes from, who sends it, how large it is. What is not
//! let in is not kept in memory: its body is read only to be thrown away.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Inner, Peer, reply};
use crate::auth::{self, Identity};
use crate::error::{Error, Result};

/// How long a request's body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How long what is left of one may take that is not wanted.
const REST_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a body that take one permit of the room for bodies.
const ROOM_UNIT: usize = 1 << 10;
/// Bytes of a body that counts as short.
const SHORT: usize = 64 << 10;
/// The part of the room that is for short bodies alone.
const FOR_SHORT: u32 = 4;
/// The part of either room that one credential gets at most.
const OF_ONE: u32 = 8;
/// What tells nothing about the lake, and is asked by what watches processes.
const OPEN: [&str; 1] = ["/health"];

/// Lets a request through with who sent it ([`Identity`], among its extensions), or refuses it in
/// the words of its protocol.
pub(super) async fn guard(
    State(server): State<Arc<Inner>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, mut body) = request.into_parts();
    let admitted = admit(&server, &head, &mut body).await;
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
            discard(&mut body, server.options.body_bytes_max).await;
            reply::refusal(&head, &error)
        }
    }
}

async fn admit(server: &Inner, head: &Parts, body: &mut Body) -> Result<(Identity, Bytes)> {
    auth::check_origin(head, &server.options.hosts)?;
    let limit = server.options.body_bytes_max;
    if OPEN.contains(&head.uri.path()) {
        discard(body, limit).await;
        return Ok((Identity::anybody(), Bytes::new()));
    }
    if server.options.no_auth {
        return Ok((Identity::anybody(), read(body, limit, &server.room, None).await?));
    }
    let now = server.options.now();
    let claimed = auth::claimed(&server.state, head, now).await?;
    let body = read(body, limit, &server.room, Some(claimed.credential())).await?;
    let (identity, credential) = claimed.identify(&server.state, head, &body, now).await?;
    server.logins.accepted(&identity.user, &credential, address_of(head), now).await;
    Ok((identity, body))
}

/// The address of who sent a request: that of a proxy, where one stands before the server.
fn address_of(head: &Parts) -> &str {
    head.extensions.get::<Peer>().map_or("", |peer| &peer.0)
}

/// The room that all bodies together have while they arrive. Some of it is kept for short ones, so
/// that long ones do not keep them waiting.
pub(super) struct Room {
    short: Part,
    long: Part,
}

/// A part of the room. One credential gets no more than its share: whether a signature is right is
/// seen when the body is there, so who knows no more than the id of a key could fill it all.
struct Part {
    permits: Arc<Semaphore>,
    /// All of them.
    units: u32,
    /// What is left to credentials whose bodies arrive now.
    shares: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Room {
        let units = units(bytes).max(2);
        let short = (units / FOR_SHORT).max(1);
        Room { short: Part::new(short), long: Part::new(units - short) }
    }

    /// Waits for room for so many bytes, sent with a credential (none: nobody says who they are).
    /// It is given back when the permits are dropped.
    async fn take(&self, whose: Option<&str>, bytes: usize) -> [Option<OwnedSemaphorePermit>; 2] {
        let part = if bytes <= SHORT { &self.short } else { &self.long };
        part.take(whose, units(bytes)).await
    }
}

impl Part {
    fn new(units: u32) -> Part {
        let permits = Arc::new(Semaphore::new(units as usize));
        Part { permits, units, shares: Mutex::default() }
    }

    /// Takes what was asked for or, where that is more, all that there is. First from the share: who
    /// waits for that keeps nobody else waiting.
    async fn take(&self, whose: Option<&str>, wanted: u32) -> [Option<OwnedSemaphorePermit>; 2] {
        if wanted == 0 {
            return [None, None];
        }
        let Some(whose) = whose else {
            let room = Arc::clone(&self.permits).acquire_many_owned(wanted.min(self.units));
            return [None, room.await.ok()];
        };
        let wanted = wanted.min(self.share_units());
        let share = self.share(whose).acquire_many_owned(wanted).await.ok();
        let room = Arc::clone(&self.permits).acquire_many_owned(wanted).await.ok();
        [share, room]
    }

    fn share_units(&self) -> u32 {
        (self.units / OF_ONE).max(1)
    }

    fn share(&self, whose: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // One that nobody has or waits for is whole, and need not be remembered.
        shares.retain(|_, share| Arc::strong_count(share) > 1);
        let whole = || Arc::new(Semaphore::new(self.share_units() as usize));
        Arc::clone(shares.entry(whose.to_owned()).or_insert_with(whole))
    }
}

fn units(bytes: usize) -> u32 {
    let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
    bytes.div_ceil(ROOM_UNIT).min(most) as u32
}

async fn read(body: &mut Body, limit: usize, room: &Room, whose: Option<&str>) -> Result<Bytes> {
    let too_large = || Error::request(format!("the request's body has more than {limit} bytes"));
    let told = body.size_hint();
    if told.lower() > limit as u64 {
        return Err(too_large());
    }
    let most = told.upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit);
    let collected = tokio::time::timeout(BODY_WITHIN, async {
        let _room = room.take(whose, most.min(limit)).await;
        Limited::new(body, limit).collect().await
    });
    match collected.await {
        Err(_) => Err(Error::request(format!(
            "the request's body took longer than {} s",
            BODY_WITHIN.as_secs()
        ))),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Error::request(format!("the request's body broke off: {error}"))),
    }
}

/// Reads the rest of a body, up to `limit` bytes, and keeps nothing of it: who still sends would not
/// read why it is refused.
async fn discard(body: &mut Body, limit: usize) {
    let rest = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > limit {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(REST_WITHIN, rest).await;
}
