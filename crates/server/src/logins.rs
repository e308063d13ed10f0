//! Who was let in, who was refused? Noted as it happens, and read as `system.logins`.
//!
//! A client carries its credentials with every request, so a login is a credential used from an
//! address: one row an hour for each, and one for each way in which requests were refused.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use traillake_query::SystemTable;

use crate::state::{Login, LoginRecord, State};

/// Rows that the table can hold. It is never a shorter one: beyond them it says so.
const LOGINS_MAX: usize = 1_000_000;
/// Refusals that are told apart in an hour of those that name a credential that exists, and of the
/// others: who is refused chooses what there is to tell.
const REFUSALS_MAX: usize = 50;

/// Notes logins.
pub(crate) struct Logins {
    state: State,
    noted: Mutex<Noted>,
}

/// What was noted already.
#[derive(Default)]
struct Noted {
    minute: i64,
    /// Credentials and addresses of this minute.
    accepted: HashSet<(String, String)>,
    hour: i64,
    /// Refusals of this hour that name a credential that exists: noise of strangers hides none.
    known: HashSet<Refusal>,
    /// All others of this hour.
    strangers: HashSet<Refusal>,
}

/// A credential, an address and a reason.
type Refusal = (String, String, String);

impl Logins {
    pub(crate) fn new(state: &State) -> Logins {
        Logins { state: state.clone(), noted: Mutex::default() }
    }

    /// Notes that a credential was accepted, once a minute.
    pub(crate) async fn accepted(
        &self,
        user: &str,
        credential: &str,
        address: &str,
        now: DateTime<Utc>,
    ) {
        let key = (credential.to_owned(), address.to_owned());
        if self.noted().is_new_login(key, now) {
            let (user, credential) = (user.to_owned(), credential.to_owned());
            let (address, reason) = (address.to_owned(), String::new());
            self.note(Login { accepted: true, user, credential, address, reason }, now).await;
        }
    }

    /// Notes that a request was refused. `whose` is the user and the id of the credential that it
    /// named, where that is known here.
    pub(crate) async fn refused(
        &self,
        whose: Option<(String, String)>,
        address: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) {
        let (user, credential) = whose.unwrap_or_default();
        let (address, reason) = (address.to_owned(), reason.to_owned());
        let mut login = Login { accepted: false, user, credential, address, reason };
        let told_apart = self.noted().can_be_told_apart(&login, now);
        if !told_apart {
            // Whose credential it is stays: its owner sees that somebody tries.
            login.address = String::new();
            login.reason = "further refusals, too many to be told apart".to_owned();
        }
        self.note(login, now).await;
    }

    /// That it cannot be noted, as on a full disk, locks nobody out.
    async fn note(&self, login: Login, now: DateTime<Utc>) {
        if let Err(error) = self.state.note_login(login, now).await {
            tracing::warn!("a login is not noted: {error}");
        }
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn is_new_login(&mut self, key: (String, String), now: DateTime<Utc>) -> bool {
        let minute = now.timestamp() / 60;
        if self.minute != minute {
            self.minute = minute;
            self.accepted.clear();
        }
        self.accepted.insert(key)
    }

    fn can_be_told_apart(&mut self, login: &Login, now: DateTime<Utc>) -> bool {
        let hour = now.timestamp() / 3600;
        if self.hour != hour {
            self.hour = hour;
            self.known.clear();
            self.strangers.clear();
        }
        let key = (login.credential.clone(), login.address.clone(), login.reason.clone());
        let refused = match login.credential.is_empty() {
            true => &mut self.strangers,
            false => &mut self.known,
        };
        refused.contains(&key) || refused.len() < REFUSALS_MAX && refused.insert(key)
    }
}

/// `system.logins`.
pub(crate) struct LoginTable {
    state: State,
    /// Whose logins; none: everybody's.
    whose: Option<String>,
}

impl LoginTable {
    pub(crate) fn of(state: &State, whose: Option<String>) -> LoginTable {
        LoginTable { state: state.clone(), whose }
    }
}

impl std::fmt::Debug for LoginTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginTable").finish_non_exhaustive()
    }
}

#[async_trait]
impl SystemTable for LoginTable {
    fn name(&self) -> &'static str {
        "logins"
    }

    fn schema(&self) -> SchemaRef {
        let text = |name| Field::new(name, DataType::Utf8View, true);
        let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
        Arc::new(Schema::new(vec![
            time("first_at"),
            time("last_at"),
            Field::new("accepted", DataType::Boolean, true),
            text("user"),
            text("credential_id"),
            text("address"),
            text("reason"),
            Field::new("requests", DataType::Int64, true),
        ]))
    }

    async fn rows(&self) -> Result<RecordBatch, String> {
        let found = self.state.logins(self.whose.clone(), LOGINS_MAX + 1).await;
        let found = found.map_err(|error| error.to_string())?;
        if found.len() > LOGINS_MAX {
            return Err(format!("`system.logins` has more than {LOGINS_MAX} rows"));
        }
        RecordBatch::try_new(self.schema(), columns(&found)).map_err(|error| error.to_string())
    }
}

fn columns(found: &[LoginRecord]) -> Vec<ArrayRef> {
    let text = |of: fn(&Login) -> &String| -> ArrayRef {
        let texts = found.iter().map(|record| of(&record.login));
        Arc::new(texts.map(|text| (!text.is_empty()).then_some(text)).collect::<StringViewArray>())
    };
    let time = |of: fn(&LoginRecord) -> DateTime<Utc>| -> ArrayRef {
        let micros = found.iter().map(|record| of(record).timestamp_micros());
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros))
    };
    let accepted = found.iter().map(|record| Some(record.login.accepted));
    // Requests that are let in are noted once a minute, not counted.
    let requests = found
        .iter()
        .map(|record| i64::try_from(record.requests).ok().filter(|_| !record.login.accepted));
    vec![
        time(|record| record.first_at),
        time(|record| record.last_at),
        Arc::new(accepted.collect::<BooleanArray>()),
        text(|login| &login.user),
        text(|login| &login.credential),
        text(|login| &login.address),
        text(|login| &login.reason),
        Arc::new(requests.collect::<Int64Array>()),
    ]
}
