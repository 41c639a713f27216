//! Letting a write pass, and making wrong what it makes wrong, whatever becomes of it.

use std::sync::Arc;

use exec_core::{Context, Next, Request, Response, Result};

use super::Cache;
use super::core::Core;
use super::marks::Target;
use super::tasks::Tasks;

/// So many tasks may tell a shared store at once what is wrong.
const TELLING: usize = 1024;

impl Cache {
    /// A write that fails may have done its work, and so may one that is dropped: only one that provably never left
    /// changes nothing. A streamed answer has done its work when it ends.
    pub(super) async fn write(
        &self,
        targets: Vec<Target>,
        request: Request,
        context: &Context,
        next: Next<'_>,
    ) -> Result<Response> {
        let mut wrong = Wrong {
            core: self.core.clone(),
            tasks: self.tasks.clone(),
            targets,
            context: context.detached(),
        };
        match next.run(request, context).await {
            Ok(response) => Ok(response.on_end(move |_| drop(wrong))),
            Err(error) => {
                if error.is_unsent() {
                    wrong.targets.clear();
                }
                Err(error)
            }
        }
    }
}

/// Makes its targets wrong when it is dropped.
struct Wrong {
    core: Arc<Core>,
    tasks: Arc<Tasks>,
    targets: Vec<Target>,
    context: Context,
}

impl Drop for Wrong {
    fn drop(&mut self) {
        for target in self.targets.drain(..) {
            self.core.marks.mark(target.clone());
            if !self.core.store.is_shared() {
                continue;
            }
            let (core, context) = (self.core.clone(), self.context.clone());
            let tell = async move {
                core.ask(&context, core.store.invalidate(&target)).await;
            };
            if !self.tasks.run(TELLING, || Some(tell)) {
                self.core.store_failed(&self.context, exec_core::ErrorKind::Overloaded);
            }
        }
    }
}
