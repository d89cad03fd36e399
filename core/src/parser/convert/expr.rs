//! Expressions.
//!
//! The library's tree leans to the left: in `a + b IS NULL AND c` the root is AND and `a` is at the bottom. Such a
//! spine is first taken apart from the root down, then built up again from its leaf, both in a loop:
//!
//! ```text
//!        AND              spine: [AND c, IS NULL, + b]      leaf: a
//!       /   \
//!   IS NULL  c            a -> Binary(a, [+ b]) -> Is(.., Null) -> And([.., c])
//!     |
//!     +
//!    / \
//!   a   b
//! ```

use super::{Converter, literal};
use crate::{
    error::Result,
    parser::ast::{
        BinaryOperation, CaseBranch, CastSyntax, Expr, ExprKind, IsTest, PatternKind, Position,
        QuantifiedOperand, Quantifier, Query,
    },
    parser::lexer::{Token, TokenKind},
};
use sqlparser::ast as sql;

/// What an operation adds to its left operand.
enum Step {
    And(Box<sql::Expr>),
    Or(Box<sql::Expr>),
    Binary { right: Box<sql::Expr>, comparison: bool, foreign: bool },
    Is { test: IsTest, negated: bool },
    IsDistinctFrom { right: Box<sql::Expr>, negated: bool },
    Between { low: Box<sql::Expr>, high: Box<sql::Expr>, negated: bool },
    InList { list: Vec<sql::Expr>, negated: bool },
    InQuery { query: Box<sql::Query>, negated: bool },
    Pattern { kind: PatternKind, pattern: Box<sql::Expr>, escape: Option<Box<sql::Expr>>, negated: bool },
    Quantified { right: Box<sql::Expr>, quantifier: Quantifier },
    Cast,
    AtTimeZone(Box<sql::Expr>),
    Collate,
}

impl Step {
    /// Steps of one kind in a row make one node instead of a deeper tree.
    fn chain(&self) -> Option<u8> {
        match self {
            Self::And(_) => Some(0),
            Self::Or(_) => Some(1),
            Self::Binary { .. } => Some(2),
            Self::Is { .. }
            | Self::IsDistinctFrom { .. }
            | Self::Between { .. }
            | Self::InList { .. }
            | Self::InQuery { .. }
            | Self::Pattern { .. }
            | Self::Quantified { .. }
            | Self::Cast
            | Self::AtTimeZone(_)
            | Self::Collate => None,
        }
    }
}

/// An expression's left operand and what is done to it, or the expression itself if it has no left operand.
fn split(expr: sql::Expr) -> (sql::Expr, Option<Step>) {
    use sql::{BinaryOperator as Op, Expr as E};
    let (left, step) = match expr {
        E::BinaryOp { left, op: Op::And, right } => (left, Step::And(right)),
        E::BinaryOp { left, op: Op::Or, right } => (left, Step::Or(right)),
        E::BinaryOp { left, op, right } => {
            let comparison = matches!(op, Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq);
            let foreign = matches!(op, Op::Xor | Op::Assignment | Op::MyIntegerDivide | Op::Overlaps);
            (left, Step::Binary { right, comparison, foreign })
        }
        E::IsNull(left) => (left, Step::Is { test: IsTest::Null, negated: false }),
        E::IsNotNull(left) => (left, Step::Is { test: IsTest::Null, negated: true }),
        E::IsTrue(left) => (left, Step::Is { test: IsTest::True, negated: false }),
        E::IsNotTrue(left) => (left, Step::Is { test: IsTest::True, negated: true }),
        E::IsFalse(left) => (left, Step::Is { test: IsTest::False, negated: false }),
        E::IsNotFalse(left) => (left, Step::Is { test: IsTest::False, negated: true }),
        E::IsUnknown(left) => (left, Step::Is { test: IsTest::Unknown, negated: false }),
        E::IsNotUnknown(left) => (left, Step::Is { test: IsTest::Unknown, negated: true }),
        E::IsDistinctFrom(left, right) => (left, Step::IsDistinctFrom { right, negated: false }),
        E::IsNotDistinctFrom(left, right) => (left, Step::IsDistinctFrom { right, negated: true }),
        E::Between { expr, negated, low, high } => (expr, Step::Between { low, high, negated }),
        E::InList { expr, list, negated } => (expr, Step::InList { list, negated }),
        E::InSubquery { expr, subquery: query, negated } => (expr, Step::InQuery { query, negated }),
        E::Like { negated, any: false, expr, pattern, escape_char: escape } => {
            (expr, Step::Pattern { kind: PatternKind::Like, pattern, escape, negated })
        }
        E::ILike { negated, any: false, expr, pattern, escape_char: escape } => {
            (expr, Step::Pattern { kind: PatternKind::ILike, pattern, escape, negated })
        }
        E::SimilarTo { negated, expr, pattern, escape_char: escape } => {
            (expr, Step::Pattern { kind: PatternKind::Similar, pattern, escape, negated })
        }
        E::AnyOp { left, right, .. } => (left, Step::Quantified { right, quantifier: Quantifier::Any }),
        E::AllOp { left, right, .. } => (left, Step::Quantified { right, quantifier: Quantifier::All }),
        E::Cast { kind: sql::CastKind::DoubleColon, expr, .. } => (expr, Step::Cast),
        E::AtTimeZone { timestamp, time_zone } => (timestamp, Step::AtTimeZone(time_zone)),
        E::Collate { expr, .. } => (expr, Step::Collate),
        leaf => return (leaf, None),
    };
    (*left, Some(step))
}

impl Converter<'_> {
    pub(super) fn expr(&mut self, expr: sql::Expr) -> Result<Expr> {
        let mut spine = Vec::new();
        let mut rest = expr;
        let leaf = loop {
            match split(rest) {
                (left, Some(step)) => {
                    spine.push(step);
                    rest = left;
                }
                (leaf, None) => break leaf,
            }
        };
        let nodes = spine.chunk_by(|a, b| a.chain().is_some() && a.chain() == b.chain()).count();
        let levels = u32::try_from(nodes).unwrap_or(u32::MAX).saturating_add(1);
        self.deeper(levels, |this| {
            let mut left = this.leaf(leaf)?;
            let mut compared = false;
            while let Some(step) = spine.pop() {
                let comparison = matches!(step, Step::Binary { comparison: true, .. });
                if compared && comparison {
                    // Comparisons do not associate: `a < b < c` is no expression.
                    this.operator();
                    return Err(this.cursor.source.syntax_error(this.cursor.at.saturating_sub(1)));
                }
                compared = comparison;
                left = this.step(left, step)?;
            }
            Ok(left)
        })
    }

    pub(super) fn exprs(&mut self, exprs: Vec<sql::Expr>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    pub(super) fn boxed(&mut self, expr: sql::Expr) -> Result<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    pub(super) fn optional(&mut self, expr: Option<sql::Expr>) -> Result<Option<Expr>> {
        expr.map(|expr| self.expr(expr)).transpose()
    }

    /// A query within an expression or FROM.
    pub(super) fn subquery(&mut self, query: sql::Query) -> Result<Box<Query>> {
        self.query(query).map(Box::new)
    }

    /// Moves past the next operator: its characters and its position.
    fn operator(&mut self) -> (String, Position) {
        let position = self.seek_token(|_, token| token.kind == TokenKind::Operator);
        let before = self.cursor.source.tokens.get(self.cursor.at.saturating_sub(1));
        let text = before.map_or("", |token| self.cursor.source.token_text(token));
        let text = if text == "!=" { "<>" } else { text };
        (text.to_owned(), position)
    }

    fn step(&mut self, left: Expr, step: Step) -> Result<Expr> {
        let operand = Box::new(left);
        match step {
            Step::And(right) => {
                let position = self.seek(&["and"]);
                let right = self.expr(*right)?;
                Ok(junction(*operand, right, position, as_and, ExprKind::And))
            }
            Step::Or(right) => {
                let position = self.seek(&["or"]);
                let right = self.expr(*right)?;
                Ok(junction(*operand, right, position, as_or, ExprKind::Or))
            }
            Step::Binary { foreign: true, .. } => Err(self.not_supported("this operator")),
            Step::Binary { right, .. } => {
                let (operator, position) = self.infix_operator()?;
                let right = self.expr(*right)?;
                Ok(binary(*operand, BinaryOperation { operator, position, right }))
            }
            Step::Is { test, negated } => {
                let position = self.seek(&["is", "isnull", "not", "notnull"]);
                if self.cursor.source.tokens.get(self.cursor.at - 1).is_some_and(|t| t.is_word("not")) {
                    // `a NOT NULL` is another database's `a IS NOT NULL`.
                    return Err(self.foreign());
                }
                self.cursor.accept_word("not");
                let _ = ["null", "true", "false", "unknown"].iter().any(|word| self.cursor.accept_word(word));
                Ok(Expr { position, kind: ExprKind::Is { operand, test, negated } })
            }
            Step::IsDistinctFrom { right, negated } => {
                let position = self.seek(&["is"]);
                self.seek(&["from"]);
                let right = self.boxed(*right)?;
                Ok(Expr { position, kind: ExprKind::IsDistinctFrom { left: operand, right, negated } })
            }
            Step::Between { low, high, negated } => {
                let position = self.seek(&["not", "between"]);
                self.cursor.accept_word("between");
                let symmetric = self.cursor.accept_word("symmetric");
                let low = self.boxed(*low)?;
                self.seek(&["and"]);
                let high = self.boxed(*high)?;
                Ok(Expr { position, kind: ExprKind::Between { operand, low, high, symmetric, negated } })
            }
            Step::InList { list, negated } => {
                let position = self.seek(&["not", "in"]);
                let list = self.exprs(list)?;
                Ok(Expr { position, kind: ExprKind::InList { operand, list, negated } })
            }
            Step::InQuery { query, negated } => {
                let position = self.seek(&["not", "in"]);
                let query = self.subquery(*query)?;
                Ok(Expr { position, kind: ExprKind::InQuery { operand, query, negated } })
            }
            Step::Pattern { kind, pattern, escape, negated } => {
                let position = self.seek(&["not", "like", "ilike", "similar"]);
                let pattern = self.boxed(*pattern)?;
                let escape = match escape {
                    Some(escape) => {
                        self.seek(&["escape"]);
                        Some(self.boxed(*escape)?)
                    }
                    None => None,
                };
                Ok(Expr { position, kind: ExprKind::Pattern { kind, operand, pattern, escape, negated } })
            }
            Step::Quantified { right, quantifier } => self.quantified(operand, *right, quantifier),
            Step::Cast => {
                let position =
                    self.seek_token(|text, token| token.kind == TokenKind::Operator && text == "::");
                let to = self.cursor.type_name()?;
                Ok(Expr { position, kind: ExprKind::Cast { operand, to, syntax: CastSyntax::DoubleColon } })
            }
            Step::AtTimeZone(zone) => {
                let position = self.seek(&["at"]);
                let zone = self.expr(*zone)?;
                Ok(super::function::call("timezone", vec![zone, *operand], position))
            }
            Step::Collate => {
                let position = self.seek(&["collate"]);
                let collation = self.cursor.object_name()?;
                Ok(Expr { position, kind: ExprKind::Collate { operand, collation } })
            }
        }
    }

    /// An operator between operands, which may be written `OPERATOR(schema.+)`.
    fn infix_operator(&mut self) -> Result<(String, Position)> {
        let start = self.cursor.at;
        let (operator, position) = self.operator();
        let passed = start..self.cursor.at;
        let tokens = self.cursor.source.tokens.get(passed).unwrap_or_default();
        if tokens.iter().any(|token| token.is_word("operator")) {
            return Err(self.cursor.source.not_supported("OPERATOR()", self.cursor.at - 1));
        }
        Ok((operator, position))
    }

    fn quantified(&mut self, operand: Box<Expr>, right: sql::Expr, quantifier: Quantifier) -> Result<Expr> {
        let position = self.seek_token(|_, token| {
            let pattern = ["not", "like", "ilike"];
            token.kind == TokenKind::Operator
                || matches!(&token.kind, TokenKind::Word(w, _) if pattern.contains(&w.as_str()))
        });
        self.cursor.at -= 1;
        let negated = self.cursor.accept_word("not");
        let operator = if self.cursor.accept_word("like") {
            if negated { "!~~" } else { "~~" }.to_owned()
        } else if self.cursor.accept_word("ilike") {
            if negated { "!~~*" } else { "~~*" }.to_owned()
        } else {
            self.operator().0
        };
        self.seek(&["any", "some", "all"]);
        let right = match right {
            sql::Expr::Subquery(query) => QuantifiedOperand::Query(self.subquery(*query)?),
            array => QuantifiedOperand::Array(self.boxed(array)?),
        };
        Ok(Expr { position, kind: ExprKind::Quantified { operand, operator, quantifier, right } })
    }

    /// An expression that has no left operand.
    fn leaf(&mut self, expr: sql::Expr) -> Result<Expr> {
        use sql::Expr as E;
        match expr {
            E::Identifier(ident) => self.column(&[ident]),
            E::CompoundIdentifier(idents) => self.column(&idents),
            E::Value(value) => self.value(&value),
            E::TypedString(typed) => self.typed_string(&typed.value),
            E::Interval(_) => self.interval(),
            E::Nested(inner) => {
                self.seek_punctuation('(');
                self.expr(*inner)
            }
            E::UnaryOp { op, expr } => self.unary(op, *expr),
            E::Function(function) => self.function(function),
            E::Extract { expr, .. } => self.extract(*expr),
            E::Position { expr, r#in } => self.position_call(*expr, *r#in),
            E::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(*expr, substring_from, substring_for)
            }
            E::Trim { expr, trim_where, trim_what, trim_characters } => {
                self.trim(*expr, trim_where, trim_what, trim_characters)
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.overlay([*expr, *overlay_what, *overlay_from], overlay_for)
            }
            E::Cast { kind: sql::CastKind::Cast, expr, format: None, .. } => {
                let position = self.seek(&["cast"]);
                let operand = self.boxed(*expr)?;
                self.seek(&["as"]);
                let to = self.cursor.type_name()?;
                Ok(Expr { position, kind: ExprKind::Cast { operand, to, syntax: CastSyntax::Cast } })
            }
            E::Case { operand, conditions, else_result, .. } => self.case(operand, conditions, else_result),
            E::Exists { subquery, negated } => {
                let not = negated.then(|| self.seek(&["not"]));
                let position = self.seek(&["exists"]);
                let exists = Expr { position, kind: ExprKind::Exists(self.subquery(*subquery)?) };
                Ok(match not {
                    Some(position) => Expr { position, kind: ExprKind::Not(Box::new(exists)) },
                    None => exists,
                })
            }
            E::Subquery(query) => {
                let position = self.seek_punctuation('(');
                Ok(Expr { position, kind: ExprKind::Subquery(self.subquery(*query)?) })
            }
            E::Tuple(fields) => {
                let position = self.seek_punctuation('(');
                let fields = self.exprs(fields)?;
                Ok(Expr { position, kind: ExprKind::Row { fields, explicit: false } })
            }
            E::Array(sql::Array { elem, named: true }) => {
                let position = self.seek(&["array"]);
                let elements = self.exprs(elem)?;
                self.seek_punctuation(']');
                Ok(Expr { position, kind: ExprKind::Array(elements) })
            }
            E::CompoundFieldAccess { root, access_chain } => {
                let parenthesized = matches!(*root, E::Nested(_) | E::Subquery(_));
                self.leaf(*root)?;
                let subscript = access_chain.iter().any(|a| matches!(a, sql::AccessExpr::Subscript(_)));
                match (subscript, parenthesized) {
                    (true, _) => Err(self.not_supported("array subscripting")),
                    (false, true) => Err(self.not_supported("field selection")),
                    // PostgreSQL wants parentheses around what a field is taken of.
                    (false, false) => Err(self.foreign()),
                }
            }
            E::IsJson { .. } => Err(self.not_supported("IS JSON")),
            E::IsNormalized { .. } => Err(self.not_supported("IS NORMALIZED")),
            E::Rollup(_) | E::Cube(_) | E::GroupingSets(_) => Err(self.not_supported("GROUPING SETS")),
            E::Wildcard(_) | E::QualifiedWildcard(..) => {
                self.seek_token(|text, token| token.kind == TokenKind::Operator && text == "*");
                Err(self.cursor.source.syntax_error(self.cursor.at.saturating_sub(1)))
            }
            // Syntax of other databases.
            _ => Err(self.foreign()),
        }
    }

    /// A column, or one of the words that stand for a value.
    fn column(&mut self, idents: &[sql::Ident]) -> Result<Expr> {
        if let [ident] = idents {
            let token = self.token(ident.span)?;
            let position = token.position;
            if token.is_word("default") {
                return Ok(Expr { position, kind: ExprKind::Default });
            }
            if let Some(value) = super::function::session_value(token) {
                return Ok(Expr { position, kind: ExprKind::SessionValue(value) });
            }
        }
        let mut names = Vec::with_capacity(idents.len());
        for (index, ident) in idents.iter().enumerate() {
            names.push(self.ident(ident, |category| index > 0 || category.is_column_id())?);
        }
        let position = names.first().map_or(1, |name| name.position);
        if names.len() > 4 {
            let name = names.iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(".");
            let error = crate::error::StatementError::TooManyDots { what: "qualified", name };
            return Err(crate::Error::from(error).at(position));
        }
        Ok(Expr { position, kind: ExprKind::Column(names) })
    }

    fn unary(&mut self, op: sql::UnaryOperator, operand: sql::Expr) -> Result<Expr> {
        if op == sql::UnaryOperator::Not {
            let position = self.seek(&["not"]);
            let operand = self.boxed(operand)?;
            return Ok(Expr { position, kind: ExprKind::Not(operand) });
        }
        let (operator, position) = self.operator();
        let operand = self.expr(operand)?;
        if operator == "-"
            && let ExprKind::Literal(constant) = &operand.kind
            && let Some(constant) = literal::negated(constant)
        {
            return Ok(Expr { position, kind: ExprKind::Literal(constant) });
        }
        Ok(Expr { position, kind: ExprKind::Unary { operator, operand: Box::new(operand) } })
    }

    fn case(
        &mut self,
        operand: Option<Box<sql::Expr>>,
        conditions: Vec<sql::CaseWhen>,
        otherwise: Option<Box<sql::Expr>>,
    ) -> Result<Expr> {
        let position = self.seek(&["case"]);
        let operand = operand.map(|operand| self.boxed(*operand)).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for branch in conditions {
            self.seek(&["when"]);
            let when = self.expr(branch.condition)?;
            self.seek(&["then"]);
            let then = self.expr(branch.result)?;
            branches.push(CaseBranch { when, then });
        }
        let otherwise = match otherwise {
            Some(otherwise) => {
                self.seek(&["else"]);
                Some(self.boxed(*otherwise)?)
            }
            None => None,
        };
        self.seek(&["end"]);
        Ok(Expr { position, kind: ExprKind::Case { operand, branches, otherwise } })
    }
}

/// Adds an operation to a chain, or starts one.
fn binary(left: Expr, operation: BinaryOperation) -> Expr {
    let position = operation.position;
    let kind = match left {
        Expr { kind: ExprKind::Binary { first, mut rest }, .. } => {
            rest.push(operation);
            ExprKind::Binary { first, rest }
        }
        first => ExprKind::Binary { first: Box::new(first), rest: vec![operation] },
    };
    Expr { position, kind }
}

/// Adds a term to a conjunction or disjunction, or starts one.
fn junction(
    left: Expr,
    right: Expr,
    position: Position,
    terms: impl Fn(ExprKind) -> std::result::Result<Vec<Expr>, ExprKind>,
    make: impl Fn(Vec<Expr>) -> ExprKind,
) -> Expr {
    match terms(left.kind) {
        Ok(mut terms) => {
            terms.push(right);
            Expr { position: left.position, kind: make(terms) }
        }
        Err(kind) => {
            let left = Expr { position: left.position, kind };
            Expr { position, kind: make(vec![left, right]) }
        }
    }
}

fn as_and(kind: ExprKind) -> std::result::Result<Vec<Expr>, ExprKind> {
    match kind {
        ExprKind::And(terms) => Ok(terms),
        other => Err(other),
    }
}

fn as_or(kind: ExprKind) -> std::result::Result<Vec<Expr>, ExprKind> {
    match kind {
        ExprKind::Or(terms) => Ok(terms),
        other => Err(other),
    }
}

/// Is the token a word of these?
pub(super) fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(&token.kind, TokenKind::Word(word, _) if words.contains(&word.as_str()))
}
