//! The HTTP API of an app: where it is, and one request at a time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{files, tls};
use crate::error::{Error, ErrorKind};

/// How long an app may take for one answer. It may log in to the server meanwhile, or send a test message.
const PATIENCE: Duration = Duration::from_secs(90);
/// The largest answer that is read.
const LARGEST: usize = 16 * 1024 * 1024;

/// What an app is called, in messages and as the first part of codes.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) app: &'static str,
    /// For an address that is none.
    pub(super) url: &'static str,
    /// Like it.
    pub(super) example: &'static str,
    /// For a file that has no certificates.
    pub(super) authorities: &'static str,
    /// For a token that would go over the Internet for all to read.
    pub(super) plain_http: &'static str,
    /// For an app that does not answer.
    pub(super) unreachable: &'static str,
}

/// Where an app's API is.
#[derive(Debug)]
pub(super) struct Web {
    names: &'static Names,
    secure: bool,
    host: String,
    /// Name and port, as they stand in `Host`.
    authority: String,
    port: u16,
    /// Before `/api`, where the app is not at the top.
    path: String,
    authorities: Vec<CertificateDer<'static>>,
}

impl Web {
    /// By the address of the app's site. `authorities` is a file with certificates (PEM) to trust beside those that browsers do.
    pub(super) fn new(
        names: &'static Names,
        url: &str,
        authorities: Option<&Path>,
    ) -> Result<Self, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::InvalidInput,
                names.url,
                format!(
                    "reach {} at `{url}`: that is no address of a site",
                    names.app
                ),
            )
            .hint(format!("like {}", names.example))
        };
        let parsed = url::Url::parse(url).map_err(|_| wrong())?;
        let Some(host) = parsed
            .host_str()
            .filter(|_| matches!(parsed.scheme(), "http" | "https"))
        else {
            return Err(wrong());
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                names.url,
                format!(
                    "reach {}: its address has a name and a password in it, which others would see",
                    names.app
                ),
            )
            .hint("give them by themselves"));
        }
        let more = match authorities {
            None => Vec::new(),
            Some(path) => {
                let text =
                    std::fs::read(path).map_err(|error| files::failed("read", path, error))?;
                CertificateDer::pem_slice_iter(&text)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|why| {
                        Error::new(
                            ErrorKind::InvalidInput,
                            names.authorities,
                            format!("read certificates from {}: {why}", path.display()),
                        )
                    })?
            }
        };
        Ok(Self {
            names,
            secure: parsed.scheme() == "https",
            host: host.trim_matches(['[', ']']).to_owned(),
            authority: parsed.authority().to_owned(),
            port: parsed.port_or_known_default().unwrap_or(443),
            path: parsed.path().trim_end_matches('/').to_owned(),
            authorities: more,
        })
    }

    /// The address of the site, without a slash at the end.
    pub(super) fn site(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// That it does not answer, or not as the app does.
    pub(super) fn unreachable(&self, why: impl std::fmt::Display) -> Error {
        Error::new(
            ErrorKind::Io,
            self.names.unreachable,
            format!("talk to {} at {}: {why}", self.names.app, self.site()),
        )
        .hint("`docker ps` shows whether its container runs, and `docker logs` why not")
    }

    /// That somebody answers who is not the app.
    pub(super) fn stranger(&self, path: &str, status: StatusCode) -> Error {
        self.unreachable(format!(
            "{path} answers with status {}, and not as {} does",
            status.as_u16(),
            self.names.app
        ))
        .hint(format!(
            "give the address at which {} itself answers, without a login of another's before it",
            self.names.app
        ))
    }

    pub(super) fn address(&self) -> Result<SocketAddr, Error> {
        let mut all = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| self.unreachable(error))?;
        let address = all
            .next()
            .ok_or_else(|| self.unreachable("it has no address"))?;
        if !self.secure && !is_near(address.ip()) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                self.names.plain_http,
                format!(
                    "talk to {} at {}: tokens would go over the Internet for all to read",
                    self.names.app,
                    self.site()
                ),
            )
            .hint("use https://"));
        }
        Ok(address)
    }

    /// One request, and the status and JSON of the answer.
    pub(super) async fn ask(
        &self,
        address: SocketAddr,
        method: Method,
        path: &str,
        body: Option<&Value>,
        credentials: (&'static str, HeaderValue),
    ) -> Result<(StatusCode, Value), Error> {
        let (name, mut credentials) = credentials;
        credentials.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .header("host", &self.authority)
            .header("user-agent", "mailu")
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header(name, credentials)
            .body(Full::new(Bytes::from(
                body.map(Value::to_string).unwrap_or_default(),
            )))
            .map_err(|error| self.unreachable(error))?;
        let asked = async {
            let tcp = TcpStream::connect(address).await?;
            if !self.secure {
                return exchange(TokioIo::new(tcp), request).await;
            }
            let config = tls::verified(&self.authorities).map_err(io::Error::other)?;
            let name = tls::server_name(&self.host).map_err(io::Error::other)?;
            let stream = TlsConnector::from(config).connect(name, tcp).await?;
            exchange(TokioIo::new(stream), request).await
        };
        let (status, body) = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| {
                self.unreachable(format!("no answer within {} seconds", PATIENCE.as_secs()))
            })?
            .map_err(|error| self.unreachable(error))?;
        let answer = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok((status, answer))
    }

    /// The same, for whoever has nothing else to wait for.
    pub(super) fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        credentials: (&'static str, HeaderValue),
    ) -> Result<(StatusCode, Value), Error> {
        let address = self.address()?;
        run(self.ask(address, method.clone(), path, body, credentials))
    }
}

/// What a person can read of an app's words: one line of at most 300 characters, without the secrets.
pub(super) fn legible(text: &str, secrets: &[&str]) -> String {
    let text = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

/// Whether what goes there stays on this host or in a private network.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

pub(super) async fn exchange<S>(
    stream: TokioIo<S>,
    request: Request<Full<Bytes>>,
) -> io::Result<(StatusCode, Bytes)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(io::Error::other)?;
    let read = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST);
        let body = body.collect().await.map_err(io::Error::other)?;
        Ok((status, body.to_bytes()))
    };
    futures_util::pin_mut!(read, connection);
    match futures_util::future::select(read, connection).await {
        futures_util::future::Either::Left((result, _)) => result,
        // The answer may be there in whole when the connection ends.
        futures_util::future::Either::Right((_, read)) => read.await,
    }
}

pub(super) fn run<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "app.runtime", "talk to an app").source(error)
        })?;
    runtime.block_on(what)
}
