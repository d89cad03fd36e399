//! The thread of a session. It runs one operation after the other and settles their promises.

use crate::failure::{Cause, Outcome, outcome};
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Error, JsDeferred, Result};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// What settles a promise, on the thread of JavaScript.
type Settle<T> = Box<dyn FnOnce(Env) -> Result<Outcome<T>> + Send>;

/// The way to the thread, which starts with the first promise and ends when the last way to it is dropped and its work
/// is done.
#[derive(Clone, Default)]
pub(crate) struct Worker {
    jobs: Arc<Mutex<Option<Sender<Job>>>>,
}

impl Worker {
    fn send(&self, job: Job) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = match &mut *jobs {
            Some(jobs) => jobs,
            none => none.insert(start()?),
        };
        jobs.send(job).map_err(|_| Error::from_reason("the session's thread is gone"))
    }

    /// A promise of what `operation` comes to.
    pub(crate) fn promise<'env, T>(
        &self,
        env: &'env Env,
        operation: impl FnOnce() -> std::result::Result<T, Cause> + Send + 'static,
    ) -> Result<Object<'env>>
    where
        T: ToNapiValue + Send + 'static,
    {
        let (deferred, promise): (JsDeferred<Outcome<T>, Settle<T>>, _) = env.create_deferred()?;
        let job = move || {
            let outcome = outcome(operation);
            deferred.resolve(Box::new(move |_| Ok(outcome)));
        };
        self.send(Box::new(job))?;
        Ok(promise)
    }
}

/// Not a thread of the engine: it only stands in for the caller, who may not wait.
fn start() -> Result<Sender<Job>> {
    let (jobs, queue) = channel::<Job>();
    thread::Builder::new()
        .name("rustdb-session".to_owned())
        .spawn(move || queue.into_iter().for_each(|job| job()))
        .map_err(|e| Error::from_reason(format!("no thread for the session: {e}")))?;
    Ok(jobs)
}
