//! A connection that costs next to nothing: HTTP/1.1, kept alive, one exchange at a time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than anything a measured node may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// A status, a head in lower case, and a body.
pub struct Reply<'a> {
    pub status: u16,
    head: String,
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// This reply, where it is a 200.
    ///
    /// # Errors
    /// It is another: its status and what it says.
    pub fn fine(self) -> io::Result<Self> {
        match self.status {
            200 => Ok(self),
            status => Err(io::Error::other(format!("{status}: {}", self.text()))),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// A header's value; its name is told in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| *found == name).map(|(_, value)| value.trim()).next()
    }
}

/// The headers by which a check waits so long for state that has this position.
pub fn from_position(position: &str, wait_ms: u64) -> String {
    format!("sluice-position: {position}\r\nsluice-wait-ms: {wait_ms}\r\n")
}

impl Connection {
    /// Connects to an address like `http://127.0.0.1:7070`.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(url: &str) -> io::Result<Self> {
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, host, request: Vec::new(), received: Vec::new() })
    }

    /// # Errors
    /// The connection broke, or what came back is not understood.
    pub fn get(&mut self, path: &str) -> io::Result<Reply<'_>> {
        self.exchange("GET", path, "", b"")
    }

    /// With more headers: whole lines, each with its end.
    ///
    /// # Errors
    /// The connection broke, or what came back is not understood.
    pub fn get_with(&mut self, path: &str, more: &str) -> io::Result<Reply<'_>> {
        self.exchange("GET", path, more, b"")
    }

    /// # Errors
    /// The connection broke, or what came back is not understood.
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Reply<'_>> {
        self.exchange("POST", path, "", body)
    }

    /// With more headers: whole lines, each with its end.
    ///
    /// # Errors
    /// The connection broke, or what came back is not understood.
    pub fn post_with(&mut self, path: &str, more: &str, body: &[u8]) -> io::Result<Reply<'_>> {
        self.exchange("POST", path, more, body)
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        more: &str,
        body: &[u8],
    ) -> io::Result<Reply<'_>> {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{more}\r\n",
            self.host,
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request)?;
        self.receive()
    }

    fn receive(&mut self) -> io::Result<Reply<'_>> {
        self.received.clear();
        let head_end = loop {
            self.read_more()?;
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.received[..head_end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {head}")))?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse::<usize>().ok());
        let length = length.ok_or_else(|| io::Error::other(format!("no length in {head}")))?;
        while self.received.len() < head_end + length {
            self.read_more()?;
        }
        Ok(Reply { status, head, body: &self.received[head_end..] })
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.received.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}

/// The sum over a metric's lines in a text of metrics.
pub fn metric(text: &str, name: &str) -> f64 {
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
