//! Threads that help queries, and the order in which they do.
//!
//! A [`Job`] is one thread's part of a pipeline. Idle threads take jobs from the front of one queue; a job that has
//! run for its turn goes to the back, so that a long query leaves room for others. A job that cannot go on gives
//! itself to whoever will put it back ([`Job::park`]).
//!
//! ```text
//!   submit --> | job | job | job | --> thread 1: a turn --> again: to the back; parked; done
//!                                  --> thread 2: ..
//! ```
//! The thread that asks for a query's rows works on it too, so that queries come forward without any helper.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// There is more to do.
    Again,
    /// It cannot go on before somebody resumes it.
    Park,
    /// It is done.
    Done,
}

/// A part of a query that a helper runs, turn by turn. It does not panic.
pub(super) trait Job: Send {
    /// Runs for a while.
    fn turn(&mut self) -> Turn;

    /// Keeps the job, whose turn ended with [`Turn::Park`], until it can go on.
    fn park(self: Box<Self>);
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    idle: usize,
    started: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

/// The helpers of a database.
pub(super) struct Pool {
    shared: Arc<Shared>,
    limit: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// At most `limit` threads, none of which is started yet.
    pub(super) fn new(limit: usize) -> Self {
        Self { shared: Arc::default(), limit, threads: Mutex::default() }
    }

    /// How many threads may help.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Puts a job at the end of the queue. Without threads, which the system may refuse, it stays there.
    pub(super) fn submit(&self, job: Box<dyn Job>) {
        let mut queue = self.shared.queue.lock();
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && queue.started < self.limit {
            let number = queue.started;
            let shared = Arc::clone(&self.shared);
            let helper = std::thread::Builder::new().name(format!("rustdb-query-{number}"));
            if let Ok(thread) = helper.spawn(move || help(&shared)) {
                queue.started += 1;
                self.threads.lock().push(thread);
            }
        }
        drop(queue);
        self.shared.arrived.notify_one();
    }
}

fn help(shared: &Shared) {
    let mut queue = shared.queue.lock();
    while !queue.closed {
        let Some(mut job) = queue.jobs.pop_front() else {
            queue.idle += 1;
            shared.arrived.wait(&mut queue);
            queue.idle -= 1;
            continue;
        };
        drop(queue);
        let turn = job.turn();
        match turn {
            Turn::Again => shared.queue.lock().jobs.push_back(job),
            Turn::Park => job.park(),
            Turn::Done => drop(job),
        }
        queue = shared.queue.lock();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let abandoned = {
            let mut queue = self.shared.queue.lock();
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        drop(abandoned);
        self.shared.arrived.notify_all();
        for thread in self.threads.lock().drain(..) {
            // The last holder of the pool may be a job on one of its own threads, which ends right after this.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    struct Countdown {
        name: u32,
        left: u32,
        told: Sender<(u32, u32)>,
    }

    impl Job for Countdown {
        fn turn(&mut self) -> Turn {
            self.left -= 1;
            self.told.send((self.name, self.left)).unwrap();
            if self.left == 0 { Turn::Done } else { Turn::Again }
        }

        fn park(self: Box<Self>) {}
    }

    #[test]
    fn jobs_take_turns() {
        let pool = Pool::new(1);
        let (told, heard) = channel();
        let queue = pool.shared.queue.lock();
        drop(queue);
        for name in 0..3 {
            pool.submit(Box::new(Countdown { name, left: 3, told: told.clone() }));
        }
        drop(told);
        let mut seen: Vec<_> = heard.iter().collect();
        assert_eq!(seen.len(), 9);
        let last = seen.pop().unwrap();
        assert_eq!(last.1, 0);
        drop(pool);
    }
}
