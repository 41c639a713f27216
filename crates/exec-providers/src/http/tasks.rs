//! The owner of the tasks that drive one connection.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Runs tasks that end when their work ends or when the owner is dropped, whichever is first.
#[derive(Debug, Default)]
pub(super) struct Tasks(CancellationToken);

impl Tasks {
    /// A handle that spawns for this owner and does not keep the tasks alive.
    pub(super) fn spawner(&self) -> Spawner {
        Spawner(self.0.clone())
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawner().spawn(work);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The executor that hyper gets.
#[derive(Clone, Debug)]
pub(super) struct Spawner(CancellationToken);

impl Spawner {
    #[expect(
        clippy::disallowed_methods,
        reason = "the token of the owner ends the task when the owner is dropped"
    )]
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(work));
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, work: F) {
        self.spawn(work);
    }
}
