//! Services of AWS that a test plays, by HTTP on a port of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// The header line of SQS's answers.
pub const JSON: &str = "Content-Type: application/x-amz-json-1.0";

/// A request, as it came.
pub struct Request {
    /// Its first line and its headers.
    pub head: String,
    pub body: String,
}

impl Request {
    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map_or("", |(_, value)| value.trim())
    }
}

/// Answers every request with a status and a body as `answer` says, and with this header line, for
/// as long as the test runs; returns the URL. Requests come at once.
pub fn play(
    header: &'static str,
    answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(stream.unwrap(), header, &*answer));
        }
    });
    url
}

/// Answers the requests of a connection, until the client goes away.
fn converse(
    mut stream: TcpStream,
    header: &str,
    answer: &impl Fn(&Request) -> (u16, String),
) -> Option<()> {
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut request = Request { head: String::new(), body: String::new() };
        while requests.read_line(&mut request.head).ok()? > 2 {}
        let length = request.header("content-length").parse().unwrap_or(0);
        requests.by_ref().take(length).read_to_string(&mut request.body).ok()?;
        if request.head.is_empty() {
            return None;
        }
        let (status, body) = answer(&request);
        let head = format!("HTTP/1.1 {status} -\r\n{header}\r\nContent-Length: {}", body.len());
        write!(stream, "{head}\r\n\r\n{body}").ok()?;
    }
}
