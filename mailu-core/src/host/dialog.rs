//! How a port greets, and what it offers before and after encryption. Nobody logs in.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::tls;
use crate::diagnose::{Greeting, Unsaid};

/// How long a connection may take to come about.
const REACHED: Duration = Duration::from_secs(5);

/// How long a server may take for one answer. Front looks up the client's name first, for up to half a minute.
const PATIENCE: Duration = Duration::from_secs(40);

/// The longest line that is read, and how many of one answer.
const LINE: u64 = 2_000;
const LINES: usize = 64;

/// A protocol that mail programs speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Imap,
    Pop3,
    Sieve,
}

impl Protocol {
    fn of(port: u16) -> Self {
        match port {
            143 | 993 => Self::Imap,
            110 | 995 => Self::Pop3,
            4190 => Self::Sieve,
            _ => Self::Smtp,
        }
    }
}

/// Connects to a mail port, listens, and asks what it offers. `port` is the one that clients know, `place` where it is reached;
/// `encrypts` whether STARTTLS is to be tried.
pub(super) fn greeting(
    port: u16,
    place: SocketAddr,
    name: &str,
    encrypts: bool,
) -> Result<Greeting, Unsaid> {
    let stream = TcpStream::connect_timeout(&place, REACHED)
        .and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        })
        .map_err(|error| Unsaid::Unreached(worded(&error, REACHED)))?;
    let silent = |error: io::Error| Unsaid::Silent(worded(&error, PATIENCE));
    if matches!(port, 465 | 993 | 995) {
        let stream = secured(stream, name).map_err(silent)?;
        let mut reader = BufReader::new(stream);
        let banner = line(&mut reader).map_err(silent)?;
        return Ok(Greeting {
            banner,
            ..Greeting::default()
        });
    }
    let protocol = Protocol::of(port);
    let mut reader = BufReader::new(stream);
    let banner = line(&mut reader).map_err(silent)?;
    if protocol == Protocol::Smtp && banner.get(3..4) == Some("-") {
        answer(&mut reader).map_err(silent)?;
    }
    let mut greeting = Greeting {
        banner,
        ..Greeting::default()
    };
    if protocol == Protocol::Sieve {
        return Ok(greeting);
    }
    // Whoever greets with a refusal offers nothing.
    let Ok(plain) = offers(protocol, &mut reader) else {
        return Ok(greeting);
    };
    greeting.plain = plain;
    if protocol == Protocol::Smtp && encrypts && greeting.plain.iter().any(|one| one == "STARTTLS")
    {
        greeting.encrypted =
            Some(after_starttls(reader, name).map_err(|error| worded(&error, PATIENCE)));
    }
    Ok(greeting)
}

/// RFC 3207.
fn after_starttls(mut reader: BufReader<TcpStream>, name: &str) -> io::Result<Vec<String>> {
    say(&mut reader, "STARTTLS")?;
    let said = answer(&mut reader)?;
    if !said.first().is_some_and(|line| line.starts_with("220")) {
        return Err(io::Error::other(format!(
            "it answers `{}`",
            said.first().map_or("", String::as_str)
        )));
    }
    // What came before the handshake must not count for after it.
    if !reader.buffer().is_empty() {
        return Err(io::Error::other(
            "it says more than it was asked before TLS begins",
        ));
    }
    let mut reader = BufReader::new(secured(reader.into_inner(), name)?);
    let offered = offers(Protocol::Smtp, &mut reader)?;
    let _ = say(&mut reader, "QUIT");
    Ok(offered)
}

fn secured(stream: TcpStream, name: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = tls::any_certificate().map_err(io::Error::other)?;
    let name = tls::server_name(name).map_err(io::Error::other)?;
    let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// What is offered, in capital letters.
fn offers<S: Read + Write>(
    protocol: Protocol,
    reader: &mut BufReader<S>,
) -> io::Result<Vec<String>> {
    let said = match protocol {
        Protocol::Smtp => {
            say(reader, "EHLO mailu.invalid")?;
            let said = answer(reader)?;
            if !said.iter().all(|line| line.starts_with("250")) {
                return Err(io::Error::other("it refuses"));
            }
            said.iter()
                .skip(1)
                .filter_map(|line| line.get(4..))
                .map(str::to_ascii_uppercase)
                .collect()
        }
        Protocol::Imap => {
            say(reader, "a CAPABILITY")?;
            let mut all = Vec::new();
            for _ in 0..LINES {
                let line = line(reader)?;
                if let Some(words) = line.strip_prefix("* CAPABILITY ") {
                    all.extend(words.split_whitespace().map(str::to_ascii_uppercase));
                } else if line.starts_with("a ") {
                    break;
                }
            }
            all
        }
        Protocol::Pop3 => {
            say(reader, "CAPA")?;
            let mut all = Vec::new();
            for _ in 0..LINES {
                let line = line(reader)?;
                if line == "." || line.starts_with("-ERR") {
                    break;
                }
                all.push(line.to_ascii_uppercase());
            }
            all
        }
        Protocol::Sieve => Vec::new(),
    };
    Ok(said)
}

fn say<S: Read + Write>(reader: &mut BufReader<S>, command: &str) -> io::Result<()> {
    let stream = reader.get_mut();
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    stream.flush()
}

/// An answer of SMTP to its last line.
fn answer(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for _ in 0..LINES {
        let line = line(reader)?;
        let last = line.get(3..4) != Some("-");
        all.push(line);
        if last {
            return Ok(all);
        }
    }
    Err(io::Error::other("it does not stop talking"))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    Read::take(reader, LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn worded(error: &io::Error, patience: Duration) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("nothing came within {} seconds", patience.as_secs())
        }
        io::ErrorKind::ConnectionRefused => "the connection is refused".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the connection was closed without a word".to_owned()
        }
        _ => error.to_string(),
    }
}
