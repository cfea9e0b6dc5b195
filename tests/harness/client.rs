//! A blocking HTTP/1.1 client of the plainest kind, which reads answers by their `Content-Length`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a client waits for bytes before it takes the server to hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and the header lines.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Connects, or says why not.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads the next answer; `None` where the server has closed before one began.
    pub fn try_answer(&mut self) -> io::Result<Option<Answer>> {
        let head_end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.fill()? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let mut answer = Answer {
            status: head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0),
            head,
            body: String::new(),
        };
        let length: usize =
            answer.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let body_start = head_end + 4;
        while self.buffer.len() < body_start + length {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        answer.body =
            String::from_utf8_lossy(&self.buffer[body_start..body_start + length]).into_owned();
        self.buffer.drain(..body_start + length);
        Ok(Some(answer))
    }

    /// Reads the next answer.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("the connection holds").expect("the server answers")
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request).expect("the connection holds");
        self.answer()
    }

    /// Whether the server has closed, waiting for it; what still arrives is dropped.
    pub fn closed(&mut self) -> bool {
        loop {
            match self.fill() {
                Ok(true) => self.buffer.clear(),
                Ok(false) => return true,
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A `GET` request.
#[must_use]
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").into_bytes()
}

/// A `POST` request with more header lines (each ended) and a body.
#[must_use]
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request to the classifier.
#[must_use]
pub fn classify(texts: &[&str]) -> Vec<u8> {
    post("/classify", "", &serde_json::json!({ "sequences": texts }).to_string())
}

/// A request to the proxy.
#[must_use]
pub fn proxy_classify(customer: &str, texts: &[&str]) -> Vec<u8> {
    let body = serde_json::json!({ "sequences": texts }).to_string();
    post("/proxy_classify", &format!("x-customer-id: {customer}\r\n"), &body)
}
