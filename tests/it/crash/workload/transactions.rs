//! Savepoints, the ends of transactions, and cuts.

use super::{Commit, CutSeen, End, Step, World};
use crate::crash::model::Draft;
use rustdb::Result;
use rustdb::engine::Engine;
use rustdb::transaction::{Mark, UndoLog, UndoRecord, UndoTarget};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// A cut in the middle of taking changes back.
struct CutWithin<'w> {
    engine: &'w Engine,
    after: Cell<u64>,
    cut: RefCell<Option<Result<()>>>,
}

impl UndoTarget for CutWithin<'_> {
    fn undo(&self, record: &Arc<UndoRecord>, log: &UndoLog) -> Result<()> {
        self.engine.store().undo(record, log)?;
        self.after.set(self.after.get().wrapping_sub(1));
        if self.after.get() == 0 {
            *self.cut.borrow_mut() = Some(self.engine.checkpoint());
        }
        Ok(())
    }
}

impl World {
    pub(super) fn savepoint(&mut self, session: usize) -> Step {
        let open = self.open(session);
        let mark = open.tx.mark();
        self.note(session, || format!("savepoint {mark:?}"));
        let open = self.open(session);
        open.savepoints.push((mark, open.draft.clone()));
        Ok(())
    }

    pub(super) fn rollback_to(&mut self, session: usize) -> Step {
        let savepoints = &mut self.open(session).savepoints;
        let Some((mark, draft)) = savepoints.pop() else { return Ok(()) };
        self.back_to(session, mark, draft)
    }

    pub(super) fn back_to(&mut self, session: usize, mark: Mark, draft: Draft) -> Step {
        let Some(open) = self.sessions[session].open.as_ref() else { return Ok(()) };
        let serial = open.serial;
        let engine = Rc::clone(&self.engine);
        let after = if self.draws.one_in(3) { 1 + self.draws.below(4) } else { 0 };
        let target = CutWithin { engine: &engine, after: Cell::new(after), cut: RefCell::new(None) };
        self.note(session, || format!("back to {mark:?}"));
        let open = self.open(session);
        let undone = open.tx.rollback_to(mark, &target);
        if undone.is_ok() {
            open.draft = draft;
        }
        if let Some(cut) = target.cut.into_inner() {
            self.saw_cut(cut, Some(serial))?;
        }
        if let Err(error) = undone {
            self.failed(&error, "ROLLBACK TO")?;
            self.give_up(session);
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, session: usize) -> Step {
        self.note(session, || "commit".to_owned());
        let Some(open) = self.sessions[session].open.take() else { return Ok(()) };
        let wait = !self.draws.one_in(8);
        let started = self.vfs.current_point();
        let (party, committed) = open.tx.commit(wait, self.engine.store());
        self.sessions[session].party = Some(party);
        let now = self.vfs.current_point();
        match committed {
            Ok(None) => {}
            Ok(Some(_)) => {
                open.draft.apply(&mut self.committed);
                self.commits.push(Commit { started, durable: None, state: self.committed.clone() });
                if wait {
                    self.durable_at(now);
                }
                self.coverage.ends.insert(open.serial, End::Committed);
                self.coverage.largest_redo = self.coverage.largest_redo.max(open.redo);
                self.coverage.schema_changes_committed += open.schema_changes;
            }
            Err(error) => {
                if error.sqlstate().0 == "08007" {
                    assert!(self.engine.is_stopped(), "an outcome is unknown only when the log has failed");
                    open.draft.apply(&mut self.committed);
                    self.commits.push(Commit { started, durable: None, state: self.committed.clone() });
                }
                self.failed(&error, "COMMIT")?;
            }
        }
        self.release(session);
        Ok(())
    }

    pub(super) fn rollback(&mut self, session: usize) -> Step {
        self.note(session, || "rollback".to_owned());
        let Some(open) = self.sessions[session].open.take() else { return Ok(()) };
        let engine = Rc::clone(&self.engine);
        let after = if self.draws.one_in(4) { 1 + self.draws.below(6) } else { 0 };
        let target = CutWithin { engine: &engine, after: Cell::new(after), cut: RefCell::new(None) };
        let (party, undone) = open.tx.rollback(&target);
        self.sessions[session].party = Some(party);
        self.coverage.ends.insert(open.serial, End::RolledBack);
        self.coverage.schema_changes_undone += open.schema_changes;
        if let Some(cut) = target.cut.into_inner() {
            self.saw_cut(cut, None)?;
        }
        match undone {
            Ok(()) => self.release(session),
            Err(error) => {
                self.failed(&error, "ROLLBACK")?;
                // What could not be taken back stays locked.
                self.sessions[session].open = None;
                self.begin(session);
                self.give_up(session);
            }
        }
        Ok(())
    }

    pub(super) fn durable_at(&mut self, point: u64) {
        for commit in self.commits.iter_mut().rev().take_while(|commit| commit.durable.is_none()) {
            commit.durable = Some(point);
        }
    }

    pub(super) fn cut(&mut self) -> Step {
        let cut = self.engine.checkpoint();
        self.saw_cut(cut, None)
    }

    fn saw_cut(&mut self, cut: Result<()>, inside_rollback: Option<u64>) -> Step {
        if let Err(error) = cut {
            return self.failed(&error, "a cut");
        }
        self.durable_at(self.vfs.current_point());
        self.note(0, || "cut".to_owned());
        let open = self.sessions.iter().filter_map(|session| session.open.as_ref());
        let open = open.filter(|open| open.tx.id().is_some()).map(|open| open.serial).collect();
        self.coverage.cuts.push(CutSeen { open, inside_rollback });
        Ok(())
    }
}
