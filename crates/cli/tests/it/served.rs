//! A server that a test starts, and its answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::folder::{BINARY, Folder};

/// A server under test; it is ended with the value.
pub struct Served {
    child: Child,
    said: BufReader<ChildStderr>,
    /// What it said until it listened.
    pub greeting: String,
    /// `127.0.0.1:PORT`, or a path.
    pub address: String,
}

impl Served {
    pub fn start(here: &Folder, args: &[&str]) -> Served {
        Served::start_set(here, args, |_| {})
    }

    /// A server for whose environment `set` sees.
    pub fn start_set(here: &Folder, args: &[&str], set: impl FnOnce(&mut Command)) -> Served {
        let mut command = here.command(BINARY);
        set(&mut command);
        command.args(["serve", "--state", "state"]).args(args);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut greeting = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it never listened: {greeting}");
            if let Some(url) = line.trim().strip_prefix("listening on ") {
                break url.split_once("://").map_or(url, |(_, address)| address).to_owned();
            }
            greeting += &line;
        };
        Served { child, said, greeting, address }
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut bytes = Vec::new();
        if self.address.starts_with("unix:") {
            let path = self.address.trim_start_matches("unix:");
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut bytes).unwrap();
        } else {
            let mut stream = TcpStream::connect(&self.address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut bytes).unwrap();
        }
        Reply::parse(&bytes)
    }

    pub fn get(&self, path: &str, token: &str) -> Reply {
        self.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))], "")
    }

    pub fn post(&self, token: &str, body: &Value) -> Reply {
        let authorization = format!("Bearer {token}");
        let headers =
            [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        self.ask("POST", "/v1/query", &headers, &body.to_string())
    }

    /// Asks it to stop, as systemd would, and returns how it ended.
    pub fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the body has the end that it should have.
    pub whole: bool,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let rest = &bytes[end + 4..];
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let (body, whole) = if chunked { dechunked(rest) } else { (rest.to_vec(), true) };
        Reply { status, head, body, whole }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{} {}", self.head, String::from_utf8_lossy(&self.body));
        self
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// The bytes of a chunked body (RFC 9112, section 7.1), and whether its last chunk is there.
fn dechunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(rest);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

pub fn token(here: &Folder, args: &[&str]) -> String {
    let ran = here.run(&[&["token", "add", "--state", "state", "--format", "json"], args].concat());
    let made: Value = serde_json::from_str(&ran.done().stdout).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

pub fn url(sql: &str) -> String {
    let encoded: String = sql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/v1/query?sql={encoded}")
}
