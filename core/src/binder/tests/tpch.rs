//! The queries of TPC-H: they bind, and unnested they have hash joins only.

use super::{catalog_of, query_of};
use crate::expr::{CompareOp, Expr};
use crate::optimizer::unnest::unnest;
use crate::parser;
use crate::plan::logical::{JoinKind, LogicalPlan};

const TPCH: &str = include_str!("tpch.sql");

/// The schema, and the queries as text.
fn parts() -> (String, Vec<String>) {
    let statements = parser::parse(TPCH).unwrap();
    let (mut schema, mut queries) = (String::new(), Vec::new());
    for statement in statements {
        let text = &TPCH[statement.range];
        if text.starts_with("create") {
            schema.push_str(text);
            schema.push(';');
        } else {
            queries.push(text.to_owned());
        }
    }
    (schema, queries)
}

/// Every join of a subquery has an equality to hash, or a right side that is computed once.
fn check_joins(plan: &LogicalPlan, query: usize) {
    if let LogicalPlan::Join(join) = plan {
        assert!(!join.dependent, "Q{query} has a dependent join");
        let is_equality = |term: &Expr| {
            matches!(term, Expr::Compare { operator: CompareOp::Equal | CompareOp::NotDistinct, .. })
        };
        let hashes = join.conditions.iter().any(is_equality);
        assert!(hashes || join.kind == JoinKind::Inner, "Q{query} has a join without equality");
    }
    for input in plan.inputs() {
        check_joins(input, query);
    }
}

#[test]
fn queries_bind_and_unnest_to_hash_joins() {
    let (schema, queries) = parts();
    let catalog = catalog_of(&schema);
    assert_eq!(queries.len(), 22);
    for (index, sql) in queries.iter().enumerate() {
        let mut query = query_of(&catalog, sql);
        let plan = unnest(query.plan, &mut query.columns).unwrap();
        check_joins(&plan, index + 1);
        let text = plan.display(&query.columns).to_string();
        assert!(!text.contains("domain"), "Q{}\n{text}", index + 1);
        assert!(!text.contains("mark"), "Q{}\n{text}", index + 1);
    }
}
