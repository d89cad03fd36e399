//! The rows of a run: what writing them claims, and the statements that write and read them.

use super::{Step, Stopped, World, impatient};
use crate::crash::driver;
use crate::crash::model::{BODY, NUMBER, Row, Rows, WORD, row_difference};
use rustdb::Result;
use rustdb::engine::Engine;
use rustdb::ids::ObjectId;
use rustdb::table::Written;
use rustdb::transaction::Transaction;
use std::rc::Rc;
use std::sync::Arc;

impl World {
    /// Claims what writing a row touches; false if another session has some of it.
    fn claim(&mut self, session: usize, table: ObjectId, id: i64, new: Option<&Row>) -> bool {
        let draft = &self.sessions[session].open.as_ref().expect("a transaction").draft;
        let old = draft.row(&self.committed, table, id).cloned();
        let mut keys = Vec::new();
        for index in draft.indexes(&self.committed, table).values().filter(|index| index.unique) {
            for row in old.as_deref().into_iter().chain(new) {
                let (key, null) = row.key(id, index);
                if !null {
                    keys.push((index.object, key));
                }
            }
        }
        let free = |holder: Option<&usize>| holder.is_none_or(|holder| *holder == session);
        let all_free = free(self.tables_claimed.get(&table))
            && free(self.rows_claimed.get(&(table, id)))
            && keys.iter().all(|key| free(self.keys_claimed.get(key)));
        if all_free {
            self.tables_used.insert((table, session));
            self.rows_claimed.insert((table, id), session);
            self.keys_claimed.extend(keys.into_iter().map(|key| (key, session)));
        }
        all_free
    }

    /// Claims a table for one session; false if another one uses it.
    pub(super) fn claim_table(&mut self, session: usize, table: ObjectId) -> bool {
        let used = self.tables_used.iter().any(|(other, by)| *other == table && *by != session);
        let held = self.tables_claimed.get(&table).is_some_and(|holder| *holder != session);
        if !used && !held {
            self.tables_claimed.insert(table, session);
        }
        !used && !held
    }

    pub(super) fn release(&mut self, session: usize) {
        self.rows_claimed.retain(|_, holder| *holder != session);
        self.keys_claimed.retain(|_, holder| *holder != session);
        self.tables_used.retain(|(_, holder)| *holder != session);
        self.tables_claimed.retain(|_, holder| *holder != session);
    }

    /// Whether a row of these values would share a key with another one that the transaction sees.
    fn violates(&self, session: usize, table: ObjectId, id: i64, row: &Row, inserts: bool) -> bool {
        let draft = self.draft(session);
        if inserts && draft.row(&self.committed, table, id).is_some() {
            self.note(session, || format!("{table} has {id}"));
            return true;
        }
        let indexes = draft.indexes(&self.committed, table);
        let unique: Vec<_> = indexes.values().filter(|index| index.unique).collect();
        let rows = draft.rows(&self.committed, table);
        unique.iter().any(|index| {
            let (key, null) = row.key(id, index);
            let other = rows.iter().find(|(other, row)| **other != id && row.key(**other, index).0 == key);
            self.note(session, || format!("{id} would have a key of {other:?} in {index:?}"));
            !null && other.is_some()
        })
    }

    /// Runs a statement in a transaction that is open, and takes it back if it fails. Whether it was done.
    pub(super) fn note(&self, session: usize, what: impl FnOnce() -> String) {
        if self.plan.trace {
            let serial = self.sessions[session].open.as_ref().map(|open| open.serial);
            eprintln!("{}: session {session}, {serial:?}: {}", self.vfs.current_point(), what());
        }
    }

    pub(super) fn statement(
        &mut self,
        session: usize,
        violates: bool,
        run: impl FnOnce(&Engine, &mut Transaction) -> Result<Written>,
    ) -> std::result::Result<bool, Stopped> {
        let engine = Rc::clone(&self.engine);
        let tx = &mut self.open(session).tx;
        tx.start_statement();
        let mark = tx.mark();
        match run(&engine, tx) {
            Ok(written) => {
                assert_eq!(written, Written::Done);
                assert!(!violates, "a second row with the key was taken");
                return Ok(true);
            }
            Err(error) if error.sqlstate().0 == "23505" => {
                assert!(violates, "{error}, but there is no such row");
                self.coverage.violations += 1;
                if self.draws.one_in(10) {
                    self.cut()?;
                }
            }
            Err(error) => self.failed(&error, "a statement")?,
        }
        if let Err(error) = self.open(session).tx.rollback_to(mark, engine.store()) {
            self.failed(&error, "taking a statement back")?;
            self.give_up(session);
        }
        Ok(false)
    }

    /// A rollback that cannot be finished: the rows stay locked until the next opening.
    pub(super) fn give_up(&mut self, session: usize) {
        let open = self.sessions[session].open.take().expect("a transaction");
        let (_, result) = open.tx.rollback(self.engine.store());
        drop(result);
        let kept = usize::MAX - session;
        self.rows_claimed.values_mut().filter(|holder| **holder == session).for_each(|holder| *holder = kept);
        self.keys_claimed.values_mut().filter(|holder| **holder == session).for_each(|holder| *holder = kept);
        let used: Vec<ObjectId> =
            self.tables_used.iter().filter(|(_, by)| *by == session).map(|(table, _)| *table).collect();
        self.tables_used.extend(used.into_iter().map(|table| (table, kept)));
        self.tables_claimed
            .values_mut()
            .filter(|holder| **holder == session)
            .for_each(|holder| *holder = kept);
        self.sessions[session].party = Some(impatient(&self.engine));
    }

    pub(super) fn tables(&self, session: usize) -> Vec<ObjectId> {
        let draft = self.draft(session);
        let tables = self.committed.tables.keys().chain(draft.tables.keys());
        tables.copied().filter(|table| !draft.dropped.contains(table)).collect()
    }

    pub(super) fn insert(&mut self, session: usize, count: u64) -> Step {
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        let mut rows = Vec::new();
        for _ in 0..count {
            let gone: Vec<i64> =
                self.deleted.range((table, i64::MIN)..=(table, i64::MAX)).map(|(_, id)| *id).collect();
            let id = if !gone.is_empty() && self.draws.one_in(2) {
                *self.draws.pick(&gone)
            } else {
                self.draws.below(self.plan.rows * 2) as i64 - 10
            };
            let row = self.row(table, id);
            if rows.iter().any(|(other, _)| *other == id) || !self.claim(session, table, id, Some(&row)) {
                continue;
            }
            let clash = |index: &rustdb::table::IndexDef| {
                let (key, null) = row.key(id, index);
                !null && rows.iter().any(|(other, row): &(i64, Arc<Row>)| row.key(*other, index).0 == key)
            };
            let indexes = self.draft(session).indexes(&self.committed, table);
            if !indexes.values().filter(|index| index.unique).any(clash) {
                rows.push((id, row));
            }
        }
        if rows.is_empty() { Ok(()) } else { self.insert_rows(session, table, &rows) }
    }

    pub(super) fn insert_rows(&mut self, session: usize, table: ObjectId, rows: &[(i64, Arc<Row>)]) -> Step {
        if self.sessions[session].open.is_none() {
            return Ok(());
        }
        let violates = rows.iter().any(|(id, row)| self.violates(session, table, *id, row, true));
        self.note(session, || {
            format!(
                "insert {table} {:?}, {violates}",
                rows.iter().map(|(id, row)| (id, &row.body[..row.body.len().min(4)])).collect::<Vec<_>>()
            )
        });
        for (id, row) in rows {
            if !self.claim(session, table, *id, Some(row)) {
                return Ok(());
            }
        }
        let done = self.statement(session, violates, |engine, tx| {
            let table = engine.store().table(table)?;
            driver::insert(engine, tx, &table, rows).map(|()| Written::Done)
        })?;
        if done {
            for (id, row) in rows {
                self.numbers.entry((table, *id)).or_default().push(row.number);
                self.coverage.revived += u64::from(self.deleted.remove(&(table, *id)));
                let open = self.open(session);
                open.redo += row.body.len();
                open.draft.rows.insert((table, *id), Some(Arc::clone(row)));
            }
        }
        Ok(())
    }

    /// A row that the transaction sees, and may write.
    fn choose(&mut self, session: usize) -> Option<(ObjectId, i64, Arc<Row>)> {
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        let rows: Rows = self.draft(session).rows(&self.committed, table);
        let ids: Vec<i64> = rows.keys().copied().collect();
        if ids.is_empty() {
            return None;
        }
        let id = *self.draws.pick(&ids);
        Some((table, id, Arc::clone(&rows[&id])))
    }

    pub(super) fn update(&mut self, session: usize) -> Step {
        let Some((table, id, old)) = self.choose(session) else { return Ok(()) };
        let values = self.row(table, id);
        let mut columns: Vec<u16> =
            [NUMBER, WORD, BODY].into_iter().filter(|_| self.draws.one_in(2)).collect();
        if columns.is_empty() {
            columns.push(NUMBER);
        }
        let mut new = Row::clone(&old);
        for column in &columns {
            match *column {
                NUMBER => new.number = values.number,
                WORD => new.word.clone_from(&values.word),
                _ => new.body = Arc::clone(&values.body),
            }
        }
        if !self.claim(session, table, id, Some(&new)) {
            return Ok(());
        }
        let violates = self.violates(session, table, id, &new, false);
        self.note(session, || {
            format!("update {table} {id} {columns:?} {}, {violates}", &new.body[..new.body.len().min(4)])
        });
        let done = self.statement(session, violates, |engine, tx| {
            driver::update(engine, tx, &*engine.store().table(table)?, id, &columns, &new)
        })?;
        if done {
            let before = self.numbers.entry((table, id)).or_default();
            if old.number != new.number && before.contains(&new.number) {
                self.coverage.back_to_old_keys += 1;
            }
            before.push(new.number);
            let open = self.open(session);
            open.redo += if columns.contains(&BODY) { new.body.len() } else { 20 };
            open.draft.rows.insert((table, id), Some(Arc::new(new)));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, session: usize) -> Step {
        let Some((table, id, _)) = self.choose(session) else { return Ok(()) };
        if !self.claim(session, table, id, None) {
            return Ok(());
        }
        self.note(session, || format!("delete {table} {id}"));
        let done = self.statement(session, false, |engine, tx| {
            driver::delete(engine, tx, &*engine.store().table(table)?, id)
        })?;
        if done {
            self.open(session).draft.rows.insert((table, id), None);
            self.deleted.insert((table, id));
        }
        Ok(())
    }

    /// Compares a table with the model, as the transaction sees both.
    pub(super) fn compare(&mut self, session: usize) -> Step {
        let tables = self.tables(session);
        let object = *self.draws.pick(&tables);
        let engine = Rc::clone(&self.engine);
        let tx = &mut self.open(session).tx;
        tx.start_statement();
        let found = engine.store().table(object).and_then(|table| driver::scan(&engine, tx, &table));
        match found {
            Ok((rows, _)) => {
                let expected = self.draft(session).rows(&self.committed, object);
                if let Some(difference) = row_difference(&expected, &rows) {
                    panic!("table {object} as session {session} sees it: {difference}");
                }
                Ok(())
            }
            Err(error) => self.failed(&error, "a scan"),
        }
    }
}
