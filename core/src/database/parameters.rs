//! Values for the parameters of a statement.

use super::value::ToValue;
use crate::error::{Result, StatementError};
use crate::session::Prepared;
use crate::types::Value;
use std::borrow::Cow;

/// Values for the parameters of a statement: `()` for none, tuples, arrays, slices and vectors of values by position,
/// slices of pairs of a name and a value by name.
pub trait Params {
    /// The values, in the order of the parameters' numbers; the statement, if it is known, tells which name has which.
    ///
    /// # Errors
    /// 42P02 for a name that the statement does not have.
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>>;
}

impl Params for () {
    fn values(&self, _: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        Ok(Cow::Borrowed(&[]))
    }
}

impl Params for [Value] {
    fn values(&self, _: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        Ok(Cow::Borrowed(self))
    }
}

impl Params for Vec<Value> {
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        self.as_slice().values(statement)
    }
}

impl<const N: usize> Params for [Value; N] {
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        self.as_slice().values(statement)
    }
}

impl<P: Params + ?Sized> Params for &P {
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        (**self).values(statement)
    }
}

impl<N: AsRef<str>> Params for [(N, Value)] {
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        let first = || self.first().map_or("", |(name, _)| name.as_ref()).to_owned();
        let statement = statement.ok_or_else(|| StatementError::UndefinedParameterName { name: first() })?;
        let mut values = vec![None; statement.parameters.len()];
        for (name, value) in self {
            let name = name.as_ref();
            let number = statement.parameter_number(name);
            let place = number.and_then(|number| values.get_mut(number - 1));
            *place.ok_or_else(|| StatementError::UndefinedParameterName { name: name.to_owned() })? =
                Some(value.clone());
        }
        let given = values.iter().flatten().count();
        let all: Option<Vec<Value>> = values.into_iter().collect();
        let expected = statement.parameters.len();
        all.map(Cow::Owned).ok_or_else(|| StatementError::ParameterCount { given, expected }.into())
    }
}

impl<const N: usize> Params for [(&str, Value); N] {
    fn values(&self, statement: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
        self.as_slice().values(statement)
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: ToValue),+> Params for ($($name,)+) {
            #[expect(non_snake_case, reason = "the variables are named after their types")]
            fn values(&self, _: Option<&Prepared>) -> Result<Cow<'_, [Value]>> {
                let ($($name,)+) = self;
                Ok(Cow::Owned(vec![$($name.to_value()),+]))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
