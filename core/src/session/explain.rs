//! EXPLAIN: the plan of a statement as text, with what was measured if it was run.

use super::{Measured, Session};
use crate::binder::BoundStatement;
use crate::error::{Result, StatementError};
use crate::parser::ast::{Explain, ExplainFormat};
use crate::types::Value;
use std::sync::Arc;

impl Session {
    /// The lines of a plan. The statement is run if `options` say ANALYZE.
    pub(super) fn explain(
        &mut self,
        options: &Explain,
        statement: BoundStatement,
        parameters: &[Value],
    ) -> Result<Vec<String>> {
        if options.format != ExplainFormat::Text {
            return Err(StatementError::NotSupported {
                feature: "EXPLAIN in a format other than text".to_owned(),
            }
            .into());
        }
        let query = match statement {
            BoundStatement::Query(query) => *query,
            BoundStatement::CreateTableAs(create) => create.query,
            _ => {
                return Err(
                    StatementError::NotSupported { feature: "EXPLAIN of this statement".to_owned() }.into()
                );
            }
        };
        let mut tables = Vec::new();
        super::prepare::tables_of(&query.plan, &mut tables);
        for (table, mode) in &tables {
            self.lock_table(table.oid, *mode)?;
        }
        let changes = query.plan.is_change();
        let plan = Arc::new(self.plan(query)?);
        if !options.analyze {
            return Ok(lines(&plan.explain(&|_| Default::default())));
        }
        if changes {
            self.check_writable("EXPLAIN ANALYZE")?;
        }
        let clock = Arc::clone(&self.queries.clock);
        let begun = clock.monotonic();
        let mut stream = self.start(&plan, parameters.to_vec(), true)?;
        while stream.next()?.is_some() {}
        let took = clock.monotonic().saturating_sub(begun);
        let stats: Measured<'_> = stream.stats();
        let note = |number: usize| {
            let Some(node) = stats.get(number) else { return Default::default() };
            let millis = node.nanos() as f64 / 1e6;
            let measured = format!(" (actual rows={} time={millis:.3} ms)", node.rows());
            let mut below = Vec::new();
            if node.memory() > 0 {
                below.push(format!("Memory: {} kB", node.memory().div_ceil(1024)));
            }
            if node.spilled() > 0 {
                below.push(format!("Spilled: {} kB", node.spilled().div_ceil(1024)));
            }
            (measured, below)
        };
        let mut text = lines(&plan.explain(&note));
        if options.summary != Some(false) {
            text.push(format!("Execution Time: {:.3} ms", took.as_secs_f64() * 1e3));
        }
        Ok(text)
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
