//! Asks a port for its certificate, as any client would, and believes none of it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, SignatureScheme};

use super::{certificate, tls};
use crate::certs::Certificate;
use crate::hash::sha256;

/// How long each step of it may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The longest line that a mail server says before TLS, and how many.
const LINE: u64 = 2_000;
const LINES: usize = 64;

/// The certificate that `address` shows to who asks for `name`; after STARTTLS where SMTP is spoken.
pub(super) fn ask(
    address: SocketAddr,
    starttls: bool,
    name: &str,
    now: i64,
) -> Result<Certificate, String> {
    let chain = shown(address, starttls, name, tls::any_certificate()?)?;
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    certificate::described(&chain, now)
        .ok_or_else(|| "it showed no certificate that can be read".to_owned())
}

/// The chains that port 25 at `address` shows after STARTTLS: to who takes RSA keys only, and to who takes none of them.
pub(super) fn chains(address: SocketAddr, name: &str) -> Result<Vec<Vec<Vec<u8>>>, String> {
    every_chain(address, true, name)
}

/// The SHA-256 of every certificate by which the server at `address` shows who it is.
pub(super) fn fingerprints(
    address: SocketAddr,
    starttls: bool,
    name: &str,
) -> Result<Vec<String>, String> {
    let all = every_chain(address, starttls, name)?;
    Ok(all
        .iter()
        .filter_map(|chain| chain.first())
        .map(|leaf| sha256(leaf))
        .collect())
}

fn every_chain(
    address: SocketAddr,
    starttls: bool,
    name: &str,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let rsa: fn(SignatureScheme) -> bool = |scheme| {
        matches!(
            scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
                | SignatureScheme::RSA_PSS_SHA256
                | SignatureScheme::RSA_PSS_SHA384
                | SignatureScheme::RSA_PSS_SHA512
        )
    };
    let ecdsa: fn(SignatureScheme) -> bool = |scheme| {
        matches!(
            scheme,
            SignatureScheme::ECDSA_NISTP256_SHA256
                | SignatureScheme::ECDSA_NISTP384_SHA384
                | SignatureScheme::ED25519
        )
    };
    let mut all: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut last = "it showed no certificate".to_owned();
    for takes in [rsa, ecdsa] {
        match shown(address, starttls, name, tls::any_certificate_signed(takes)?) {
            Ok(chain) if !chain.is_empty() && !all.contains(&chain) => all.push(chain),
            Ok(_) => {}
            // It may have a certificate of the other kind only.
            Err(why) => last = why,
        }
    }
    if all.is_empty() { Err(last) } else { Ok(all) }
}

fn shown(
    address: SocketAddr,
    starttls: bool,
    name: &str,
    config: Arc<ClientConfig>,
) -> Result<Vec<Vec<u8>>, String> {
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    let limited = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limited.map_err(|error| error.to_string())?;
    if starttls {
        start_tls(&stream).map_err(|error| patient(&error))?;
    }
    let mut tls = ClientConnection::new(config, tls::server_name(name)?)
        .map_err(|error| error.to_string())?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)
            .map_err(|error| patient(&error))?;
    }
    let chain = tls.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|one| one.to_vec()).collect();
    tls.send_close_notify();
    let _ = tls.write_tls(&mut stream);
    Ok(chain)
}

fn patient(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("it said nothing within {} seconds", PATIENCE.as_secs())
        }
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

/// RFC 3207.
fn start_tls(stream: &TcpStream) -> io::Result<()> {
    let mut writer = stream;
    let mut reader = BufReader::with_capacity(1, stream);
    expect(&mut reader, "220")?;
    writer.write_all(b"EHLO localhost\r\n")?;
    expect(&mut reader, "250")?;
    writer.write_all(b"STARTTLS\r\n")?;
    expect(&mut reader, "220")
}

/// Reads an answer to its last line.
fn expect(reader: &mut BufReader<&TcpStream>, code: &str) -> io::Result<()> {
    for _ in 0..LINES {
        let mut line = Vec::new();
        io::Read::take(&mut *reader, LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line);
        if !line.starts_with(code) {
            return Err(io::Error::other(format!(
                "it said `{}` where {code} was expected",
                line.trim_end().escape_debug()
            )));
        }
        if line.get(3..4) != Some("-") {
            return Ok(());
        }
    }
    Err(io::Error::other("it did not stop talking"))
}
