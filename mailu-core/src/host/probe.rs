//! Trying a server as its clients do: SMTP, implicit TLS and HTTPS, whatever its certificate says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::start::{self, Relay};

/// How long a server may take for one answer. Front looks up the client's name first, for up to half a minute.
const PATIENCE: Duration = Duration::from_secs(45);

/// An address of TEST-NET-1 (RFC 5737): as a domain literal it needs no name server, and belongs to nobody.
const NOBODY: &str = "[192.0.2.1]";

/// A name that resolvers answer for by themselves (RFC 6761 §6.3), and that is nobody's email domain.
const HERE: &str = "localhost";

/// The answer to a stranger's recipient.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) code: u16,
    pub(super) text: String,
}

/// What a mail client learns.
#[derive(Debug)]
pub(super) struct Submission {
    /// The server's certificate, DER.
    pub(super) certificate: Option<Vec<u8>>,
    /// Why the login was refused.
    pub(super) refused: Option<String>,
}

/// The address that this host uses towards others. Nothing is sent.
pub(super) fn own_address() -> IpAddr {
    let ask = || -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    };
    ask().unwrap_or_else(|_| Ipv4Addr::LOCALHOST.into())
}

fn parameters(name: &str) -> Result<TlsParameters, String> {
    TlsParameters::builder(name.to_owned())
        .dangerous_accept_invalid_certs(true)
        .dangerous_accept_invalid_hostnames(true)
        .build_rustls()
        .map_err(|error| error.to_string())
}

/// What the server said, with its code; nothing if it said nothing of SMTP.
fn answered(error: &lettre::transport::smtp::Error) -> Option<Attempt> {
    let code: u16 = error.status()?.to_string().parse().ok()?;
    Some(Attempt {
        code,
        text: error.to_string(),
    })
}

/// Tries, as a stranger, to send to another server. Stops before there is any message.
///
/// The domain literal makes Postfix refuse without any name server. Where it does not refuse, Mailu's admin fails to look the literal up,
/// and the answer is a temporary one, as where admin is away: only a name tells these two apart.
pub(super) fn relay(place: SocketAddr, name: &str, token: &str) -> Result<Attempt, String> {
    let first = recipient(place, name, token, &format!("{token}@{NOBODY}"))?;
    if !start::relay_undecided(first.code, &first.text) {
        return Ok(first);
    }
    let second = recipient(place, name, token, &format!("{token}@{HERE}"))?;
    Ok(match start::relay(second.code, &second.text) {
        Relay::Unclear => first,
        Relay::Accepted | Relay::Refused => second,
    })
}

/// What a server says to a stranger who has something for `recipient`. Stops before there is any message.
pub(super) fn recipient(
    place: SocketAddr,
    name: &str,
    token: &str,
    recipient: &str,
) -> Result<Attempt, String> {
    let hello = ClientId::Domain(format!("{token}.invalid"));
    let failed = |error: lettre::transport::smtp::Error| error.to_string();
    let mut smtp =
        SmtpConnection::connect(place, Some(PATIENCE), &hello, None, None).map_err(failed)?;
    if smtp.can_starttls() {
        // Some servers take no sender before it.
        smtp.starttls(&parameters(name)?, &hello).map_err(failed)?;
    }
    let recipient = recipient
        .parse()
        .map_err(|error: lettre::address::AddressError| error.to_string())?;
    let tried = smtp
        .command(Mail::new(None, Vec::new()))
        .and_then(|_| smtp.command(Rcpt::new(recipient, Vec::new())));
    let attempt = match tried {
        Ok(response) => Ok(Attempt {
            code: response.code().to_string().parse().unwrap_or(250),
            text: response.message().collect::<Vec<_>>().join(" "),
        }),
        Err(error) => answered(&error).ok_or_else(|| error.to_string()),
    };
    smtp.abort();
    attempt
}

/// Logs in as a mail client does, with TLS from the start or by STARTTLS.
pub(super) fn submission(
    place: SocketAddr,
    name: &str,
    implicit: bool,
    login: Option<(&str, &str)>,
) -> Result<Submission, String> {
    let hello = ClientId::Domain("mailu.invalid".to_owned());
    let failed = |error: lettre::transport::smtp::Error| error.to_string();
    let parameters = parameters(name)?;
    let at_once = implicit.then_some(&parameters);
    let mut smtp =
        SmtpConnection::connect(place, Some(PATIENCE), &hello, at_once, None).map_err(failed)?;
    if !implicit {
        smtp.starttls(&parameters, &hello).map_err(failed)?;
    }
    let certificate = smtp.peer_certificate().ok();
    let mut refused = None;
    if let Some((user, password)) = login {
        let credentials = Credentials::new(user.to_owned(), password.to_owned());
        if let Err(error) = smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials) {
            match answered(&error) {
                // Later it may be otherwise.
                Some(answer) if answer.code < 500 => return Err(answer.text),
                Some(answer) => refused = Some(answer.text),
                None => return Err(error.to_string()),
            }
        }
    }
    smtp.abort();
    Ok(Submission {
        certificate,
        refused,
    })
}

async fn connect(place: SocketAddr, name: &str) -> Result<TlsStream<TcpStream>, String> {
    let config = tls::any_certificate()?;
    let name = tls::server_name(name)?;
    let tcp = TcpStream::connect(place)
        .await
        .map_err(|error| error.to_string())?;
    TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|error| error.to_string())
}

fn certificate(stream: &TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let (_, session) = stream.get_ref();
    Some(session.peer_certificates()?.first()?.to_vec())
}

fn within<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(async { tokio::time::timeout(PATIENCE, what).await })
        .map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))?
}

/// Shakes hands at a port with TLS from the start, and waits for the server's first words.
pub(super) fn greeting(place: SocketAddr, name: &str) -> Result<(Option<Vec<u8>>, String), String> {
    within(async {
        let mut stream = connect(place, name).await?;
        let mut buffer = [0; 512];
        let length = stream
            .read(&mut buffer)
            .await
            .map_err(|error| error.to_string())?;
        if length == 0 {
            return Err("the connection was closed without a word".to_owned());
        }
        let said = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        let first = said.lines().next().unwrap_or_default().to_owned();
        Ok((certificate(&stream), first))
    })
}

/// Asks for a page over HTTPS; gives the status and the certificate.
pub(super) fn https(
    place: SocketAddr,
    name: &str,
    path: &str,
) -> Result<(u16, Option<Vec<u8>>), String> {
    within(async {
        let stream = connect(place, name).await?;
        let seen = certificate(&stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = hyper::Request::get(path)
            .header("host", name)
            .header("user-agent", "mailu")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let ask = sender.send_request(request);
        futures_util::pin_mut!(ask, connection);
        let response = match futures_util::future::select(ask, connection).await {
            futures_util::future::Either::Left((response, _)) => response,
            futures_util::future::Either::Right((Err(error), _)) => Err(error),
            futures_util::future::Either::Right((Ok(()), ask)) => ask.await,
        }
        .map_err(|error| error.to_string())?;
        Ok((response.status().as_u16(), seen))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that answers a recipient by what stands for it in `answers`, and ends when it was asked for each of them.
    fn server<'a>(answers: &[(&'a str, &'a str)]) -> SocketAddr {
        let own = |(domain, answer): &(&str, &str)| ((*domain).to_owned(), (*answer).to_owned());
        let answers: Vec<(String, String)> = answers.iter().map(own).collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let place = listener.local_addr().expect("its address");
        thread::spawn(move || {
            for _ in &answers {
                let (mut stream, _) = listener.accept().expect("a client");
                let lines = BufReader::new(stream.try_clone().expect("the stream")).lines();
                stream.write_all(b"220 ready\r\n").expect("a greeting");
                for line in lines.map_while(Result::ok) {
                    let answer = if line.starts_with("RCPT") {
                        let mut all = answers.iter();
                        let found = all.find(|(domain, _)| line.contains(domain.as_str()));
                        found.map_or("500 not expected", |(_, answer)| answer)
                    } else {
                        "250 ok"
                    };
                    if stream
                        .write_all(format!("{answer}\r\n").as_bytes())
                        .is_err()
                    {
                        break;
                    }
                }
            }
        });
        place
    }

    fn judged<'a>(answers: &[(&'a str, &'a str)]) -> Relay {
        let attempt = relay(server(answers), "mail.example.com", "probe").expect("an answer");
        start::relay(attempt.code, &attempt.text)
    }

    const FAILED: &str = "451 4.3.0 Temporary lookup failure";

    #[test]
    fn an_open_relay_is_told_from_an_admin_that_is_away() {
        let denied = "554 5.7.1 Relay access denied";
        assert_eq!(judged(&[("@[192.0.2.1]", denied)]), Relay::Refused);
        assert_eq!(judged(&[("@[192.0.2.1]", "250 2.1.5 Ok")]), Relay::Accepted);
        let second = |answer| judged(&[("@[192.0.2.1]", FAILED), ("@localhost", answer)]);
        assert_eq!(second("250 2.1.5 Ok"), Relay::Accepted);
        // Admin came back in between.
        assert_eq!(second(denied), Relay::Refused);
        assert_eq!(second(FAILED), Relay::Unclear);
        assert_eq!(second("450 4.1.2 Domain not found"), Relay::Unclear);
    }
}
