//! Tables and indexes made and dropped in the middle of transactions.

use super::{Step, World};
use crate::crash::model::{ID, NUMBER, WORD, index_def, table_def};
use rustdb::ids::ObjectId;
use rustdb::table::{RowKey, Written};
use std::collections::HashSet;

impl World {
    pub(super) fn change_schema(&mut self, session: usize) -> Step {
        if self.tables(session).len() < 5 && self.draws.one_in(2) {
            let key = if self.draws.one_in(2) { RowKey::Hidden } else { RowKey::Column(ID) };
            let mut indexes: Vec<(bool, &[(u16, bool)])> = Vec::new();
            if key == RowKey::Hidden {
                indexes.push((true, &[(ID, false)]));
            }
            if self.draws.one_in(2) {
                indexes.push((true, &[(WORD, false), (ID, true)]));
            }
            return self.create_table(session, key, &indexes);
        }
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        if !self.claim_table(session, table) {
            return Ok(());
        }
        let indexes = self.draft(session).indexes(&self.committed, table);
        if self.draws.one_in(3) && tables.len() > 3 {
            return self.drop_object(session, table);
        }
        // The index of keys stays: it is how rows of tables with hidden ids are found.
        let extra = indexes.values().find(|index| index.columns[0].column != ID).map(|index| index.object);
        match extra {
            Some(index) if indexes.len() > 3 || self.draws.one_in(4) => self.drop_object(session, index),
            _ if indexes.len() < 5 => {
                let columns: [&[(u16, bool)]; 4] = [
                    &[(NUMBER, true)],
                    &[(WORD, false)],
                    &[(NUMBER, false), (WORD, true)],
                    &[(WORD, true), (ID, false)],
                ];
                let columns = *self.draws.pick(&columns);
                let unique = self.draws.one_in(3);
                self.create_index(session, table, unique, columns)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn create_table(
        &mut self,
        session: usize,
        key: RowKey,
        indexes: &[(bool, &[(u16, bool)])],
    ) -> Step {
        if self.sessions[session].open.is_none() {
            return Ok(());
        }
        let def = table_def(self.engine.store().allocate_object(), key);
        let object = def.object;
        let created = def.clone();
        let before = self.open(session).tx.mark();
        let drafted = self.draft(session).clone();
        let done = self.statement(session, false, |engine, tx| {
            engine.store().create_table(tx, &created).map(|_| Written::Done)
        })?;
        if !done {
            return Ok(());
        }
        self.tables_claimed.insert(object, session);
        let open = self.open(session);
        open.draft.tables.insert(object, def);
        open.schema_changes += 1;
        for (unique, columns) in indexes {
            self.create_index(session, object, *unique, columns)?;
            let lost = self.sessions[session].open.as_ref().is_none_or(|open| {
                !open
                    .draft
                    .indexes
                    .values()
                    .any(|(of, index)| *of == object && index.columns.len() == columns.len())
            });
            if lost {
                // An I/O error took the index: the table goes, too.
                return self.back_to(session, before, drafted);
            }
        }
        Ok(())
    }

    fn create_index(
        &mut self,
        session: usize,
        table: ObjectId,
        unique: bool,
        columns: &[(u16, bool)],
    ) -> Step {
        let def = index_def(self.engine.store().allocate_object(), unique, columns);
        let rows = self.draft(session).rows(&self.committed, table);
        let mut keys = HashSet::new();
        let violates = unique
            && rows.iter().any(|(id, row)| {
                let (key, null) = row.key(*id, &def);
                !null && !keys.insert(key)
            });
        let created = def.clone();
        let done = self.statement(session, violates, |engine, tx| {
            engine.store().create_index(tx, &*engine.store().table(table)?, &created).map(|_| Written::Done)
        })?;
        if done {
            let open = self.open(session);
            open.draft.indexes.insert(def.object, (table, def));
            open.schema_changes += 1;
        }
        Ok(())
    }

    fn drop_object(&mut self, session: usize, object: ObjectId) -> Step {
        let done = self.statement(session, false, |engine, tx| {
            engine.store().drop_at_commit(tx, object).map(|()| Written::Done)
        })?;
        if done {
            let open = self.open(session);
            open.draft.dropped.insert(object);
            open.schema_changes += 1;
        }
        Ok(())
    }
}
