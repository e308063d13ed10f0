//! A queue of SQS that a test starts, in which it puts messages and sees what becomes of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::double::{self, JSON, Request};

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
        let messages = Arc::new(Mutex::new(Messages::default()));
        let shared = messages.clone();
        let url = double::play(JSON, move |request| (200, answer(request, &shared).to_string()));
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

/// Answers a request in SQS's JSON protocol.
fn answer(request: &Request, messages: &Mutex<Messages>) -> Value {
    match request.header("x-amz-target") {
        "AmazonSQS.ReceiveMessage" => receive(messages),
        "AmazonSQS.DeleteMessageBatch" => {
            remove(messages, &serde_json::from_str(&request.body).unwrap())
        }
        "AmazonSQS.GetQueueAttributes" => {
            let messages = messages.lock().unwrap();
            let count = |of: &BTreeMap<String, String>| of.len().to_string();
            json!({"Attributes": {
                "ApproximateNumberOfMessages": count(&messages.waiting),
                "ApproximateNumberOfMessagesNotVisible": count(&messages.hidden),
            }})
        }
        _ => json!({}),
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
