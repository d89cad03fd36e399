//! The types of parameters: given by the client, or taken from the first place that needs one.

use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result, StatementError};
use crate::expr::Expr;
use crate::parser::ast::Position;
use crate::types::DataType;

impl Binder<'_> {
    /// The parameter with a number from 1.
    pub(super) fn bind_parameter(&self, number: u32, position: Position) -> Result<Expr> {
        match index(number).and_then(|index| self.parameters.get(index)) {
            Some(ty) => Ok(Expr::Parameter { number, ty: *ty }),
            None => Err(Error::from(StatementError::UndefinedParameter { number }).at(position)),
        }
    }

    /// Takes note of the types that parameters of unknown type were given in an expression.
    ///
    /// # Errors
    /// 42P08 if it gives one parameter two types, or another than was settled before.
    pub(super) fn settle(&mut self, expr: &Expr, position: Position) -> Result<()> {
        if !self.parameters.contains(&DataType::Unknown) {
            return Ok(());
        }
        let mut conflict = None;
        expr.any(&mut |node| {
            let Expr::Parameter { number, ty } = node else { return false };
            if *ty == DataType::Unknown {
                return false;
            }
            let Some(known) = index(*number).and_then(|index| self.parameters.get_mut(index)) else {
                return false;
            };
            if *known == DataType::Unknown {
                *known = crate::expr::without_modifiers(*ty);
            } else if known.oid() != ty.oid() {
                conflict = Some((*number, *known, *ty));
            }
            false
        });
        match conflict {
            None => Ok(()),
            Some((number, known, ty)) => {
                let error = Error::from(BindingError::AmbiguousParameter { number });
                Err(error.with_detail(format!("{} versus {}", known.name(), ty.name()))).at(position)
            }
        }
    }

    /// The types of all parameters when the statement is bound.
    pub(super) fn finish_parameters(self) -> Result<Vec<DataType>> {
        match self.parameters.iter().position(|ty| *ty == DataType::Unknown) {
            None => Ok(self.parameters),
            Some(index) => Err(BindingError::IndeterminateParameter { number: index + 1 }.into()),
        }
    }
}

/// Parameters are numbered from 1.
fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}
