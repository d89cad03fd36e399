//! DISTINCT and DISTINCT ON.

use super::Binder;
use super::order::{BoundKey, Target};
use super::query::Item;
use super::scope::Clause;
use crate::error::{BindingError, Error, Result};
use crate::parser::ast::Distinct;

impl Binder<'_> {
    /// The keys of DISTINCT ON; for DISTINCT only the checks.
    pub(super) fn bind_distinct(
        &mut self,
        distinct: &Distinct,
        items: &mut [Item],
        order: &[BoundKey],
    ) -> Result<Vec<BoundKey>> {
        match distinct {
            Distinct::All => Ok(Vec::new()),
            Distinct::Rows => {
                self.resolve_items(items)?;
                match order.iter().find(|key| matches!(key.target, Target::Expr(_))) {
                    None => Ok(Vec::new()),
                    Some(key) => Err(Error::from(BindingError::DistinctOrder).at(key.position)),
                }
            }
            Distinct::On(keys) => {
                self.level().clause = Clause::DistinctOn;
                let mut bound: Vec<BoundKey> = Vec::with_capacity(keys.len());
                for key in keys {
                    let target = self.bind_target(key, items, Clause::DistinctOn)?;
                    if !bound.iter().any(|other| same(&other.target, &target)) {
                        let position = key.start();
                        bound.push(BoundKey { target, descending: false, nulls_first: false, position });
                    }
                }
                check_order(&bound, order)?;
                Ok(bound)
            }
        }
    }
}

/// The first keys of ORDER BY must be those of DISTINCT ON, in any order.
fn check_order(on: &[BoundKey], order: &[BoundKey]) -> Result<()> {
    let matching = |key: &&BoundKey| on.iter().any(|other| same(&other.target, &key.target));
    let leading: Vec<&BoundKey> = order.iter().take_while(matching).collect();
    if leading.len() == order.len() {
        return Ok(());
    }
    let missing = on.iter().find(|key| !leading.iter().any(|other| same(&other.target, &key.target)));
    match missing {
        None => Ok(()),
        Some(key) => Err(Error::from(BindingError::DistinctOnOrder).at(key.position)),
    }
}

fn same(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Item(a), Target::Item(b)) => a == b,
        (Target::Expr(a), Target::Expr(b)) => a == b,
        (Target::Item(_), Target::Expr(_)) | (Target::Expr(_), Target::Item(_)) => false,
    }
}
