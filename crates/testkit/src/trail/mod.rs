//! Trails that never happened: as large as wanted, the same for the same seed, each object
//! made on its own.
//!
//! What a trail looks like follows real ones: calls and their frequencies, identities of every
//! type, file names, how late events come, how an event is delivered twice. No address, account or
//! name belongs to anybody.

mod calls;
mod cast;
mod event;
mod files;
mod template;

use chrono::{Months, NaiveDate};

pub use event::Event;
pub(crate) use files::key;
pub use files::{Written, gzip};
pub(crate) use template::{push_letters, push_uuid};

use crate::random::Random;
use calls::{CALLS, Call, REGIONAL};
use template::{Scene, fill};

const REGIONS: [&str; 13] = [
    "us-east-1",
    "eu-west-1",
    "us-west-2",
    "eu-central-1",
    "us-east-2",
    "ap-southeast-2",
    "ap-northeast-1",
    "us-west-1",
    "ca-central-1",
    "sa-east-1",
    "eu-north-1",
    "ap-south-1",
    "eu-west-2",
];

/// Events in a burst.
const BURST: u32 = 6;

/// How many events an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// Always this many.
    Exactly(u32),
    /// This many in the median, from 1 to ten times as many, most objects being small.
    Median(u32),
}

/// What a trail is to be like. The default is a month of five accounts in 1,000 ordinary objects.
#[derive(Debug, Clone)]
pub struct TrailOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// Organization id in the keys (`o-…`), when there is one.
    pub organization: Option<String>,
    /// Number of member accounts.
    pub accounts: u32,
    /// Number of regions, at most 13; the first gets most of the objects.
    pub regions: u32,
    /// Day of the first delivery.
    pub first_day: NaiveDate,
    /// Number of days over which the objects are delivered, evenly.
    pub days: u32,
    /// Number of objects.
    pub objects: u64,
    /// Events in an object.
    pub filling: Filling,
    /// Share of data events among all calls, 0 to 1; by default what the calls' own weights give.
    pub data_share: Option<f64>,
    /// Share of calls that fail.
    pub error_share: f64,
    /// Share of records that are an earlier record of the account, delivered again.
    pub duplicate_share: f64,
    /// Share of events delivered 1 to 36 hours late: their day is not the key's.
    pub late_share: f64,
}

impl Default for TrailOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            organization: Some("o-trail00lake".to_owned()),
            accounts: 5,
            regions: 4,
            first_day: NaiveDate::from_ymd_opt(2024, 3, 1).unwrap_or_default(),
            days: 31,
            objects: 1000,
            filling: Filling::Median(1500),
            data_share: None,
            error_share: 0.03,
            duplicate_share: 0.005,
            late_share: 0.005,
        }
    }
}

/// A trail; its objects are numbered from 0 in the order of their delivery.
#[derive(Debug, Clone)]
pub struct Trail {
    options: TrailOptions,
    accounts: Vec<String>,
    random: Random,
    /// Calls as often as their weights say; objects and management apart.
    data_calls: Vec<&'static Call>,
    management_calls: Vec<&'static Call>,
    data_share: f64,
    retold: bool,
}

/// One log file of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogObject {
    /// Its key, from `AWSLogs/` on.
    pub key: String,
    /// Its inflated bytes, `{"Records":[…]}`.
    pub body: String,
    /// Number of records in it.
    pub records: u32,
}

/// What is true of a whole trail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Records in all objects.
    pub records: u64,
    /// Different events among them.
    pub events: u64,
    /// Records that tell an event again, byte for byte.
    pub duplicates: u64,
}

impl Trail {
    /// Returns the trail that `options` describe.
    pub fn new(options: TrailOptions) -> Self {
        let accounts = (0..u64::from(options.accounts.max(1)))
            .map(|number| cast::account(options.seed, number))
            .collect();
        let wheel = |data| {
            let of_kind = CALLS.iter().filter(move |call| call.data == data);
            of_kind.flat_map(|call| vec![call; call.weight as usize]).collect::<Vec<_>>()
        };
        let (data_calls, management_calls) = (wheel(true), wheel(false));
        let all = data_calls.len() + management_calls.len();
        let data_share = options.data_share.unwrap_or(data_calls.len() as f64 / all as f64);
        let random = Random::new(options.seed);
        let retold = false;
        Self { options, accounts, random, data_calls, management_calls, data_share, retold }
    }

    /// Returns another trail of the same accounts: objects of its own, cut elsewhere, in which
    /// every record is an event of this trail, byte for byte. (Events must not stand alone in their
    /// objects, else the objects are the same too.)
    pub fn retold(&self) -> Self {
        Self { retold: true, ..self.clone() }
    }

    /// Returns the number of objects.
    pub fn objects(&self) -> u64 {
        self.options.objects
    }

    /// Returns the truth about this trail (of [`retold`](Self::retold) ones: as told the first
    /// time). Takes a fraction of the time of making the objects.
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for object in 0..self.options.objects {
            for record in 0..self.records_in(object) {
                truth.records += 1;
                truth.duplicates += u64::from(self.repeats(object, record).is_some());
            }
        }
        truth.events = truth.records - truth.duplicates;
        truth
    }

    /// Returns object `number`, which must be below [`objects`](Self::objects).
    pub fn object(&self, number: u64) -> LogObject {
        let records = self.records_in(number);
        let mut body = String::with_capacity(64 + 1400 * records as usize);
        body.push_str(r#"{"Records":["#);
        let mut event = Event::default();
        for (object, record) in self.told_in(number) {
            if body.len() > 16 {
                body.push(',');
            }
            let (object, record) = self.repeats(object, record).unwrap_or((object, record));
            self.stage(object, record, &mut event);
            event.write(&mut body);
        }
        body.push_str("]}");
        LogObject { key: self.key(number), body, records }
    }

    /// Returns the key of object `number` (cloudtrail-reference: log file name format).
    fn key(&self, number: u64) -> String {
        let organization = self.options.organization.as_ref();
        let organization = organization.map_or(String::new(), |id| format!("{id}/"));
        let (account, region) = (self.account(number), self.region(number));
        let mut unique = String::new();
        let part = self.random.part(number).part(if self.retold { 2 } else { 1 });
        push_letters(&mut unique, 16, &mut part.clone());
        files::key(&organization, account, region, self.delivered_at(number), &unique)
    }

    /// The records of an object by the object and place in which they were first made.
    fn told_in(&self, number: u64) -> impl Iterator<Item = (u64, u32)> {
        let next = match number + self.accounts.len() as u64 {
            next if next < self.options.objects => next,
            _ => number % self.accounts.len() as u64,
        };
        let (records, of_next) = (self.records_in(number), self.records_in(next));
        let (own, others) =
            if self.retold { (records / 2..records, 0..of_next / 2) } else { (0..records, 0..0) };
        own.map(move |record| (number, record)).chain(others.map(move |record| (next, record)))
    }

    fn records_in(&self, object: u64) -> u32 {
        match self.options.filling {
            Filling::Exactly(count) => count,
            Filling::Median(median) => {
                // 2^(-3.3..3.3) times the median, the ends rarely.
                let mut draw = self.random.part(object);
                let spread = draw.below(1000) as f64 + draw.below(1000) as f64;
                let factor = ((spread - 1000.0) / 300.0).exp2();
                ((f64::from(median) * factor).round() as u32).max(1)
            }
        }
    }

    fn account(&self, object: u64) -> &str {
        &self.accounts[(object % self.accounts.len() as u64) as usize]
    }

    fn region(&self, object: u64) -> &'static str {
        let mut draw = self.random.part(object).part(3);
        let count = u64::from(self.options.regions.clamp(1, REGIONS.len() as u32));
        let limit = 1 + draw.below(count);
        REGIONS[draw.below(limit) as usize]
    }

    fn delivered_at(&self, object: u64) -> i64 {
        let first = self.options.first_day.and_hms_opt(0, 15, 0).unwrap_or_default();
        let span = i64::from(self.options.days.max(1)) * 86_400 - 1800;
        let into = i128::from(span) * i128::from(object) / i128::from(self.options.objects.max(1));
        first.and_utc().timestamp() + into as i64
    }

    /// Where the event of this record was told before, if it was.
    fn repeats(&self, object: u64, record: u32) -> Option<(u64, u32)> {
        let mut draw = self.of_record(object, record).part(1);
        let accounts = self.accounts.len() as u64;
        let (rounds, again) = (object / accounts, draw.chance(self.options.duplicate_share));
        if record == 0 || rounds == 0 || !again {
            return None; // the first record of an object is always new, see below
        }
        let earlier = object - accounts * (1 + draw.below(rounds.min(8)));
        let place = draw.below(u64::from(self.records_in(earlier))) as u32;
        match self.repeats(earlier, place) {
            None => Some((earlier, place)),
            Some(_) => Some((earlier, 0)),
        }
    }

    fn of_record(&self, object: u64, record: u32) -> Random {
        self.random.part(object).part(16 + u64::from(record))
    }

    /// Makes the event that is first told at this place. Events come in bursts, as programs make
    /// them: a few calls, again and again, by one caller on the same things within seconds.
    fn stage(&self, object: u64, record: u32, event: &mut Event) {
        let random = &mut self.of_record(object, record).part(2);
        let burst = self.random.part(object).part(5).part(u64::from(record / BURST));
        let (account, region) = (self.account(object), self.region(object));
        let call = self.call(region, &mut burst.part(random.below(3)));
        let late = burst.clone().chance(self.options.late_share);
        let ago =
            if late { 3600 + burst.part(7).below(126_000) } else { 20 + burst.part(7).below(560) };
        let partner = self.account(burst.part(8).next());
        let time = self.delivered_at(object) - ago as i64 + random.below(15) as i64;
        let own = Random::new(random.next());
        let scene = Scene { account, partner, region, time, things: burst.part(9), own };
        stage(call, event, &scene, self.options.error_share, random);
    }

    fn call(&self, region: &str, random: &mut Random) -> &'static Call {
        let data = random.chance(self.data_share) && !self.data_calls.is_empty();
        let call = random.pick(if data { &self.data_calls } else { &self.management_calls });
        if call.global && region != "us-east-1" { &REGIONAL } else { call }
    }
}

/// Events one at a time, for stories that need a crowd around them.
#[derive(Debug)]
pub(crate) struct Extras {
    calls: Vec<&'static Call>,
}

impl Extras {
    /// Returns the crowd.
    pub(crate) fn new() -> Self {
        Self { calls: CALLS.iter().flat_map(|call| vec![call; call.weight as usize]).collect() }
    }

    /// Returns an ordinary event of `account`; `partner` is an account it may deal with.
    pub(crate) fn event(
        &self,
        account: &str,
        partner: &str,
        region: &str,
        time: i64,
        random: &mut Random,
    ) -> Event {
        let call = random.pick(&self.calls);
        let call = if call.global && region != REGIONS[0] { &REGIONAL } else { call };
        let (things, own) = (random.part(1), random.part(2));
        let scene = Scene { account, partner, region, time, things, own };
        let mut event = Event::default();
        stage(call, &mut event, &scene, 0.02, random);
        event
    }
}

/// Fills in `event` from `call`, with whoever makes it, sometimes failing.
fn stage(call: &Call, event: &mut Event, scene: &Scene<'_>, error_share: f64, random: &mut Random) {
    reset(event);
    event.version = random.weighted(&[(2, "1.08"), (6, "1.09"), (4, "1.10"), (8, "1.11")]);
    event.time = scene.time;
    (event.source, event.name, event.kind) = (call.source, call.name, call.kind);
    (event.read_only, event.management) = (call.read_only, !call.data);
    event.api_version = call.api_version;
    event.region.push_str(scene.region);
    event.account.push_str(scene.account);
    cast::play(call.caller, event, scene, random);
    fill(&mut event.request, call.request, scene, random);
    fill(&mut event.additional, call.additional, scene, random);
    fill(&mut event.resources, call.resources, scene, random);
    fill(&mut event.service_details, call.service_details, scene, random);
    push_uuid(&mut event.id, random);
    if call.kind == "AwsApiCall" {
        let request = if call.source == "s3" { "<letters>" } else { "<uuid>" };
        fill(&mut event.request_id, request, scene, random);
    }
    if random.chance(error_share) && call.kind != "AwsServiceEvent" {
        fail(call, event, random);
    } else {
        fill(&mut event.response, call.response, scene, random);
    }
    if random.chance(0.6) && call.kind == "AwsApiCall" {
        event.host.push_str(call.source);
        event.host.push('.');
        event.host.push_str(scene.region);
        event.host.push_str(".amazonaws.com");
    }
}

fn fail(call: &Call, event: &mut Event, random: &mut Random) {
    let (code, message) = call.error;
    if call.kind == "AwsConsoleSignIn" {
        event.response.push_str(r#"{"ConsoleLogin":"Failure"}"#);
    }
    let throttled = random.chance(0.2) && !code.is_empty();
    event.error = Some(match throttled {
        true => ("ThrottlingException".to_owned(), "Rate exceeded".to_owned()),
        false => (code.to_owned(), message.to_owned()),
    });
}

/// Empties an event and keeps its buffers.
fn reset(event: &mut Event) {
    for field in [
        &mut event.identity,
        &mut event.region,
        &mut event.address,
        &mut event.agent,
        &mut event.request,
        &mut event.response,
        &mut event.additional,
        &mut event.request_id,
        &mut event.id,
        &mut event.resources,
        &mut event.account,
        &mut event.shared_id,
        &mut event.endpoint,
        &mut event.service_details,
        &mut event.host,
    ] {
        field.clear();
    }
    event.error = None;
    event.from_console = false;
}

/// Returns the number of days in `months` whole months from `first_day` on, for
/// [`TrailOptions::days`].
pub fn days_of_months(first_day: NaiveDate, months: u32) -> u32 {
    let end = first_day.checked_add_months(Months::new(months)).unwrap_or(first_day);
    (end - first_day).num_days().max(1) as u32
}
