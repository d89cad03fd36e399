//! Closing, losing and opening the database again, and the comparison at the end.

use super::{Session, Step, Stopped, World, impatient, is_stated};
use crate::crash::{driver, oracle};
use rustdb::engine::Engine;
use rustdb::vfs::Vfs;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

impl World {
    fn open_again(&mut self, seed: u64) -> Step {
        for session in 0..self.sessions.len() {
            self.release(session);
        }
        (self.rows_claimed, self.keys_claimed) = (HashMap::new(), HashMap::new());
        (self.tables_used, self.tables_claimed) = (HashSet::new(), HashMap::new());
        match driver::open(&self.seen, self.plan.seed + seed) {
            Ok(engine) => self.engine = Rc::new(engine),
            Err(error) => {
                assert!(self.plan.faulty && is_stated(&error), "opening: {error}");
                self.coverage.errors += 1;
                return Err(Stopped);
            }
        }
        for session in &mut self.sessions {
            session.party = Some(impatient(&self.engine));
        }
        Ok(())
    }

    fn end_all(&mut self) -> Step {
        for session in 0..self.sessions.len() {
            if self.draws.one_in(2) { self.commit(session)? } else { self.rollback(session)? }
        }
        for session in &mut self.sessions {
            session.party = None;
        }
        Ok(())
    }

    pub(super) fn reopen_after_close(&mut self) -> Step {
        self.end_all()?;
        self.close()?;
        self.open_again(1)
    }

    fn close(&mut self) -> Step {
        // The engine is replaced by the next opening; until then nothing may be left of it but this.
        let engine = std::mem::replace(&mut self.engine, Rc::new(empty()));
        let engine = Rc::try_unwrap(engine).ok().expect("nobody else has the engine");
        match engine.close() {
            Ok(()) => {
                self.durable_at(self.vfs.current_point());
                Ok(())
            }
            Err(error) => {
                assert!(self.plan.faulty && is_stated(&error), "closing: {error}");
                self.coverage.errors += 1;
                Ok(())
            }
        }
    }

    /// As after a kill: transactions are open, and nothing more is said to the disk. Commits that nobody waited for
    /// may be lost, the last ones first.
    pub(super) fn reopen_after_loss(&mut self) -> Step {
        for session in &mut self.sessions {
            *session = Session { party: None, open: None };
        }
        let durable = self.commits.iter().rposition(|commit| commit.durable.is_some()).unwrap_or(0);
        let bounds = (durable, self.commits.len() - 1);
        self.open_again(2)?;
        match oracle::matches_one(&self.commits, &self.engine, bounds) {
            Ok(last) => {
                self.commits.truncate(last + 1);
                self.committed = self.commits[last].state.clone();
                self.durable_at(self.vfs.current_point());
                Ok(())
            }
            Err(_) if self.plan.faulty => Err(Stopped),
            Err(problem) => panic!("after a loss: {problem}"),
        }
    }

    /// Compares everything at the end of the run.
    pub(super) fn finish(&mut self) {
        if self.end_all().is_err() {
            return;
        }
        let undone = self.rows_claimed.is_empty() && self.tables_used.is_empty();
        let cut = self.engine.checkpoint();
        let found = cut.and_then(|()| Ok((oracle::read(&self.engine)?, self.engine.check()?)));
        match found {
            Ok((found, report)) if undone => {
                let difference = self.committed.difference(&found);
                assert!(found == self.committed, "at the end of the run: {difference}");
                assert!(report.problems.is_empty(), "at the end of the run: {:?}", report.problems);
            }
            Ok(_) => {}
            Err(error) => drop(self.failed(&error, "reading at the end of the run")),
        }
    }
}

fn empty() -> Engine {
    let vfs: Arc<dyn Vfs> = Arc::new(rustdb::vfs::MemoryVfs::new());
    driver::open(&vfs, 0).expect("an empty database in memory")
}
