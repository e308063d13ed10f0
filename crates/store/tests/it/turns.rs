//! A store whose callers take turns: one call at a time, whose is decided by a seed.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;
use traillake_testkit::random::Random;

#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    random: Random,
    /// Calls waiting, by caller; none once it has left.
    waiting: Vec<Option<usize>>,
    /// Whose turn it is.
    turn: Option<usize>,
    /// How often a name was taken when a caller put it first, by caller.
    lost: Vec<usize>,
}

impl Turns {
    pub fn new(seed: u64, callers: usize) -> Arc<Turns> {
        let random = Random::new(seed);
        let state =
            State { random, waiting: vec![Some(0); callers], turn: None, lost: vec![0; callers] };
        Arc::new(Turns { state: Mutex::new(state), changed: Notify::new() })
    }

    pub fn wrap(
        self: &Arc<Turns>,
        caller: usize,
        inner: Arc<dyn ObjectStore>,
    ) -> Arc<dyn ObjectStore> {
        Arc::new(InTurn { turns: self.clone(), caller, inner })
    }

    pub fn leave(&self, caller: usize) {
        let mut state = self.state.lock().unwrap();
        state.waiting[caller] = None;
        state.grant();
        drop(state);
        self.changed.notify_waiters();
    }

    /// How often somebody else was first where a caller put a name that must be new.
    pub fn lost(&self, caller: usize) -> usize {
        self.state.lock().unwrap().lost[caller]
    }

    async fn take(&self, caller: usize) {
        {
            let mut state = self.state.lock().unwrap();
            *state.waiting[caller].get_or_insert(0) += 1;
            state.grant();
        }
        self.changed.notify_waiters();
        let mut call = Waiting { turns: self, caller, granted: false };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap();
                if state.turn == Some(caller) {
                    state.turn = None;
                    *state.waiting[caller].get_or_insert(1) -= 1;
                    state.grant();
                    call.granted = true;
                    break;
                }
            }
            changed.await;
        }
        self.changed.notify_waiters();
    }
}

/// A call that waits. One that nobody polls any more gives its place back.
struct Waiting<'a> {
    turns: &'a Turns,
    caller: usize,
    granted: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.granted {
            return;
        }
        let mut state = self.turns.state.lock().unwrap();
        if let Some(waiting) = &mut state.waiting[self.caller] {
            *waiting -= 1;
        }
        if state.turn == Some(self.caller) && state.waiting[self.caller] == Some(0) {
            state.turn = None;
        }
        state.grant();
        drop(state);
        self.turns.changed.notify_waiters();
    }
}

impl State {
    /// Gives a turn once everybody who is still here waits for one.
    fn grant(&mut self) {
        let here: Vec<usize> =
            (0..self.waiting.len()).filter(|caller| self.waiting[*caller].is_some()).collect();
        let all_wait = here.iter().all(|caller| self.waiting[*caller] > Some(0));
        if self.turn.is_none() && all_wait && !here.is_empty() {
            self.turn = Some(self.random.pick(&here));
        }
    }
}

#[derive(Debug)]
struct InTurn {
    turns: Arc<Turns>,
    caller: usize,
    inner: Arc<dyn ObjectStore>,
}

impl fmt::Display for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in turn")
    }
}

#[async_trait::async_trait]
impl ObjectStore for InTurn {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.turns.take(self.caller).await;
        let put = self.inner.put_opts(location, payload, opts).await;
        if matches!(put, Err(Error::AlreadyExists { .. })) {
            self.turns.state.lock().unwrap().lost[self.caller] += 1;
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.turns.take(self.caller).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
