//! Fetching an MTA-STS policy as a sending server does (RFC 8461 §3.3): over verified HTTPS, without following anything.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{lookup, tls};
use crate::dns::check::Fetched;
use crate::preflight::Lookup;

/// A sender waits a minute at most (RFC 8461 §3.3); an answer that takes longer than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest policy that senders take (RFC 8461 §3.3).
const LARGEST: usize = 64 * 1024;
const PATH: &str = "/.well-known/mta-sts.txt";

/// Why there is no policy.
enum Failure {
    /// A sender would get none either.
    Refused(String),
    /// It may be this host that does not get there.
    Unknown(String),
}

/// The policy of `domain`.
pub(super) fn fetch(
    resolvers: &[SocketAddr],
    domain: &str,
    authorities: &[CertificateDer<'static>],
) -> Fetched {
    let name = format!("mta-sts.{domain}");
    let addresses = match lookup::addresses(resolvers, &name) {
        Lookup::Failed(why) => return Fetched::Unknown(format!("{name}: {why}")),
        Lookup::Found { addresses, .. } if !addresses.is_empty() => addresses,
        _ => return Fetched::Refused(format!("{name} has no address")),
    };
    let mut refused = None;
    let mut unknown = None;
    for address in addresses {
        let place = SocketAddr::new(address, 443);
        match attempt(place, &name, authorities) {
            Ok(text) => return Fetched::Text(text),
            Err(Failure::Refused(why)) => refused = Some(format!("{why} (at {address})")),
            Err(Failure::Unknown(why)) => unknown = Some(format!("{why} (at {address})")),
        }
    }
    match (refused, unknown) {
        (Some(why), _) => Fetched::Refused(why),
        (None, why) => Fetched::Unknown(why.unwrap_or_default()),
    }
}

fn attempt(
    place: SocketAddr,
    name: &str,
    authorities: &[CertificateDer<'static>],
) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unknown(error.to_string()))?;
    let result = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, get(place, name, authorities)).await });
    result.unwrap_or_else(|_| {
        Err(Failure::Unknown(format!(
            "no answer within {} seconds",
            PATIENCE.as_secs()
        )))
    })
}

async fn get(
    place: SocketAddr,
    name: &str,
    authorities: &[CertificateDer<'static>],
) -> Result<String, Failure> {
    let refused = |why: String| Failure::Refused(why);
    let config = tls::verified(authorities).map_err(Failure::Unknown)?;
    let server = tls::server_name(name).map_err(Failure::Unknown)?;
    let tcp = TcpStream::connect(place).await.map_err(|error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Failure::Refused("nobody listens on port 443".to_owned())
        } else {
            Failure::Unknown(error.to_string())
        }
    })?;
    let stream = TlsConnector::from(config)
        .connect(server, tcp)
        .await
        .map_err(|error| refused(format!("its certificate or TLS is not in order: {error}")))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| refused(format!("it speaks no HTTP: {error}")))?;
    let request = hyper::Request::get(PATH)
        .header("host", name)
        .header("user-agent", "mailu")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Unknown(error.to_string()))?;
    let read = async {
        let broken = |error: hyper::Error| refused(format!("it speaks no HTTP: {error}"));
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(refused(format!(
                "it answers with a redirect ({}), which senders do not follow",
                status.as_u16()
            )));
        }
        if status.as_u16() != 200 {
            return Err(refused(format!(
                "it answers with status {}",
                status.as_u16()
            )));
        }
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let plain = kind.split(';').next().unwrap_or_default().trim();
        if !plain.eq_ignore_ascii_case("text/plain") {
            return Err(refused(format!(
                "it is of type `{plain}`, where text/plain has to be"
            )));
        }
        let body = Limited::new(response.into_body(), LARGEST);
        let body = body.collect().await.map_err(|error| {
            refused(format!(
                "it does not end, or is larger than {LARGEST} octets: {error}"
            ))
        })?;
        String::from_utf8(body.to_bytes().to_vec())
            .map_err(|_| refused("it is no text in UTF-8".to_owned()))
    };
    futures_util::pin_mut!(read, connection);
    match futures_util::future::select(read, connection).await {
        futures_util::future::Either::Left((result, _)) => result,
        // The answer may be there in whole when the connection ends.
        futures_util::future::Either::Right((_, read)) => read.await,
    }
}
