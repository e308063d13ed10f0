//! An S3 on this machine: `s3s-fs` behind a port, with every request counted and any answer spoiled.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The access key that the server knows.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The bucket that also those may use who do not sign.
pub const PUBLIC: &str = "public";

type Body = UnsyncBoxBody<Bytes, s3s::StdError>;

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `PUT`, …
    pub method: String,
    /// `/bucket/key`, as sent.
    pub path: String,
    /// What follows the `?`, as sent.
    pub query: String,
}

impl Asked {
    /// Returns whether it asks for a listing.
    pub fn is_listing(&self) -> bool {
        self.method == "GET" && self.query.contains("list-type=2")
    }

    /// Returns whether it asks for the bytes of an object.
    pub fn is_reading(&self) -> bool {
        self.method == "GET" && !self.is_listing()
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoiled {
    /// It is refused with this status and S3 error code, and nothing happens.
    Refused(u16, &'static str),
    /// As `Refused`, with a message of S3 too.
    Told(u16, &'static str, &'static str),
    /// It is done, and then answered with this status and code.
    DoneThenRefused(u16, &'static str),
    /// It is answered as done, whatever came of it: a put of an S3 without conditions.
    Agreed,
    /// Its answer breaks off after so many bytes.
    BrokenOff(usize),
    /// It is answered after so many milliseconds.
    Late(u64),
    /// It is done and answered when the S3 is healed, even if nobody waits for it any more.
    Held,
    /// It is done, and never answered.
    Unanswered,
    /// It is answered with this page of XML, and nothing happens.
    Answered(&'static str),
}

/// Chooses what goes wrong with a request, given its number from 0.
type Spoiler = Arc<dyn Fn(usize, &Asked) -> Option<Spoiled> + Send + Sync>;

/// A running server; it stops when it is dropped.
pub struct S3 {
    folder: TempDir,
    address: SocketAddr,
    desk: Arc<Desk>,
    accepting: JoinHandle<()>,
}

/// What the connections share.
struct Desk {
    service: S3Service,
    asked: Mutex<Vec<(Asked, HeaderMap)>>,
    spoiler: Mutex<Option<Spoiler>>,
    /// Changes when the S3 is healed.
    healed: watch::Sender<()>,
    /// Whoever writes on a condition writes alone: the server looks whether an object is there, and
    /// writes it afterwards, where S3 does both at once.
    alone: tokio::sync::Mutex<()>,
}

impl S3 {
    /// Starts a server with the buckets named, all empty.
    ///
    /// # Errors
    /// When there is no port or no temporary folder.
    pub async fn start(buckets: &[&str]) -> io::Result<S3> {
        let folder = tempfile::tempdir()?;
        for bucket in buckets {
            std::fs::create_dir(folder.path().join(bucket))?;
        }
        let files = s3s_fs::FileSystem::new(folder.path())
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        builder.set_access(Policy);
        let (asked, spoiler) = (Mutex::new(Vec::new()), Mutex::new(None));
        let (service, healed) = (builder.build(), watch::Sender::new(()));
        let alone = tokio::sync::Mutex::default();
        let desk = Arc::new(Desk { service, asked, spoiler, healed, alone });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, desk.clone()));
        Ok(S3 { folder, address, desk, accepting })
    }

    /// Returns its URL, for `--endpoint-url`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how a client asks again, that gives up soon.
    pub fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: std::time::Duration::from_millis(1),
                max_backoff: std::time::Duration::from_millis(5),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: std::time::Duration::from_secs(10),
        }
    }

    /// Returns a client of one bucket that gives up soon.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn client(&self, bucket: &str) -> object_store::Result<AmazonS3> {
        self.client_with(bucket, ClientOptions::new())
    }

    /// Returns a client of one bucket that waits for an answer for so long.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn client_waiting(
        &self,
        bucket: &str,
        patience: std::time::Duration,
    ) -> object_store::Result<AmazonS3> {
        self.client_with(bucket, ClientOptions::new().with_timeout(patience))
    }

    fn client_with(&self, bucket: &str, options: ClientOptions) -> object_store::Result<AmazonS3> {
        AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_endpoint(self.endpoint())
            .with_client_options(options.with_allow_http(true))
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .with_retry(self.retry())
            .build()
    }

    /// Returns the folder in which the server keeps a bucket: a file an object.
    pub fn bucket_folder(&self, bucket: &str) -> std::path::PathBuf {
        self.folder.path().join(bucket)
    }

    /// Returns what was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk.take().into_iter().map(|(asked, _)| asked).collect()
    }

    /// Returns what was asked since the last call, each request with its value of a header.
    pub fn asked_with(&self, header: &str) -> Vec<(Asked, Option<String>)> {
        let value = |headers: &HeaderMap| Some(headers.get(header)?.to_str().ok()?.to_owned());
        let with_value = |(asked, headers): (Asked, HeaderMap)| (asked, value(&headers));
        self.desk.take().into_iter().map(with_value).collect()
    }

    /// Lets `spoiler` choose what goes wrong from now on; it is told how many requests came since.
    pub fn spoil(
        &self,
        spoiler: impl Fn(usize, &Asked) -> Option<Spoiled> + Send + Sync + 'static,
    ) {
        self.asked();
        let mut chosen = self.desk.spoiler.lock().unwrap_or_else(PoisonError::into_inner);
        *chosen = Some(Arc::new(spoiler));
    }

    /// Lets nothing go wrong any more, and goes on with what is held.
    pub fn heal(&self) {
        *self.desk.spoiler.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.desk.healed.send_replace(());
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Who may do anything: whoever signs, and in [`PUBLIC`] everybody.
struct Policy;

#[async_trait]
impl S3Access for Policy {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let bucket = match context.s3_path() {
            S3Path::Root => "",
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => bucket,
        };
        match context.credentials().is_some() || bucket == PUBLIC {
            true => Ok(()),
            false => Err(s3_error!(AccessDenied, "Signature is required")),
        }
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    while let Ok((socket, _)) = listener.accept().await {
        // An answer's body would wait for the client's word that its head has come, for 40 ms.
        let _ = socket.set_nodelay(true);
        let desk = desk.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let desk = desk.clone();
                async move { Ok::<_, Infallible>(desk.answer(request).await) }
            });
            let builder = Builder::new(TokioExecutor::new());
            // A connection that breaks is the client's business.
            let _ = builder.serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

impl Desk {
    fn take(&self) -> Vec<(Asked, HeaderMap)> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let asked = Asked {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
        };
        let number = {
            let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((asked.clone(), request.headers().clone()));
            all.len() - 1
        };
        // Before it is known whether the request is held: who heals in between is heard.
        let mut healed = self.healed.subscribe();
        let spoiler = self.spoiler.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let spoiled = spoiler.and_then(|spoiler| spoiler(number, &asked));
        match spoiled {
            Some(Spoiled::Refused(status, code)) => return refusal(status, code, "spoiled"),
            Some(Spoiled::Told(status, code, message)) => return refusal(status, code, message),
            Some(Spoiled::Answered(xml)) => {
                return Response::new(full(Bytes::from_static(xml.as_bytes())));
            }
            Some(Spoiled::Late(millis)) => {
                tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
            }
            Some(Spoiled::Held) => {
                // It can fail only when the desk is gone, and this is the desk.
                let _ = healed.changed().await;
            }
            _ => {}
        }
        let is_conditional = ["if-none-match", "if-match"]
            .iter()
            .any(|header| asked.method != "GET" && request.headers().contains_key(*header));
        let alone = match is_conditional {
            true => Some(self.alone.lock().await),
            false => None,
        };
        let response = match self.service.call(request.map(s3s::Body::from)).await {
            Ok(response) => response,
            Err(error) => return refusal(500, "InternalError", &format!("{error:?}")),
        };
        drop(alone);
        let response = match asked.is_listing() && asked.query.contains("encoding-type=url") {
            true => as_spelled(response).await,
            false => response,
        };
        match spoiled {
            Some(Spoiled::DoneThenRefused(status, code)) => refusal(status, code, "spoiled"),
            Some(Spoiled::Agreed) => agreement(),
            Some(Spoiled::BrokenOff(bytes)) => broken_off(response, bytes).await,
            Some(Spoiled::Unanswered) => std::future::pending().await,
            Some(Spoiled::Refused(..) | Spoiled::Told(..) | Spoiled::Late(_))
            | Some(Spoiled::Held | Spoiled::Answered(_))
            | None => response.map(|body| body.boxed_unsync()),
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(full(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

/// A listing without its claim that keys are escaped: the server says so, and does not do it.
async fn as_spelled(response: Response<s3s::Body>) -> Response<s3s::Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&whole).replace("<EncodingType>url</EncodingType>", "");
    parts.headers.remove(hyper::header::CONTENT_LENGTH);
    Response::from_parts(parts, s3s::Body::from(Bytes::from(text)))
}

fn agreement() -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    let tag = hyper::header::HeaderValue::from_static("\"agreed\"");
    response.headers_mut().insert(hyper::header::ETAG, tag);
    response
}

/// The first bytes of an answer that claims to be whole.
async fn broken_off(response: Response<s3s::Body>, bytes: usize) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let length = whole.len();
    let first = whole.slice(..bytes.min(length));
    parts.headers.insert(hyper::header::CONTENT_LENGTH, length.into());
    let pieces = futures::stream::iter([
        Ok(hyper::body::Frame::data(first)),
        Err::<_, s3s::StdError>(io::Error::other("broken off").into()),
    ]);
    Response::from_parts(parts, http_body_util::StreamBody::new(pieces).boxed_unsync())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
