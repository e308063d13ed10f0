//! Texts with gaps, `<bucket>`, and what is put in them.

use super::event::{push_date, push_time};
use crate::random::Random;

/// Where and when an event happens, and which things it is about: a name asked for twice within
/// one event is the same thing both times.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub account: &'a str,
    /// Another account that deals with this one.
    pub partner: &'a str,
    pub region: &'a str,
    pub time: i64,
    /// What decides the things it is about; the same for events of one burst.
    pub things: Random,
    /// What decides the one thing that is its own: the key of an object.
    pub own: Random,
}

const WORDS: [&str; 24] = [
    "orders",
    "billing",
    "ledger",
    "search",
    "images",
    "media",
    "exports",
    "reports",
    "metrics",
    "frontend",
    "checkout",
    "payments",
    "inventory",
    "shipping",
    "catalog",
    "events",
    "archive",
    "backup",
    "analytics",
    "mobile",
    "partners",
    "identity",
    "audit",
    "sandbox",
];

const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `template` with its gaps filled. The names of gaps are the arms of [`Scene::put`].
pub(crate) fn fill(out: &mut String, template: &str, scene: &Scene<'_>, random: &mut Random) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        let (gap, after) = after.split_once('>').unwrap_or((after, ""));
        out.push_str(before);
        scene.put(out, gap, random);
        rest = after;
    }
    out.push_str(rest);
}

impl Scene<'_> {
    fn put(&self, out: &mut String, gap: &str, random: &mut Random) {
        match gap {
            "account" => out.push_str(self.account),
            "partner" => out.push_str(self.partner),
            "region" => out.push_str(self.region),
            "bucket" => self.numbered(out, &[self.word(1), self.tail()], self.thing(2, 6)),
            "role" => out.push_str(&self.role_name(&mut self.things.part(3))),
            "user" => out.push_str(PEOPLE[self.thing(4, PEOPLE.len() as u64) as usize]),
            "function" => self.numbered(out, &[self.word(5), "handler"], self.thing(6, 4)),
            "table" => self.numbered(out, &[self.word(7)], self.thing(8, 3)),
            "secret" => out.push_str(&format!("prod/{}/db", self.word(9))),
            "instance" => self.hexed(out, "i-", 10, 400),
            "vpc" => self.hexed(out, "vpc-", 11, 3),
            "group" => self.hexed(out, "sg-", 12, 30),
            "kmskey" => push_uuid(out, &mut self.place(13_000 + self.thing(13, 12))),
            "key" => self.object_key(out),
            "uuid" => push_uuid(out, random),
            "hex" => push_hex(out, random.next(), 16),
            "letters" => push_some(out, LETTERS, 16, random),
            "base64" => push_some(out, BASE64, 64, random),
            "number" => out.push_str(&random.below(100).to_string()),
            "bytes" => {
                let limit = 1 << (4 + random.below(16));
                out.push_str(&random.below(limit).to_string());
            }
            "time" => push_time(out, self.time),
            "date" => push_date(out, self.time, "/"),
            other => debug_assert!(false, "no gap is called `{other}`"),
        }
    }

    /// Appends `words` and `number` with dashes between them.
    fn numbered(&self, out: &mut String, words: &[&str], number: u64) {
        for word in words {
            out.push_str(word);
            out.push('-');
        }
        out.push_str(&number.to_string());
    }

    /// Returns one of `count` things by a draw in favour of the small numbers: a few buckets get
    /// most of the calls.
    pub(crate) fn thing(&self, label: u64, count: u64) -> u64 {
        let mut draw = self.things.part(label);
        let limit = 1 + draw.below(count);
        draw.below(limit)
    }

    fn word(&self, label: u64) -> &'static str {
        WORDS[self.thing(label, WORDS.len() as u64) as usize]
    }

    /// Returns the name of a role, by a draw.
    pub(crate) fn role_name(&self, draw: &mut Random) -> String {
        let kind = draw.pick(&["service", "service", "deploy", "reader", "admin"]);
        format!("{}-{kind}", draw.pick(&WORDS))
    }

    /// The last digits of the account, which make names of accounts differ.
    fn tail(&self) -> &str {
        self.account.get(8..).unwrap_or_default()
    }

    /// Returns what is always the same about thing `number` of this account and region.
    pub(crate) fn place(&self, number: u64) -> Random {
        let place = self.account.bytes().chain(self.region.bytes());
        let place = place.fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        Random::new(place).part(number)
    }

    /// An identifier such as `i-0a1b…` of one of `count` things of this account and region.
    fn hexed(&self, out: &mut String, prefix: &str, label: u64, count: u64) {
        let mut of_thing = self.place(1000 * label + self.thing(label, count));
        out.push_str(prefix);
        out.push('0');
        push_hex(out, of_thing.next(), 16);
    }

    fn object_key(&self, out: &mut String) {
        let mut draw = self.own.clone();
        out.push_str(self.word(15));
        out.push('/');
        push_date(out, self.time - 86_400 * draw.below(30) as i64, "/");
        out.push_str(&format!("/part-{:05}-", draw.below(20_000)));
        push_hex(out, draw.next(), 8);
        out.push_str(draw.pick(&[".parquet", ".json.gz", ".csv", ".jpg"]));
    }
}

pub(crate) const PEOPLE: [&str; 16] = [
    "alice", "benoit", "carla", "dmitri", "elena", "farid", "grace", "hiro", "ines", "jonas",
    "kofi", "lena", "marco", "noor", "olga", "pedro",
];

/// Appends a UUID of version 4.
pub(crate) fn push_uuid(out: &mut String, random: &mut Random) {
    let (a, b) = (random.next(), random.next());
    push_hex(out, a >> 32, 8);
    out.push('-');
    push_hex(out, a >> 16, 4);
    out.push('-');
    push_hex(out, 0x4000 | a & 0x0FFF, 4);
    out.push('-');
    push_hex(out, 0x8000 | b >> 48 & 0x3FFF, 4);
    out.push('-');
    push_hex(out, b, 12);
}

/// Appends the lowest `digits` hexadecimal digits of `number`.
pub(crate) fn push_hex(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(char::from(b"0123456789abcdef"[(number >> (4 * place) & 15) as usize]));
    }
}

/// Appends `count` characters such as access keys and request identifiers are made of.
pub(crate) fn push_letters(out: &mut String, count: usize, random: &mut Random) {
    push_some(out, LETTERS, count, random);
}

fn push_some(out: &mut String, alphabet: &[u8], count: usize, random: &mut Random) {
    let mut bits = 0;
    for place in 0..count {
        if place % 8 == 0 {
            bits = random.next();
        }
        out.push(char::from(alphabet[(bits & 255) as usize * alphabet.len() / 256]));
        bits >>= 8;
    }
}
