//! The named savepoints of one transaction block.

use crate::error::{Result, TransactionError};

/// A stack of savepoints, each with the progress `P` (undo, redo, locks) that ROLLBACK TO goes back to. A name
/// may occur more than once; the newest hides the others, which appear again when it is released.
#[derive(Debug)]
pub struct Savepoints<P> {
    stack: Vec<(Box<str>, P)>,
}

impl<P> Default for Savepoints<P> {
    fn default() -> Self {
        Self { stack: Vec::new() }
    }
}

impl<P: Copy> Savepoints<P> {
    /// SAVEPOINT.
    pub fn set(&mut self, name: &str, progress: P) {
        self.stack.push((name.into(), progress));
    }

    /// RELEASE SAVEPOINT: forgets the newest of that name and all set after it; what was done stays.
    ///
    /// # Errors
    /// 3B001 if there is none of that name.
    pub fn release(&mut self, name: &str) -> Result<()> {
        let at = self.find(name)?;
        self.stack.truncate(at);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT: where to go back to. The savepoint stays, those set after it are forgotten.
    ///
    /// # Errors
    /// 3B001 if there is none of that name.
    pub fn rollback_to(&mut self, name: &str) -> Result<P> {
        let at = self.find(name)?;
        self.stack.truncate(at + 1);
        Ok(self.stack[at].1)
    }

    /// The transaction ended.
    pub fn clear(&mut self) {
        self.stack.clear();
    }

    /// Where the newest goes back to.
    pub fn last(&self) -> Option<P> {
        self.stack.last().map(|&(_, progress)| progress)
    }

    /// Whether any is set.
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize> {
        let newest = self.stack.iter().rposition(|(known, _)| **known == *name);
        newest.ok_or_else(|| TransactionError::NoSuchSavepoint { name: name.to_owned() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_back_keeps_the_savepoint_and_drops_later_ones() {
        let mut savepoints = Savepoints::default();
        savepoints.set("a", 1);
        savepoints.set("b", 2);
        savepoints.set("c", 3);
        assert_eq!(savepoints.rollback_to("b").unwrap(), 2);
        assert_eq!(savepoints.rollback_to("b").unwrap(), 2);
        assert_eq!(savepoints.rollback_to("c").unwrap_err().to_string(), "savepoint \"c\" does not exist");
        assert_eq!(savepoints.rollback_to("a").unwrap(), 1);
        assert!(savepoints.rollback_to("b").is_err());
    }

    #[test]
    fn a_second_of_one_name_hides_the_first_until_released() {
        let mut savepoints = Savepoints::default();
        savepoints.set("s", 1);
        savepoints.set("s", 2);
        assert_eq!(savepoints.rollback_to("s").unwrap(), 2);
        savepoints.release("s").unwrap();
        assert_eq!(savepoints.rollback_to("s").unwrap(), 1);
        savepoints.release("s").unwrap();
        assert!(savepoints.release("s").is_err() && savepoints.is_empty());
    }

    #[test]
    fn releasing_drops_later_ones() {
        let mut savepoints = Savepoints::default();
        for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
            savepoints.set(name, at as u64);
        }
        savepoints.release("b").unwrap();
        assert!(savepoints.rollback_to("c").is_err() && savepoints.rollback_to("b").is_err());
        assert!(!savepoints.is_empty());
        savepoints.clear();
        assert!(savepoints.is_empty());
    }
}
