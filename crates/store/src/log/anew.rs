//! What is read of a log while others shorten it. The checkpoint that replay begins with may be removed
//! in favour of others (docs/format.md, "Clean-up of a log"): then what was read is read again, and
//! replay begins with another.

use std::error::Error;
use std::iter::successors;

use deltalake_core::DeltaTableError;

/// How often a log is read that is shortened again and again meanwhile.
const ATTEMPTS_MAX: usize = 5;

/// Returns what `read` does, which is begun again where a file of the log was gone.
///
/// # Errors
/// Those of `read`.
pub(super) async fn again<T, E, F>(mut read: impl FnMut() -> F) -> Result<T, E>
where
    E: Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match read().await {
            Err(error) if is_gone(&error) => {
                tracing::debug!(%error, "the log was shortened meanwhile: it is read again");
            }
            done => return done,
        }
    }
    read().await
}

fn is_gone(error: &(dyn Error + 'static)) -> bool {
    let mut links = successors(Some(error), |&error| error.source());
    links.any(|link| {
        let told = match link.downcast_ref::<DeltaTableError>() {
            Some(DeltaTableError::KernelError(error)) => Some(error),
            _ => link.downcast_ref::<delta_kernel::Error>(),
        };
        let of_storage = link.downcast_ref::<object_store::Error>();
        matches!(of_storage, Some(object_store::Error::NotFound { .. }))
            || matches!(told, Some(delta_kernel::Error::FileNotFound(_)))
    })
}
