//! What a result column without an alias is called: PostgreSQL's `FigureColname`.

use crate::parser::ast::{Expr, ExprKind, FunctionCall, Query, QueryBody, SelectItem};

/// The name of a result column.
pub(super) fn column_name(expr: &Expr) -> String {
    figure(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// How good a name is: a better one further in wins.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// From a type or the keyword CASE.
    Weak,
    /// From a column or function.
    Strong,
}

fn figure(expr: &Expr) -> Option<(String, Strength)> {
    let strong = |name: &str| Some((name.to_owned(), Strength::Strong));
    let weak = |name: &str| Some((name.to_owned(), Strength::Weak));
    match &expr.kind {
        ExprKind::Column(names) => names.last().and_then(|name| strong(&name.name)),
        ExprKind::Function(call) => strong(function_name(call)),
        ExprKind::SessionValue(value) => strong(value.name()),
        ExprKind::Exists(_) => strong("exists"),
        ExprKind::Array(_) => strong("array"),
        ExprKind::Row { .. } => strong("row"),
        ExprKind::Collate { operand, .. } => figure(operand),
        ExprKind::Cast { operand, to, .. } => match figure(operand) {
            Some((name, Strength::Strong)) => strong(&name),
            _ => weak(&to.name),
        },
        ExprKind::Case { otherwise, .. } => match otherwise.as_deref().and_then(figure) {
            Some((name, Strength::Strong)) => strong(&name),
            _ => weak("case"),
        },
        ExprKind::Subquery(query) => first_column(query).and_then(|name| strong(&name)),
        ExprKind::Literal(_)
        | ExprKind::Parameter(_)
        | ExprKind::Default
        | ExprKind::Unary { .. }
        | ExprKind::Binary { .. }
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Not(_)
        | ExprKind::Is { .. }
        | ExprKind::IsDistinctFrom { .. }
        | ExprKind::Pattern { .. }
        | ExprKind::Between { .. }
        | ExprKind::InList { .. }
        | ExprKind::InQuery { .. }
        | ExprKind::Quantified { .. } => None,
    }
}

fn function_name(call: &FunctionCall) -> &str {
    &call.name.name.name
}

/// What the first column of a query is called, as far as its text tells.
fn first_column(query: &Query) -> Option<String> {
    let mut body = &query.body;
    loop {
        match body {
            QueryBody::Select(select) => {
                return match select.items.first()? {
                    SelectItem::Expr { alias: Some(alias), .. } => Some(alias.name.clone()),
                    SelectItem::Expr { expr, alias: None } => Some(column_name(expr)),
                    SelectItem::Wildcard { .. } => None,
                };
            }
            QueryBody::Values(_) => return Some("column1".to_owned()),
            QueryBody::Nested(query) => body = &query.body,
            QueryBody::SetOperations { first, .. } => body = first,
        }
    }
}
