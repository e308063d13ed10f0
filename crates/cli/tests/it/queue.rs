//! A queue of SQS that a test starts, in which it puts messages and sees what becomes of them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

/// A queue. What was received is hidden, until it is removed or the test shows it again.
pub struct Queue {
    pub url: String,
    messages: Arc<Mutex<Messages>>,
}

#[derive(Default)]
struct Messages {
    sent: usize,
    removed: usize,
    /// By id, which is the receipt too.
    waiting: BTreeMap<String, String>,
    hidden: BTreeMap<String, String>,
}

impl Queue {
    pub fn start() -> Queue {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let messages = Arc::new(Mutex::new(Messages::default()));
        let shared = messages.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        Queue { url, messages }
    }

    /// Puts a message into it that tells of an object, as S3 does.
    pub fn tell_of(&self, bucket: &str, key: &str) {
        let s3 = json!({"bucket": {"name": bucket}, "object": {"key": key}});
        let record = json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3});
        let mut messages = self.messages();
        messages.sent += 1;
        let id = format!("message-{}", messages.sent);
        messages.waiting.insert(id, json!({ "Records": [record] }).to_string());
    }

    /// Shows what is hidden again, as SQS does after a while.
    pub fn show(&self) {
        let mut messages = self.messages();
        let hidden = std::mem::take(&mut messages.hidden);
        messages.waiting.extend(hidden);
    }

    /// Messages that were received and are there still.
    pub fn hidden(&self) -> usize {
        self.messages().hidden.len()
    }

    /// Messages that were removed.
    pub fn removed(&self) -> usize {
        self.messages().removed
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap()
    }
}

/// Answers the requests of a connection in SQS's JSON protocol.
fn answer(stream: TcpStream, messages: &Mutex<Messages>) -> Option<()> {
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut target, mut length, mut line) = (String::new(), 0_usize, String::new());
        while requests.read_line(&mut line).ok()? > 2 {
            let (name, value) = line.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => target = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
            line.clear();
        }
        let mut asked = vec![0; length];
        requests.read_exact(&mut asked).ok()?;
        let asked: Value = serde_json::from_slice(&asked).ok()?;
        let body = match target.as_str() {
            "AmazonSQS.ReceiveMessage" => receive(messages),
            "AmazonSQS.DeleteMessageBatch" => remove(messages, &asked),
            "AmazonSQS.GetQueueAttributes" => {
                let messages = messages.lock().unwrap();
                let count = |of: &BTreeMap<String, String>| of.len().to_string();
                json!({"Attributes": {
                    "ApproximateNumberOfMessages": count(&messages.waiting),
                    "ApproximateNumberOfMessagesNotVisible": count(&messages.hidden),
                }})
            }
            _ => json!({}),
        };
        let body = body.to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    }
}

/// One message at a time; a moment later none, where there is none.
fn receive(messages: &Mutex<Messages>) -> Value {
    let mut messages = messages.lock().unwrap();
    let Some((id, body)) = messages.waiting.pop_first() else {
        drop(messages);
        std::thread::sleep(Duration::from_millis(50));
        return json!({});
    };
    messages.hidden.insert(id.clone(), body.clone());
    json!({"Messages": [{"MessageId": &id, "ReceiptHandle": &id, "Body": body}]})
}

fn remove(messages: &Mutex<Messages>, asked: &Value) -> Value {
    let mut messages = messages.lock().unwrap();
    let mut removed = Vec::new();
    for entry in asked["Entries"].as_array().unwrap() {
        let receipt = entry["ReceiptHandle"].as_str().unwrap();
        messages.removed += usize::from(messages.hidden.remove(receipt).is_some());
        removed.push(json!({"Id": entry["Id"]}));
    }
    json!({"Successful": removed, "Failed": []})
}
