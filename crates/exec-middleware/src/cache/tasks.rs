//! The work a cache does for nobody in particular, owned by its handles: it ends when the last of them is gone.

use std::fmt;
use std::sync::Mutex;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::sync::lock;

#[derive(Default)]
pub(super) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// Runs what `work` makes, unless so much is being done already, there is no runtime, or it makes nothing. Says whether
    /// it runs.
    pub(super) fn run<W>(&self, most: usize, work: impl FnOnce() -> Option<W>) -> bool
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else { return false };
        let mut tasks = lock(&self.0);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= most {
            return false;
        }
        let Some(work) = work() else { return false };
        tasks.spawn_on(work, &runtime);
        true
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({})", lock(&self.0).len())
    }
}
