//! Random trees of joins, whose orders must give the rows of the tree as it is written.

use super::{MAX_STEPS, Tree, reorder};
use crate::binder::BoundQuery;
use crate::binder::tests::{catalog_of, query_of};
use crate::catalog::Catalog;
use crate::ids::ObjectId;
use crate::optimizer::TableSizes;
use crate::optimizer::cardinality::Estimator;
use crate::optimizer::push_down::push_down;
use crate::plan::logical::{JoinKind, LogicalPlan};
use crate::plan::naive::{Row, Tables};
use crate::vfs::SeededRng;
use std::collections::HashSet;

const TABLES: usize = 6;

/// A number below a limit.
fn below(draws: &SeededRng, limit: usize) -> usize {
    draws.below(limit as u64) as usize
}

/// Tables that have other numbers of rows than they are said to have, so that any order may look best.
struct Sizes(u64);

impl TableSizes for Sizes {
    fn rows(&self, storage: ObjectId) -> f64 {
        10_f64.powi(SeededRng::new(self.0 ^ u64::from(storage.0)).below(6) as i32)
    }

    fn may_use(&self, _: ObjectId) -> bool {
        false
    }
}

fn catalog() -> Catalog {
    let tables = (0..TABLES).map(|i| format!("create table t{i} (a{i} integer, b{i} integer);"));
    catalog_of(&tables.collect::<String>())
}

fn filled(catalog: &Catalog, draws: &SeededRng) -> Tables {
    let mut tables = Tables::default();
    for table in 0..TABLES {
        let value = || match below(draws, 4) {
            0 => "null".to_owned(),
            value => value.to_string(),
        };
        let rows: Vec<String> = (0..3).map(|_| format!("({}, {})", value(), value())).collect();
        let insert = query_of(catalog, &format!("insert into t{table} values {}", rows.join(", ")));
        tables.run(&insert.plan, &insert.columns).unwrap();
    }
    tables
}

/// A tree of joins as SQL that has left joins instead of semi and anti joins, which SQL cannot say, and the kinds that
/// it should have, in post-order.
struct Written {
    sql: String,
    kinds: Vec<JoinKind>,
}

/// Appends the join of some tables and returns those whose columns are still there.
fn write_tree(tables: &[usize], draws: &SeededRng, kinds: &[JoinKind], into: &mut Written) -> Vec<usize> {
    if let [table] = tables {
        into.sql.push_str(&format!("t{table}"));
        return vec![*table];
    }
    let (left, right) = tables.split_at(1 + below(draws, tables.len() - 1));
    into.sql.push('(');
    let left = write_tree(left, draws, kinds, into);
    let kind = kinds[below(draws, kinds.len())].clone();
    into.sql.push_str(match kind {
        JoinKind::Inner => " join ",
        JoinKind::Right => " right join ",
        JoinKind::Full => " full join ",
        _ => " left join ",
    });
    let right = write_tree(right, draws, kinds, into);
    let conditions: Vec<String> = (0..1 + below(draws, 2)).map(|_| condition(&left, &right, draws)).collect();
    into.sql.push_str(&format!(" on {})", conditions.join(" and ")));
    into.kinds.push(kind.clone());
    match kind {
        JoinKind::Semi | JoinKind::Anti => left,
        _ => [left, right].concat(),
    }
}

fn condition(left: &[usize], right: &[usize], draws: &SeededRng) -> String {
    let column = |tables: &[usize]| {
        let table = tables[below(draws, tables.len())];
        format!("{}{table}", if below(draws, 2) == 0 { "a" } else { "b" })
    };
    let (l, r) = (column(left), column(right));
    let third = column(&[left, right].concat());
    match below(draws, 12) {
        0 => format!("{l} is not distinct from {r}"),
        1 => format!("coalesce({l}, 1) = {r}"),
        2 => format!("{l} = coalesce({r}, 2)"),
        3 => format!("({l} = {r} or {l} is null)"),
        4 => format!("({l} = {r} or {third} is null)"),
        5 => format!("{l} + {third} = {r} + 1"),
        6 => format!("{l} < {r}"),
        7 => "true".to_owned(),
        8 if below(draws, 2) == 0 => format!("{l} is null"),
        9 if below(draws, 2) == 0 => format!("{r} is null"),
        _ => format!("{l} = {r}"),
    }
}

/// Gives joins the kinds that SQL could not say.
fn set_kinds(plan: &mut LogicalPlan, kinds: &mut std::slice::Iter<'_, JoinKind>) {
    for input in plan.inputs_mut() {
        set_kinds(input, kinds);
    }
    if let LogicalPlan::Join(join) = plan {
        join.kind = kinds.next().unwrap().clone();
    }
}

fn tree_of(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Join(_) => plan,
        LogicalPlan::Project(project) => tree_of(*project.input),
        other => panic!("{other:?}"),
    }
}

/// The joins of a plan, by what they join.
fn shape(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::Scan(scan) => scan.table.name.clone(),
        LogicalPlan::Join(join) => format!("({} {})", shape(&join.left), shape(&join.right)),
        other => other.inputs().into_iter().map(shape).collect(),
    }
}

fn sorted(mut rows: Vec<Row>) -> Vec<String> {
    let mut rows: Vec<String> = rows.drain(..).map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// A plan in the order that is found in so many steps.
fn ordered(plan: LogicalPlan, estimator: &Estimator<'_>, steps: usize) -> LogicalPlan {
    let LogicalPlan::Join(join) = plan else { return reorder(plan, estimator) };
    let mut tree = Tree::default();
    tree.add_join(*join, estimator);
    tree.order(estimator, steps)
}

/// Orders random trees of joins of these kinds; returns how many got another shape.
fn check_orders(kinds: &[JoinKind], trees: u64) -> usize {
    let catalog = catalog();
    let mut moved = 0;
    for seed in 0..trees {
        let draws = &SeededRng::new(seed);
        let mut tables = filled(&catalog, draws);
        let mut joined: Vec<usize> = (0..TABLES).collect();
        (1..TABLES).for_each(|i| joined.swap(i, below(draws, i + 1)));
        joined.truncate(3 + below(draws, TABLES - 2));
        let mut written = Written { sql: String::new(), kinds: Vec::new() };
        write_tree(&joined, draws, kinds, &mut written);
        let sql = format!("select 1 from {}", written.sql);
        let BoundQuery { plan, columns, .. } = query_of(&catalog, &sql);
        let mut plan = tree_of(plan);
        set_kinds(&mut plan, &mut written.kinds.iter());
        let before = plan.display(&columns).to_string();
        let expected = sorted(tables.run(&plan, &columns).unwrap());
        let plan = push_down(plan);
        let mut shapes = HashSet::new();
        for (sizes, steps) in [(0, MAX_STEPS), (1, MAX_STEPS), (2, MAX_STEPS), (0, 0), (1, 0)] {
            let sizes = Sizes(seed * 4 + sizes);
            let estimator = Estimator::new(&sizes, &plan);
            let ordered = ordered(plan.clone(), &estimator, steps);
            let found = sorted(tables.run(&ordered, &columns).unwrap());
            let after = ordered.display(&columns);
            assert!(found == expected, "seed {seed}: {sql}\n{before}\n{after}\n{expected:?}\n{found:?}");
            shapes.insert(shape(&ordered));
        }
        moved += usize::from(shapes.len() > 1);
    }
    moved
}

#[test]
fn every_order_gives_the_rows_of_the_tree() {
    use JoinKind::{Anti, Full, Inner, Left, Right, Semi};
    for kinds in [
        vec![Inner],
        vec![Inner, Left],
        vec![Left, Right, Inner],
        vec![Left, Full, Inner],
        vec![Full],
        vec![Inner, Semi, Anti],
        vec![Inner, Left, Right, Semi, Anti],
        vec![Inner, Left, Right, Full, Semi, Anti],
    ] {
        let moved = check_orders(&kinds, 100);
        assert!(moved > 15, "only {moved} trees of {kinds:?} were ordered by size");
    }
}
