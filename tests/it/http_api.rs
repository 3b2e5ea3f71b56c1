//! A web server that answers in JSON: what the emulators of apps have in common.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

/// A request, read whole.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Before the question mark, with what is escaped there turned back.
    pub(crate) path: String,
    /// What stands behind it.
    pub(crate) query: Vec<(String, String)>,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Listens on a port of its own, for as long as the tests run. Whoever closes a connection early gets no answer.
pub(crate) fn serve(
    answer: impl Fn(&Request) -> (u16, Value) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let _ = one(&stream, &*answer);
            });
        }
    });
    address
}

/// Reads one request, and answers it.
pub(crate) fn one(
    mut stream: &TcpStream,
    answer: &dyn Fn(&Request) -> (u16, Value),
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 4096];
    let request = loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut words = head.lines().next().unwrap().split(' ').map(str::to_owned);
        let method = words.next().unwrap();
        let target = format!("http://host{}", words.next().unwrap());
        let target = url::Url::parse(&target).unwrap();
        let segments: Vec<String> = target
            .path()
            .split('/')
            .map(|one| {
                let one = format!("x={}", one.replace('+', "%2B"));
                let pair = url::form_urlencoded::parse(one.as_bytes()).next().unwrap();
                pair.1.into_owned()
            })
            .collect();
        let mut request = Request {
            method,
            path: segments.join("/"),
            query: target.query_pairs().into_owned().collect(),
            head,
            body: Vec::new(),
        };
        let length: usize = request
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        if bytes.len() >= end + 4 + length {
            request.body = bytes[end + 4..end + 4 + length].to_vec();
            break request;
        }
    };
    let (status, value) = answer(&request);
    let text = value.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}
