//! A short notation for trees, in which tests state what they expect: every operation in parentheses, every literal
//! as it is written in SQL.

use crate::parser::ast::*;
use std::fmt::Write;

/// An expression's shape without positions.
pub(super) fn expr(expr: &Expr) -> String {
    let mut out = String::new();
    print_expr(&mut out, expr, &|_| String::new());
    out
}

/// An expression's shape with the position of each node behind `@`.
pub(super) fn expr_with_positions(expr: &Expr) -> String {
    let mut out = String::new();
    print_expr(&mut out, expr, &|position| format!("@{position}"));
    out
}

type At<'a> = &'a dyn Fn(Position) -> String;

fn list(exprs: &[Expr], at: At<'_>) -> String {
    join(exprs, |e| {
        let mut out = String::new();
        print_expr(&mut out, e, at);
        out
    })
}

fn join<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}

fn idents(idents: &[Ident]) -> String {
    join(idents, |i| i.name.clone())
}

fn print_expr(out: &mut String, expr: &Expr, at: At<'_>) {
    let p = at(expr.position);
    let sub = |e: &Expr| list(std::slice::from_ref(e), at);
    let not = |negated: &bool| if *negated { "not " } else { "" };
    match &expr.kind {
        ExprKind::Literal(l) => match l {
            Literal::Null => write!(out, "null{p}"),
            Literal::Boolean(b) => write!(out, "{b}{p}"),
            Literal::Integer(i) => write!(out, "{i}{p}"),
            Literal::Decimal(d) => write!(out, "{d}d{p}"),
            Literal::String(s) => write!(out, "'{s}'{p}"),
            Literal::Binary(s) => write!(out, "b'{s}'{p}"),
            Literal::Hexadecimal(s) => write!(out, "x'{s}'{p}"),
        },
        ExprKind::Parameter(n) => write!(out, "${n}{p}"),
        ExprKind::Column(names) => {
            write!(out, "{}{p}", names.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join("."))
        }
        ExprKind::SessionValue(v) => write!(out, "{v:?}{p}"),
        ExprKind::Default => write!(out, "default{p}"),
        ExprKind::Unary { operator, operand } => write!(out, "({operator}{p} {})", sub(operand)),
        ExprKind::Binary { first, rest } => {
            write!(out, "({}", sub(first)).unwrap();
            for op in rest {
                write!(out, " {}{} {}", op.operator, at(op.position), sub(&op.right)).unwrap();
            }
            write!(out, ")")
        }
        ExprKind::And(terms) => write!(out, "(and{p} {})", list(terms, at)),
        ExprKind::Or(terms) => write!(out, "(or{p} {})", list(terms, at)),
        ExprKind::Not(e) => write!(out, "(not{p} {})", sub(e)),
        ExprKind::Is { operand, test, negated } => {
            write!(out, "({} is{p} {}{test:?})", sub(operand), not(negated))
        }
        ExprKind::IsDistinctFrom { left, right, negated } => {
            write!(out, "({} is{p} {}distinct {})", sub(left), not(negated), sub(right))
        }
        ExprKind::Pattern { kind, operand, pattern, escape, negated } => {
            write!(out, "({} {}{kind:?}{p} {}", sub(operand), not(negated), sub(pattern)).unwrap();
            if let Some(e) = escape {
                write!(out, " escape {}", sub(e)).unwrap();
            }
            write!(out, ")")
        }
        ExprKind::Between { operand, low, high, symmetric, negated } => {
            let s = if *symmetric { "symmetric " } else { "" };
            write!(out, "({} {}between{p} {s}{}, {})", sub(operand), not(negated), sub(low), sub(high))
        }
        ExprKind::InList { operand, list: l, negated } => {
            write!(out, "({} {}in{p} [{}])", sub(operand), not(negated), list(l, at))
        }
        ExprKind::InQuery { operand, query: q, negated } => {
            write!(out, "({} {}in{p} {{{}}})", sub(operand), not(negated), query(q))
        }
        ExprKind::Quantified { operand, operator, quantifier, right } => {
            let right = match right {
                QuantifiedOperand::Query(q) => format!("{{{}}}", query(q)),
                QuantifiedOperand::Array(e) => sub(e),
            };
            write!(out, "({} {operator}{p} {quantifier:?} {right})", sub(operand))
        }
        ExprKind::Exists(q) => write!(out, "(exists{p} {{{}}})", query(q)),
        ExprKind::Subquery(q) => write!(out, "{{{}}}{p}", query(q)),
        ExprKind::Array(e) => write!(out, "array{p}[{}]", list(e, at)),
        ExprKind::Row { fields, explicit } => {
            let name = if *explicit { "row" } else { "" };
            write!(out, "{name}{p}<{}>", list(fields, at))
        }
        ExprKind::Case { operand, branches, otherwise } => {
            write!(out, "(case{p}").unwrap();
            if let Some(e) = operand {
                write!(out, " {}", sub(e)).unwrap();
            }
            for b in branches {
                write!(out, " when {} then {}", sub(&b.when), sub(&b.then)).unwrap();
            }
            if let Some(e) = otherwise {
                write!(out, " else {}", sub(e)).unwrap();
            }
            write!(out, ")")
        }
        ExprKind::Cast { operand, to, syntax } => match syntax {
            CastSyntax::Literal => write!(out, "{}{p} {}", type_name(to), sub(operand)),
            CastSyntax::Cast => write!(out, "cast{p}({} as {})", sub(operand), type_name(to)),
            CastSyntax::DoubleColon => write!(out, "({}::{p}{})", sub(operand), type_name(to)),
        },
        ExprKind::Collate { operand, collation } => write!(out, "({} collate{p} {collation})", sub(operand)),
        ExprKind::Function(f) => {
            write!(out, "{}", call(f, &p, at)).unwrap();
            Ok(())
        }
    }
    .unwrap();
}

fn call(f: &FunctionCall, p: &str, at: At<'_>) -> String {
    let mut arguments = join(&f.arguments, |a| {
        let name = a.name.as_ref().map(|n| format!("{n} => ")).unwrap_or_default();
        format!("{name}{}", list(std::slice::from_ref(&a.value), at))
    });
    if f.star {
        arguments.push('*');
    }
    if f.distinct {
        arguments.insert_str(0, "distinct ");
    }
    if f.variadic {
        arguments.insert_str(0, "variadic ");
    }
    let mut out = format!("{}{p}({arguments}", f.name);
    if !f.order_by.is_empty() {
        write!(out, " order by {}", sort(&f.order_by)).unwrap();
    }
    out.push(')');
    if !f.within_group.is_empty() {
        write!(out, " within group {}", sort(&f.within_group)).unwrap();
    }
    if let Some(e) = &f.filter {
        write!(out, " filter {}", list(std::slice::from_ref(e), at)).unwrap();
    }
    if let Some(w) = &f.over {
        write!(out, " over {}", window(w)).unwrap();
    }
    out
}

fn window(w: &WindowDefinition) -> String {
    let mut parts = Vec::new();
    parts.extend(w.base.as_ref().map(|b| b.name.clone()));
    if !w.partition_by.is_empty() {
        parts.push(format!("partition {}", join(&w.partition_by, expr)));
    }
    if !w.order_by.is_empty() {
        parts.push(format!("order {}", sort(&w.order_by)));
    }
    if let Some(f) = &w.frame {
        let bound = |b: &FrameBound| match b {
            FrameBound::Preceding(e) => format!("{} preceding", expr(e)),
            FrameBound::Following(e) => format!("{} following", expr(e)),
            other => format!("{other:?}"),
        };
        parts.push(format!("{:?} {} .. {}", f.units, bound(&f.start), bound(&f.end)));
    }
    format!("({})", parts.join(" "))
}

pub(super) fn type_name(t: &TypeName) -> String {
    let mut out = t.to_string();
    if !t.modifiers.is_empty() {
        write!(out, "({})", join(&t.modifiers, i64::to_string)).unwrap();
    }
    if let Some(f) = t.fields {
        write!(out, " {f:?}").unwrap();
    }
    out
}

pub(super) fn sort(items: &[SortItem]) -> String {
    join(items, |i| {
        let d = if i.descending { " desc" } else { "" };
        let n = match i.nulls {
            NullsOrder::Default => "",
            NullsOrder::First => " nulls first",
            NullsOrder::Last => " nulls last",
        };
        format!("{}{d}{n}", expr(&i.expr))
    })
}

pub(super) fn query(q: &Query) -> String {
    let mut out = String::new();
    if let Some(w) = &q.with {
        write!(out, "with{} ", if w.recursive { " recursive" } else { "" }).unwrap();
        let tables = join(&w.tables, |t| {
            let m = match t.materialized {
                None => "",
                Some(true) => "materialized ",
                Some(false) => "not materialized ",
            };
            format!("{}({}) {m}{{{}}}", t.name, idents(&t.columns), query(&t.query))
        });
        write!(out, "{tables} ").unwrap();
    }
    out.push_str(&body(&q.body));
    if !q.order_by.is_empty() {
        write!(out, " order by {}", sort(&q.order_by)).unwrap();
    }
    if let Some(e) = &q.limit {
        write!(out, " limit {}", expr(e)).unwrap();
    }
    if q.with_ties {
        out.push_str(" with ties");
    }
    if let Some(e) = &q.offset {
        write!(out, " offset {}", expr(e)).unwrap();
    }
    for l in &q.locks {
        write!(out, " for {:?} of [{}] {:?}", l.strength, join(&l.of, ObjectName::to_string), l.wait)
            .unwrap();
    }
    out
}

fn body(b: &QueryBody) -> String {
    match b {
        QueryBody::Select(s) => select(s),
        QueryBody::Values(rows) => format!("values {}", join(rows, |r| format!("({})", join(r, expr)))),
        QueryBody::Nested(q) => format!("{{{}}}", query(q)),
        QueryBody::SetOperations { first, rest } => {
            let mut out = format!("[{}", body(first));
            for step in rest {
                let all = if step.all { " all" } else { "" };
                write!(out, " {:?}{all} {}", step.operator, body(&step.right)).unwrap();
            }
            out + "]"
        }
    }
}

pub(super) fn items(items: &[SelectItem]) -> String {
    join(items, |i| match i {
        SelectItem::Expr { expr: e, alias: None } => expr(e),
        SelectItem::Expr { expr: e, alias: Some(a) } => format!("{} as {a}", expr(e)),
        SelectItem::Wildcard { qualifier, exclude, .. } => {
            let mut out = qualifier.iter().map(|q| format!("{q}.")).collect::<String>() + "*";
            if !exclude.is_empty() {
                write!(out, " exclude ({})", idents(exclude)).unwrap();
            }
            out
        }
    })
}

fn select(s: &Select) -> String {
    let distinct = match &s.distinct {
        Distinct::All => String::new(),
        Distinct::Rows => "distinct ".to_owned(),
        Distinct::On(keys) => format!("distinct on ({}) ", join(keys, expr)),
    };
    let mut out = format!("select {distinct}{}", items(&s.items));
    if !s.from.is_empty() {
        write!(out, " from {}", join(&s.from, table)).unwrap();
    }
    if let Some(e) = &s.filter {
        write!(out, " where {}", expr(e)).unwrap();
    }
    match &s.group_by {
        GroupBy::None => {}
        GroupBy::Keys(keys) => write!(out, " group by ({})", join(keys, expr)).unwrap(),
        GroupBy::All(_) => out.push_str(" group by all"),
    }
    if let Some(e) = &s.having {
        write!(out, " having {}", expr(e)).unwrap();
    }
    if !s.windows.is_empty() {
        let windows = join(&s.windows, |w| format!("{} {}", w.name, window(&w.definition)));
        write!(out, " window {windows}").unwrap();
    }
    out
}

pub(super) fn table(t: &TableRef) -> String {
    let named = |a: &Option<Alias>| match a {
        None => String::new(),
        Some(a) if a.columns.is_empty() => format!(" as {}", a.name),
        Some(a) => format!(" as {}({})", a.name, idents(&a.columns)),
    };
    let lateral = |l: &bool| if *l { "lateral " } else { "" };
    match t {
        TableRef::Table { name, alias } => format!("{name}{}", named(alias)),
        TableRef::Query { query: q, lateral: l, alias, .. } => {
            format!("{}{{{}}}{}", lateral(l), query(q), named(alias))
        }
        TableRef::Function { call: f, ordinality, lateral: l, alias } => {
            let o = if *ordinality { " with ordinality" } else { "" };
            format!("{}{}{o}{}", lateral(l), call(f, "", &|_| String::new()), named(alias))
        }
        TableRef::Join { first, joins, alias } => {
            let mut out = format!("({}", table(first));
            for j in joins {
                let condition = match &j.condition {
                    JoinCondition::None => String::new(),
                    JoinCondition::Natural => " natural".to_owned(),
                    JoinCondition::On(e) => format!(" on {}", expr(e)),
                    JoinCondition::Using { columns, .. } => format!(" using ({})", idents(columns)),
                };
                write!(out, " {:?} {}{condition}", j.kind, table(&j.right)).unwrap();
            }
            format!("{out}){}", named(alias))
        }
    }
}
