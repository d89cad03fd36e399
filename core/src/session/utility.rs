//! Statements that are neither queries nor transaction control: which function does which.

use super::prepare::{Column, Kind};
use super::transaction::level_name;
use super::{Prepared, Session, Started};
use crate::binder::{BoundStatement, bind, bind_arguments, resolve_type};
use crate::config::{DEFINITIONS, Setting};
use crate::error::{Result, StatementError, TransactionError};
use crate::expr::eval::evaluate_constant;
use crate::parser::ast::{self, Deallocate, SetScope, StatementKind};
use crate::stack;
use crate::types::{Chunk, DataType, Value};
use std::sync::Arc;

fn text_columns(names: &[&str]) -> Arc<[Column]> {
    names
        .iter()
        .map(|&name| Column {
            name: name.into(),
            ty: DataType::Text,
            value_type: DataType::Text,
            origin: None,
        })
        .collect()
}

fn text_rows(
    names: &[&str],
    command: &'static str,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<Started> {
    let types = vec![DataType::Text; names.len()];
    let mut chunks = std::collections::VecDeque::new();
    let mut chunk = Chunk::of_types(&types);
    let mut count = 0;
    for row in rows {
        let values: Vec<Value> = row.into_iter().map(|text| Value::Text(text.into())).collect();
        if chunk.len == crate::types::VECTOR_SIZE {
            chunks.push_back(std::mem::replace(&mut chunk, Chunk::of_types(&types)));
        }
        chunk.push_row(&values, &types)?;
        count += 1;
    }
    let mut started = Started::rows(text_columns(names), command, chunk);
    chunks.append(&mut started.chunks);
    Ok(Started { chunks, affected: count, ..started })
}

impl Session {
    /// The columns of what a command returns.
    pub(super) fn utility_columns(&mut self, bound: &BoundStatement) -> Arc<[Column]> {
        match bound {
            BoundStatement::Explain { .. } => text_columns(&["QUERY PLAN"]),
            BoundStatement::Session(kind) => match &**kind {
                StatementKind::Show(Some(name)) => {
                    let name = shown_name(&name.name);
                    text_columns(&[&name])
                }
                StatementKind::Show(None) => text_columns(&["name", "setting", "description"]),
                StatementKind::Execute(execute) => {
                    let known = self.prepared.get(&execute.name.name);
                    known.map_or_else(Arc::default, |prepared| Arc::clone(&prepared.columns))
                }
                _ => Arc::default(),
            },
            _ => Arc::default(),
        }
    }

    /// Runs a command in the open transaction.
    pub(super) fn run_utility(
        &mut self,
        prepared: &Prepared,
        parameters: &[Value],
        implicit: bool,
    ) -> Result<Started> {
        stack::with_room(prepared.statement.nodes(), || self.run_bound(prepared, parameters, implicit))
    }

    fn run_bound(&mut self, prepared: &Prepared, parameters: &[Value], implicit: bool) -> Result<Started> {
        let catalog = self.catalog();
        let bound = bind(&catalog, &prepared.statement, &prepared.parameters)?;
        match bound.statement {
            BoundStatement::Session(kind) => self.run_session(*kind, implicit),
            BoundStatement::Explain { options, statement } => {
                let parameters = self.parameter_values(prepared, parameters)?;
                self.explain(&options, *statement, &parameters).and_then(|lines| {
                    text_rows(&["QUERY PLAN"], "EXPLAIN", lines.into_iter().map(|line| vec![line]))
                })
            }
            BoundStatement::Query(_) => {
                Err(StatementError::NotSupported { feature: "this form of the statement".to_owned() }.into())
            }
            other => {
                self.begin_statement();
                let parameters = self.parameter_values(prepared, parameters)?;
                self.run_definition(other, parameters)
            }
        }
    }

    fn run_definition(&mut self, bound: BoundStatement, parameters: Vec<Value>) -> Result<Started> {
        match bound {
            BoundStatement::CreateTable(create) => self.create_table(*create),
            BoundStatement::CreateTableAs(create) => self.create_table_as(*create, parameters),
            BoundStatement::CreateIndex(create) => self.create_index(*create),
            BoundStatement::DropTables(dropped) => self.drop_tables(dropped),
            BoundStatement::DropIndexes(dropped) => self.drop_indexes(dropped),
            BoundStatement::Truncate(tables) => self.truncate(&tables),
            BoundStatement::Analyze(tables) => self.analyze(tables),
            BoundStatement::Vacuum { options, tables } => self.vacuum(options, tables),
            BoundStatement::CopyIn(copy) => self.copy_in(*copy),
            BoundStatement::CopyOut(copy) => self.copy_out(*copy, None),
            BoundStatement::Query(_) | BoundStatement::Explain { .. } | BoundStatement::Session(_) => {
                Err(StatementError::NotSupported { feature: "this statement".to_owned() }.into())
            }
        }
    }

    fn run_session(&mut self, kind: StatementKind, implicit: bool) -> Result<Started> {
        match kind {
            StatementKind::Set(set) => self.run_set(&set),
            StatementKind::Show(Some(name)) => {
                let shown = shown_name(&name.name);
                let value = self.show(&name.name).map_err(|error| error.at(name.position))?;
                text_rows(&[&shown], "SHOW", [vec![value]])
            }
            StatementKind::Show(None) => {
                let rows = DEFINITIONS.iter().map(|definition| {
                    let value = self.show(definition.name).unwrap_or_default();
                    vec![definition.name.to_owned(), value, definition.description.to_owned()]
                });
                text_rows(&["name", "setting", "description"], "SHOW", rows.collect::<Vec<_>>())
            }
            StatementKind::Reset(name) => {
                match name {
                    Some(name) => {
                        let setting = Setting::find(&name.name).map_err(|error| error.at(name.position))?;
                        self.reset(setting)?;
                    }
                    None => self.reset_all()?,
                }
                Ok(Started::done(Arc::default(), "RESET", 0))
            }
            StatementKind::Prepare(prepare) => self.run_prepare(*prepare),
            StatementKind::Execute(execute) => self.run_execute(&execute, implicit),
            StatementKind::Deallocate(Deallocate::All) => {
                self.prepared.clear();
                Ok(Started::done(Arc::default(), "DEALLOCATE ALL", 0))
            }
            StatementKind::Deallocate(Deallocate::Name(name)) => match self.prepared.remove(&name.name) {
                Some(_) => Ok(Started::done(Arc::default(), "DEALLOCATE", 0)),
                None => Err(StatementError::UndefinedPreparedStatement { name: name.name }.into()),
            },
            StatementKind::DiscardAll => {
                if !implicit {
                    return Err(TransactionError::ActiveTransaction { statement: "DISCARD ALL" }.into());
                }
                self.prepared.clear();
                self.plans.clear();
                self.reset_all()?;
                Ok(Started::done(Arc::default(), "DISCARD ALL", 0))
            }
            StatementKind::Checkpoint => self.checkpoint(),
            _ => Err(StatementError::NotSupported { feature: "this statement".to_owned() }.into()),
        }
    }

    fn reset_all(&mut self) -> Result<()> {
        for definition in DEFINITIONS {
            let setting = Setting::find(definition.name)?;
            if !matches!(definition.kind, crate::config::Kind::Fixed) && setting != Setting::MemoryLimit {
                self.reset(setting)?;
            }
        }
        Ok(())
    }

    fn run_set(&mut self, set: &ast::Set) -> Result<Started> {
        let local = set.scope == SetScope::Local;
        let done = Started::done(Arc::default(), "SET", 0);
        match set.name.name.to_ascii_lowercase().as_str() {
            "transaction_isolation" | "transaction_read_only" => {
                let feature = format!("SET {}; SET TRANSACTION does", set.name.name);
                return Err(StatementError::NotSupported { feature }.into());
            }
            _ => {}
        }
        let setting = Setting::find(&set.name.name).map_err(|error| error.at(set.name.position))?;
        let Some(values) = &set.values else {
            self.reset(setting)?;
            return Ok(done);
        };
        let text: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
        let text = text.join(", ");
        if local && self.block == super::Block::None {
            self.warning("25P01", "SET LOCAL can only be used in transaction blocks");
            return Ok(done);
        }
        if setting == Setting::MemoryLimit {
            let mut parsed = crate::config::Settings::default();
            parsed.set(setting, &text)?;
            if let crate::config::Value::Integer(kilobytes) = parsed.get(setting) {
                let bytes = u64::try_from(*kilobytes).unwrap_or(0).saturating_mul(1024);
                self.engine.engine()?.budget().set_limit(bytes);
            }
            return Ok(done);
        }
        self.set(setting, &text, local)?;
        Ok(done)
    }

    fn show(&self, name: &str) -> Result<String> {
        let open = self.open.as_ref();
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => {
                let level = open.map(|open| level_name(open.level));
                return Ok(level.unwrap_or_else(|| self.settings.text(Setting::DefaultIsolation)).to_owned());
            }
            "transaction_read_only" => {
                let on = open.is_some_and(|open| open.read_only && self.block != super::Block::None);
                return Ok(
                    if on || self.settings.is_on(Setting::DefaultReadOnly) { "on" } else { "off" }.to_owned()
                );
            }
            _ => {}
        }
        let setting = Setting::find(name)?;
        if setting == Setting::MemoryLimit {
            let limit = self.engine.engine()?.budget().limit() / 1024;
            let value = crate::config::Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
            return Ok(setting.definition().kind.show(&value));
        }
        Ok(self.settings.show(setting))
    }

    fn run_prepare(&mut self, prepare: ast::Prepare) -> Result<Started> {
        let ast::Prepare { name, types, statement, parameters, .. } = prepare;
        if self.prepared.contains_key(&name.name) {
            return Err(StatementError::DuplicatePreparedStatement { name: name.name }.into());
        }
        let types: Vec<DataType> = types.iter().map(resolve_type).collect::<Result<_>>()?;
        let statement = ast::Statement { kind: *statement, parameters, range: 0..0, position: 1 };
        let prepared = self.prepare_statement(statement, &types)?;
        self.prepared.insert(name.name, prepared);
        Ok(Started::done(Arc::default(), "PREPARE", 0))
    }

    fn run_execute(&mut self, execute: &ast::Execute, implicit: bool) -> Result<Started> {
        let name = &execute.name.name;
        let missing = || StatementError::UndefinedPreparedStatement { name: name.clone() };
        let prepared = Arc::clone(self.prepared.get(name).ok_or_else(missing)?);
        let catalog = self.catalog();
        let arguments = bind_arguments(&catalog, execute, &prepared.parameters)?;
        let context = self.context(Vec::new(), false, false)?;
        let values = arguments.iter().map(|argument| evaluate_constant(argument, &context.eval()));
        let values = values.collect::<Result<Vec<Value>>>()?;
        let prepared = self.locked(&prepared)?;
        match &prepared.kind {
            Kind::Query(query) => self.run_query(&prepared, query, values, implicit),
            Kind::Control | Kind::Utility | Kind::Empty => self.run_utility(&prepared, &values, implicit),
        }
    }
}

fn shown_name(name: &str) -> String {
    Setting::find(name)
        .map_or_else(|_| name.to_ascii_lowercase(), |setting| setting.definition().name.to_owned())
}
