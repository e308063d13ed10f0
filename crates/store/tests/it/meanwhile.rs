//! A store in which something happens before one of its calls: what somebody else does meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::world::Disk;

type Action = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

pub struct Meanwhile {
    calls: Mutex<Vec<String>>,
    action: Mutex<Option<(usize, Action)>>,
}

impl Meanwhile {
    /// Nothing happens; calls are counted.
    pub fn nothing() -> Arc<Meanwhile> {
        Arc::new(Meanwhile { calls: Mutex::default(), action: Mutex::default() })
    }

    /// `action` happens before the call of that number, from 0 on.
    pub fn before<F>(call: usize, action: impl FnOnce() -> F + Send + 'static) -> Arc<Meanwhile>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let action: Action = Box::new(move || action().boxed());
        Arc::new(Meanwhile { calls: Mutex::default(), action: Mutex::new(Some((call, action))) })
    }

    /// `disk` through this.
    pub fn on(self: &Arc<Meanwhile>, disk: &Disk) -> Disk {
        let meanwhile = self.clone();
        disk.wrapped(Arc::new(move |inner| {
            Arc::new(Interrupted { meanwhile: meanwhile.clone(), inner })
        }))
    }

    /// The calls so far, as `verb path`.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// Whether it has happened.
    pub fn happened(&self) -> bool {
        self.action.lock().unwrap().is_none()
    }

    async fn call(&self, verb: &str, path: &Path) {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(format!("{verb} {path}"));
            calls.len() - 1
        };
        let action = self.action.lock().unwrap().take_if(|(at, _)| *at == number);
        if let Some((_, action)) = action {
            action().await;
        }
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meanwhile")
    }
}

#[derive(Debug)]
struct Interrupted {
    meanwhile: Arc<Meanwhile>,
    inner: Arc<dyn ObjectStore>,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Interrupted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.meanwhile.call("put", location).await;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.meanwhile.call("upload", location).await;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.meanwhile.call("get", location).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (meanwhile, inner) = (self.meanwhile.clone(), self.inner.clone());
        let delete = move |location: Result<Path>| {
            let (meanwhile, inner) = (meanwhile.clone(), inner.clone());
            async move {
                let location = location?;
                meanwhile.call("delete", &location).await;
                inner.delete(&location).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (meanwhile, inner) = (self.meanwhile.clone(), self.inner.clone());
        let prefix = prefix.cloned();
        let listed = async move {
            meanwhile.call("list", &prefix.clone().unwrap_or_default()).await;
            let listed: Vec<Result<ObjectMeta>> = inner.list(prefix.as_ref()).collect().await;
            stream::iter(listed)
        };
        listed.flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.meanwhile.call("list", &prefix.cloned().unwrap_or_default()).await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.meanwhile.call("copy", to).await;
        self.inner.copy_opts(from, to, options).await
    }
}
