//! A server for submission as Mailu's is (integrations.md §0, §1): TLS from the first byte, PLAIN and LOGIN, envelope senders by login, and a
//! limit; and the client that Listmonk is.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use serde_json::Value;

/// The name in the certificate.
pub(crate) const NAME: &str = "mail.example.com";

/// One certificate for all, which is its own authority.
static CERTIFICATE: LazyLock<rcgen::CertifiedKey<rcgen::KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap());

/// Where mail servers are, and the authority of their certificates, if it is not the server here.
pub(crate) static ELSEWHERE: OnceLock<(IpAddr, CertificateDer<'static>)> = OnceLock::new();

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) text: String,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    /// How many recipients are left.
    left: u32,
    helo: String,
}

/// Its threads end with the test program.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// With one login, which may send as itself, to so many recipients.
    pub(crate) fn start(login: &'static str, token: &'static str, left: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            left,
            ..State::default()
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || {
                    // Who hangs up early is heard of by the test itself.
                    let _ = serve(stream, login, token, &state);
                });
            }
        });
        Self { port, state }
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.state.lock().unwrap().taken)
    }

    /// Puts the certificate where a program finds it that is told so by `SSL_CERT_FILE`.
    pub(crate) fn write_authority(path: &Path) {
        std::fs::write(path, CERTIFICATE.cert.pem()).unwrap();
    }
}

fn serve(stream: TcpStream, login: &str, token: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
        CERTIFICATE.signing_key.serialize_der(),
    ));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CERTIFICATE.cert.der().clone()], key)
            .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let say = |stream: &mut BufReader<_>, text: &str| put(stream, text);
    say(&mut stream, "220 mail.example.com ESMTP")?;
    let mut known = false;
    let mut sender = String::new();
    let mut recipients = Vec::new();
    loop {
        let line = line(&mut stream)?;
        let upper = line.to_ascii_uppercase();
        let reply = if upper.starts_with("EHLO") || upper.starts_with("HELO") {
            line.get(5..)
                .unwrap_or_default()
                .clone_into(&mut state.lock().unwrap().helo);
            "250-mail.example.com\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 PIPELINING"
        } else if let Some(given) = line.strip_prefix("AUTH PLAIN ") {
            let right = format!("\0{login}\0{token}");
            known = STANDARD
                .decode(given)
                .is_ok_and(|given| given == right.as_bytes());
            if known {
                "235 2.7.0 Authentication successful"
            } else {
                "535 5.7.8 Error: authentication failed"
            }
        } else if upper.starts_with("MAIL FROM:<") {
            line[11..]
                .split('>')
                .next()
                .unwrap_or_default()
                .clone_into(&mut sender);
            recipients.clear();
            "250 2.1.0 Ok"
        } else if upper.starts_with("RCPT TO:<") {
            let mut state = state.lock().unwrap();
            // Everything is refused here, because of `smtpd_delay_reject`.
            if !known {
                "530 5.7.0 Must issue a STARTTLS command first"
            } else if sender != login {
                "553 5.7.1 Sender address rejected: not owned by user"
            } else if state.left == 0 {
                "450 4.2.1 You are sending too many emails too fast."
            } else {
                state.left -= 1;
                recipients.push(line[9..].split('>').next().unwrap_or_default().to_owned());
                "250 2.1.5 Ok"
            }
        } else if upper == "DATA" {
            if recipients.is_empty() {
                "554 5.5.1 Error: no valid recipients"
            } else {
                say(&mut stream, "354 End data with <CR><LF>.<CR><LF>")?;
                let mut text = String::new();
                loop {
                    let line = self::line(&mut stream)?;
                    if line == "." {
                        break;
                    }
                    text += &line;
                    text.push('\n');
                }
                state.lock().unwrap().taken.push(Taken {
                    sender: sender.clone(),
                    recipients: recipients.clone(),
                    text,
                });
                "250 2.0.0 Ok: queued"
            }
        } else if upper == "QUIT" {
            return say(&mut stream, "221 2.0.0 Bye");
        } else if upper == "RSET" || upper == "NOOP" {
            "250 2.0.0 Ok"
        } else {
            "502 5.5.2 Error: command not recognized"
        };
        say(&mut stream, reply)?;
    }
}

fn put<S: Read + Write>(stream: &mut BufReader<S>, text: &str) -> std::io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()
}

fn line<S: Read>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// Sends what Listmonk sends as a test, by one of its elements of `smtp` (§2.1, "Envelope sender"; §1, "TLS value map").
pub(crate) fn send(block: &Value, from: &str, to: &str) -> Result<(), String> {
    let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
    let host = text("host");
    if text("tls_type") != "TLS" {
        return Err("this server has TLS from the first byte".to_owned());
    }
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let port = u16::try_from(block["port"].as_u64().unwrap_or_default())
        .map_err(|error| failed(&error))?;
    // Every name leads here.
    let (address, authority) = ELSEWHERE.get().cloned().unwrap_or_else(|| {
        let own = CERTIFICATE.cert.der().clone();
        (Ipv4Addr::LOCALHOST.into(), own)
    });
    let tcp = TcpStream::connect((address, port)).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = host
        .try_into()
        .map_err(|error: rustls::pki_types::InvalidDnsNameError| failed(&error))?;
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))?;
    let mut stream = BufReader::new(StreamOwned::new(connection, tcp));
    let answer = |stream: &mut BufReader<StreamOwned<ClientConnection, TcpStream>>| {
        loop {
            let line = line(stream).map_err(|error| failed(&error))?;
            if line.get(3..4) != Some("-") {
                let good = line.starts_with(['2', '3']);
                // As Go words it.
                let said = line.get(4..).unwrap_or_default();
                return if good {
                    Ok(())
                } else {
                    Err(format!("{} {said:?}", &line[..3]))
                };
            }
        }
    };
    answer(&mut stream)?;
    // The header that is the envelope sender; without one, it is `From:`.
    let headers = block["email_headers"].as_array().into_iter().flatten();
    let mut return_path = headers.filter_map(|one| one["Return-Path"].as_str());
    let bare = from
        .rsplit('<')
        .next()
        .unwrap_or_default()
        .trim_end_matches('>');
    let sender = return_path.next().unwrap_or(bare).to_owned();
    if text("auth_protocol") != "plain" {
        return Err("this client knows PLAIN only".to_owned());
    }
    let login = STANDARD.encode(format!("\0{}\0{}", text("username"), text("password")));
    let message = format!("From: {from}\r\nTo: {to}\r\nSubject: Test connection\r\n\r\nTest\r\n.");
    for command in [
        "EHLO localhost".to_owned(),
        format!("AUTH PLAIN {login}"),
        format!("MAIL FROM:<{sender}>"),
        format!("RCPT TO:<{to}>"),
        "DATA".to_owned(),
        message,
        "QUIT".to_owned(),
    ] {
        put(&mut stream, &command).map_err(|error| failed(&error))?;
        answer(&mut stream)?;
    }
    Ok(())
}
