//! Objects that somebody names: each counts, also where it cannot be had.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Bucket, Contents, Found, LogSource, SourceObject};

/// Named objects of a bucket. No folder is listed for them, so that a fault inside the bucket is
/// one of the objects.
pub(crate) struct Named {
    objects: Arc<dyn LogSource>,
    uri: String,
}

impl Named {
    /// Returns the objects that `objects` lists and reads from `bucket`.
    pub(crate) fn new(bucket: &Bucket, objects: Arc<dyn LogSource>) -> Named {
        Named { objects, uri: format!("s3://{}/", bucket.name) }
    }
}

impl LogSource for Named {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        self.objects.list(&mut |next| {
            found(match next {
                Found::Fault { object, kind, reason } if object.starts_with(&self.uri) => {
                    Found::Failed { object, kind, reason }
                }
                other => other,
            })
        });
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        self.objects.hand_over(objects, take);
    }

    fn sequential(&self) -> Option<&str> {
        self.objects.sequential()
    }

    fn is_newest_first(&self) -> bool {
        self.objects.is_newest_first()
    }
}
