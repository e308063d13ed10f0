//! Who may connect, over what, and how does it end?
//!
//! With TLS the certificate is read again when its file changes, so that a renewal needs no restart.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;

use crate::connection::{self, Stream};
use crate::error::{Error, Result};
use crate::http::{Peer, Server};
use crate::patience::Patient;
use crate::places::Places;

/// Connections that are told at once that there is no place.
const TOLD_AT_ONCE: usize = 64;
/// How long connections may go on when the server stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket of this machine, which only its owner can open (0600).
    Unix(PathBuf),
}

impl Address {
    /// Whether only programs of this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Tcp(address) => address.ip().is_loopback(),
            Address::Unix(_) => true,
        }
    }
}

/// A certificate and its key, in PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, those that vouch for it behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A server that listens.
pub struct Bound {
    server: Server,
    listener: Listener,
    tls: Option<Certificate>,
    /// Where it listens: the port is the real one.
    pub address: Address,
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// Begins to listen.
///
/// # Errors
/// When the address is taken or cannot be had, or the certificate cannot be used.
pub async fn bind(server: Server, address: &Address, tls: Option<&Tls>) -> Result<Bound> {
    let tls = tls.map(Certificate::read).transpose()?;
    let failed = |source: std::io::Error| {
        let address = match address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(path) => path.display().to_string(),
        };
        Error::Listen { address, source }
    };
    let (listener, address) = match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = Address::Tcp(listener.local_addr().map_err(failed)?);
            (Listener::Tcp(listener), address)
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            (Listener::Unix(bind_unix(path).await.map_err(failed)?), address.clone())
        }
        #[cfg(not(unix))]
        Address::Unix(_) => {
            return Err(failed(std::io::Error::other("there are no such sockets here")));
        }
    };
    Ok(Bound { server, listener, tls, address })
}

/// A socket that a server left behind is replaced; one that somebody listens on is not.
#[cfg(unix)]
async fn bind_unix(path: &Path) -> std::io::Result<tokio::net::UnixListener> {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    if let Ok(found) = path.symlink_metadata()
        && found.file_type().is_socket()
    {
        if tokio::net::UnixStream::connect(path).await.is_ok() {
            return Err(std::io::Error::from(std::io::ErrorKind::AddrInUse));
        }
        std::fs::remove_file(path)?;
    }
    let socket = tokio::net::UnixSocket::new_stream()?;
    let owners = std::fs::Permissions::from_mode(0o600);
    // On Linux the socket's file gets the mode that the socket has, and so there is no moment in
    // which others can open it; elsewhere the mode comes after the file.
    let bound_so = std::fs::File::from(socket.as_fd().try_clone_to_owned()?);
    let set = bound_so.set_permissions(owners.clone());
    socket.bind(path)?;
    if set.is_err() || !cfg!(target_os = "linux") {
        std::fs::set_permissions(path, owners)?;
    }
    socket.listen(1_024)
}

impl Bound {
    /// Serves until `stop` is ready; then lets queries under way end for `grace`.
    pub async fn serve(self, stop: impl Future<Output = ()>, grace: Duration) {
        let Bound { server, listener, tls, .. } = self;
        let router = match &tls {
            Some(_) => server.router().layer(axum::Extension(crate::http::Encrypted)),
            None => server.router(),
        };
        let options = server.options();
        let places = Places::new(options.connections_max, options.connections_of_one_max);
        let full = connection::no_place(options);
        let telling = Arc::new(Semaphore::new(TOLD_AT_ONCE));
        let patience = options.client_gone_after;
        let (closing, close) = tokio::sync::watch::channel(false);
        let mut connections = JoinSet::new();
        // Ends with this call.
        let mut beside = JoinSet::new();
        beside.spawn(server.clone().keep_tidy());
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, mostly: it passes.
                    tracing::warn!("could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = places.take(address) else {
                server.metrics().connection_refused();
                if tls.is_none()
                    && address.is_some()
                    && let Ok(turn) = Arc::clone(&telling).try_acquire_owned()
                {
                    let full = full.clone();
                    connections.spawn(async move {
                        let _turn = turn;
                        connection::refuse(stream, &full).await;
                    });
                }
                continue;
            };
            server.metrics().connected();
            let stream: Box<dyn Stream> = Box::new(Patient::new(stream, patience));
            let peer: Arc<str> =
                address.map_or("unix".into(), |address| address.to_string().into());
            let service = axum::Extension(Peer(peer)).layer(router.clone());
            let close = close.clone();
            let acceptor = tls.as_ref().map(Certificate::acceptor);
            connections.spawn(async move {
                let _place = place;
                connection::serve(stream, acceptor, service, close).await;
            });
        }
        drop(listener);
        server.stop(grace).await;
        let _ = closing.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CLOSE_WITHIN, all).await;
    }
}

impl Listener {
    /// The next connection, and the address that it comes from; none for a socket of this machine.
    async fn accept(&self) -> std::io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        Ok(match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                (Box::new(stream), Some(peer.ip().to_canonical()))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => (Box::new(listener.accept().await?.0), None),
        })
    }
}

/// When certificate and key were last changed.
type Changed = (Option<SystemTime>, Option<SystemTime>);

/// The certificate, as it was when its files were last changed.
struct Certificate {
    files: Tls,
    read: Arc<Mutex<(Changed, TlsAcceptor)>>,
}

impl Certificate {
    fn read(files: &Tls) -> Result<Certificate> {
        let acceptor = acceptor(files)?;
        let read = Arc::new(Mutex::new((changed(files), acceptor)));
        Ok(Certificate { files: files.clone(), read })
    }

    /// Returns what greets a client; a certificate that cannot be read leaves the one before.
    fn acceptor(&self) -> TlsAcceptor {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = changed(&self.files);
        if now != read.0 {
            match acceptor(&self.files) {
                Ok(acceptor) => {
                    tracing::info!("the certificate was read again");
                    *read = (now, acceptor);
                }
                Err(error) => {
                    tracing::warn!("the new certificate is not used: {error}");
                    read.0 = now;
                }
            }
        }
        read.1.clone()
    }
}

fn changed(files: &Tls) -> Changed {
    let of = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    (of(&files.certificate), of(&files.key))
}

fn acceptor(files: &Tls) -> Result<TlsAcceptor> {
    let wrong = |path: &Path, reason: String| Error::Certificate {
        reason: format!("`{}`: {reason}", path.display()),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, error.to_string()))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| wrong(&files.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
