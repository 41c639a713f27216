//! Pipes on the threads of somebody else's runtime.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, RemoteHandle};

/// Runs futures to their end. A runtime's spawn function is one line of code.
pub trait Spawner: Send + Sync {
    /// Runs this future from now on. It ends soon after the run it belongs to is dropped; a spawner that is shut down
    /// may drop it before.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Starts work there; dropping the handle stops it. A spawner that drops the work makes the handle panic, which the
/// caller has to contain.
pub(crate) fn start<T: Send + 'static>(
    spawner: &dyn Spawner,
    work: impl Future<Output = T> + Send + 'static,
) -> RemoteHandle<T> {
    let (task, handle) = work.remote_handle();
    spawner.spawn(task.boxed());
    handle
}
