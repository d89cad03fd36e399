//! Expressions: one function for each kind of node that has something to decide.

use super::coerce::{convert, odd_one};
use super::{At as _, Binder, interval, literal, not_supported, type_name};
use crate::error::{BindingError, Error, Result};
use crate::expr::{CompareOp, Expr, IsTest, PatternKind};
use crate::parser::ast::{
    self, BinaryOperation, CaseBranch, ExprKind, ObjectName, PatternKind as AstPattern, Position,
    QuantifiedOperand, Quantifier,
};
use crate::types::{CastContext, DataType};

impl Binder<'_> {
    /// The typed expression; a literal or parameter alone may still be of unknown type.
    pub(super) fn bind_expr(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let position = expr.position;
        match &expr.kind {
            ExprKind::Literal(value) => literal::bind_literal(value).at(position),
            ExprKind::Parameter(number) => self.bind_parameter(*number, position),
            ExprKind::Column(names) => self.bind_column(names),
            ExprKind::SessionValue(value) => self.bind_session_value(*value, position),
            ExprKind::Default => Err(Error::from(BindingError::DefaultNotAllowed).at(position)),
            ExprKind::Unary { operator, operand } => self.bind_unary(operator, operand, position),
            ExprKind::Binary { first, rest } => self.bind_chain(first, rest),
            ExprKind::And(terms) => {
                let terms = self.bind_operands(terms, "AND")?;
                Expr::and(terms).at(position)
            }
            ExprKind::Or(terms) => {
                let terms = self.bind_operands(terms, "OR")?;
                Expr::or(terms).at(position)
            }
            ExprKind::Not(operand) => self.bind_condition(operand, "NOT")?.negate().at(position),
            ExprKind::Is { operand, test, negated } => self.bind_is(operand, *test, *negated, position),
            ExprKind::IsDistinctFrom { left, right, negated } => {
                self.bind_distinct_from(left, right, *negated, position)
            }
            ExprKind::Pattern { .. } => self.bind_pattern(expr),
            ExprKind::Between { .. } => self.bind_between(expr),
            ExprKind::InList { operand, list, negated } => {
                self.bind_in_list(operand, list, *negated, position)
            }
            ExprKind::InQuery { operand, query, negated } => {
                let found = self.bind_in_query(operand, "=", query, position)?;
                if *negated { found.negate().at(position) } else { Ok(found) }
            }
            ExprKind::Quantified { operand, operator, quantifier, right } => match right {
                QuantifiedOperand::Query(query) => {
                    self.bind_quantified(operand, operator, *quantifier, query, position)
                }
                QuantifiedOperand::Array(array) => {
                    self.bind_quantified_array(operand, operator, *quantifier, array, position)
                }
            },
            ExprKind::Exists(query) => self.bind_exists(query, position),
            ExprKind::Subquery(query) => self.bind_scalar_subquery(query, position),
            ExprKind::Array(_) => Err(not_supported("an array").at(position)),
            ExprKind::Row { .. } => Err(not_supported("a row as a value").at(position)),
            ExprKind::Case { operand, branches, otherwise } => {
                self.bind_case(operand.as_deref(), branches, otherwise.as_deref(), position)
            }
            ExprKind::Cast { operand, to, .. } => self.bind_cast(operand, to, position),
            ExprKind::Collate { operand, collation } => self.bind_collate(operand, collation, position),
            ExprKind::Function(call) => self.bind_function(call, position),
        }
    }

    /// The terms of AND or OR.
    fn bind_operands(&mut self, terms: &[ast::Expr], construct: &'static str) -> Result<Vec<Expr>> {
        terms.iter().map(|term| self.bind_condition(term, construct)).collect()
    }

    fn bind_unary(&mut self, operator: &str, operand: &ast::Expr, position: Position) -> Result<Expr> {
        if operator == "-"
            && let ExprKind::Literal(value) = &operand.kind
            && let Some(negative) = literal::bind_negative(value)
        {
            return negative.at(position);
        }
        let bound = self.bind_expr(operand)?;
        let result = Expr::operator(operator, vec![bound]);
        self.finish(result, position, &[operand])
    }

    /// `((first op right) op right) ..`
    fn bind_chain(&mut self, first: &ast::Expr, rest: &[BinaryOperation]) -> Result<Expr> {
        if let ([step], ExprKind::Row { .. }) = (rest, &first.kind) {
            return self.bind_row_comparison(first, &step.operator, &step.right, step.position);
        }
        let mut left = self.bind_expr(first)?;
        for (index, step) in rest.iter().enumerate() {
            let right = self.bind_expr(&step.right)?;
            let result = Expr::operator(&step.operator, vec![left, right]);
            left = self.finish(result, step.position, &[first, &step.right])?;
            // Often enough that the tree never gets deep, and no more often than that.
            if index % 64 == 63 {
                left.check_depth().at(step.position)?;
            }
        }
        Ok(left)
    }

    fn bind_is(
        &mut self,
        operand: &ast::Expr,
        test: ast::IsTest,
        negated: bool,
        position: Position,
    ) -> Result<Expr> {
        let test = match test {
            ast::IsTest::Null => IsTest::Null,
            ast::IsTest::True => IsTest::True,
            ast::IsTest::False => IsTest::False,
            ast::IsTest::Unknown => IsTest::Unknown,
        };
        if test == IsTest::Null
            && let ExprKind::Row { fields, .. } = &operand.kind
        {
            return self.bind_row_is_null(fields, negated, position);
        }
        let bound = self.bind_expr(operand)?.is(test, negated).at(operand.start())?;
        self.settle(&bound, position)?;
        Ok(bound)
    }

    fn bind_distinct_from(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        negated: bool,
        position: Position,
    ) -> Result<Expr> {
        let operator = if negated { CompareOp::NotDistinct } else { CompareOp::Distinct };
        if matches!(left.kind, ExprKind::Row { .. }) {
            return self.bind_row_distinct(left, right, operator, position);
        }
        let result = Expr::compare(operator, self.bind_expr(left)?, self.bind_expr(right)?);
        self.finish(result, position, &[left, right])
    }

    fn bind_pattern(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let ExprKind::Pattern { kind, operand, pattern, escape, negated } = &expr.kind else {
            unreachable!("called for patterns")
        };
        let kind = match kind {
            AstPattern::Like => PatternKind::Like,
            AstPattern::ILike => PatternKind::ILike,
            AstPattern::Similar => PatternKind::Similar,
        };
        let (left, right) = (self.bind_expr(operand)?, self.bind_expr(pattern)?);
        let escape = escape.as_deref().map(|escape| self.bind_expr(escape)).transpose()?;
        self.finish(Expr::like(kind, left, right, escape, *negated), expr.position, &[operand, pattern])
    }

    /// `a BETWEEN low AND high` is `a >= low AND a <= high`.
    fn bind_between(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let ExprKind::Between { operand, low, high, symmetric, negated } = &expr.kind else {
            unreachable!("called for BETWEEN")
        };
        let position = expr.position;
        let value = self.bind_expr(operand)?;
        let (low_value, high_value) = (self.bind_expr(low)?, self.bind_expr(high)?);
        let (above, below) = if *negated {
            (CompareOp::Less, CompareOp::Greater)
        } else {
            (CompareOp::GreaterEqual, CompareOp::LessEqual)
        };
        let range = |binder: &mut Self, from: &Expr, to: &Expr| {
            let lower = Expr::compare(above, value.clone(), from.clone());
            let lower = binder.finish(lower, position, &[operand, low])?;
            let upper = Expr::compare(below, value.clone(), to.clone());
            let upper = binder.finish(upper, position, &[operand, high])?;
            if *negated { Expr::or(vec![lower, upper]) } else { Expr::and(vec![lower, upper]) }
        };
        let straight = range(self, &low_value, &high_value)?;
        if !*symmetric {
            return Ok(straight);
        }
        let reverse = range(self, &high_value, &low_value)?;
        if *negated { Expr::and(vec![straight, reverse]) } else { Expr::or(vec![straight, reverse]) }
    }

    fn bind_in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        position: Position,
    ) -> Result<Expr> {
        if matches!(operand.kind, ExprKind::Row { .. }) {
            let rows = list.iter().map(|row| self.bind_row_comparison(operand, "=", row, position));
            let found = Expr::or(rows.collect::<Result<Vec<_>>>()?)?;
            return if negated { found.negate() } else { Ok(found) };
        }
        let value = self.bind_expr(operand)?;
        let members = list.iter().map(|member| self.bind_expr(member)).collect::<Result<Vec<_>>>()?;
        let mut operands = vec![operand];
        operands.extend(list);
        self.finish(Expr::in_list(value, members, negated), position, &operands)
    }

    /// `a op ANY (ARRAY[..])`: the elements are known, so it is a list.
    fn bind_quantified_array(
        &mut self,
        operand: &ast::Expr,
        operator: &str,
        quantifier: Quantifier,
        array: &ast::Expr,
        position: Position,
    ) -> Result<Expr> {
        let elements = match &array.kind {
            ExprKind::Array(elements) if !elements.is_empty() => elements,
            _ => return Err(not_supported("an array").at(array.position)),
        };
        match (operator, quantifier) {
            ("=", Quantifier::Any) => return self.bind_in_list(operand, elements, false, position),
            ("<>", Quantifier::All) => return self.bind_in_list(operand, elements, true, position),
            _ => {}
        }
        let value = self.bind_expr(operand)?;
        let mut terms = Vec::with_capacity(elements.len());
        for element in elements {
            let element_value = self.bind_expr(element)?;
            let term = Expr::operator(operator, vec![value.clone(), element_value]);
            terms.push(self.finish(term, position, &[operand, element])?);
        }
        match quantifier {
            Quantifier::Any => Expr::or(terms),
            Quantifier::All => Expr::and(terms),
        }
        .at(position)
    }

    fn bind_case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[CaseBranch],
        otherwise: Option<&ast::Expr>,
        position: Position,
    ) -> Result<Expr> {
        let value = match operand {
            Some(operand) => Some((operand, self.bind_expr(operand)?.resolve_unknown()?)),
            None => None,
        };
        let mut bound = Vec::with_capacity(branches.len());
        for branch in branches {
            let condition = match &value {
                Some((operand, value)) => {
                    let when = self.bind_expr(&branch.when)?;
                    let equals = Expr::compare(CompareOp::Equal, value.clone(), when);
                    self.finish(equals, branch.when.position, &[operand, &branch.when])?
                }
                None => self.bind_condition(&branch.when, "CASE/WHEN")?,
            };
            bound.push((condition, self.bind_expr(&branch.then)?));
        }
        let otherwise_value = otherwise.map(|expr| self.bind_expr(expr)).transpose()?;
        // The ELSE is looked at first.
        let results: Vec<&ast::Expr> =
            otherwise.into_iter().chain(branches.iter().map(|b| &b.then)).collect();
        let values = otherwise_value.iter().chain(bound.iter().map(|(_, result)| result));
        let odd = odd_one(&values.map(Expr::data_type).collect::<Vec<_>>());
        let at = odd.map_or(position, |index| results[index].start());
        self.finish(Expr::case(bound, otherwise_value), at, &results)
    }

    fn bind_cast(&mut self, operand: &ast::Expr, to: &ast::TypeName, position: Position) -> Result<Expr> {
        if let (Some(fields), "interval", ExprKind::Literal(ast::Literal::String(text))) =
            (to.fields, to.name.as_str(), &operand.kind)
            && to.dimensions == 0
            && to.modifiers.is_empty()
        {
            return interval::bind_interval(text, fields).at(operand.position);
        }
        let ty = type_name::resolve_type(to)?;
        let bound = self.bind_expr(operand)?;
        self.finish(convert(bound, ty, CastContext::Explicit), position, &[operand])
    }

    /// Text is compared by bytes whatever the collation; the collations that mean so are accepted.
    fn bind_collate(
        &mut self,
        operand: &ast::Expr,
        collation: &ObjectName,
        position: Position,
    ) -> Result<Expr> {
        let bound = self.bind_expr(operand)?;
        let ty = bound.data_type();
        if !ty.is_string() && ty != DataType::Unknown {
            return Err(Error::from(BindingError::NoCollation { ty: ty.name() }).at(position));
        }
        check_collation(collation).at(position)?;
        Ok(bound)
    }
}

/// Whether a collation is one of those that compare bytes.
pub(super) fn check_collation(collation: &ObjectName) -> Result<()> {
    if ["C", "POSIX", "default", "ucs_basic"].contains(&collation.name.name.as_str()) {
        return Ok(());
    }
    let error = BindingError::UndefinedCollation { name: collation.to_string() };
    Err(error.into())
}
