//! The grammar of type names.

use super::{
    ast::{IntervalFields, TypeName},
    cursor::Cursor,
    lexer::{Token, TokenKind, keyword::Category},
};
use crate::error::{Error, Result, StatementError};

impl Cursor<'_> {
    /// A type: name, modifiers, array dimensions.
    pub(super) fn type_name(&mut self) -> Result<TypeName> {
        if self.is_word("setof") {
            return Err(self.not_supported("SETOF"));
        }
        let mut type_name = self.simple_type_name()?;
        if self.accept_word("array") {
            type_name.dimensions = 1;
            if self.accept_punctuation('[') {
                self.modifier()?;
                self.expect_punctuation(']')?;
            }
            return Ok(type_name);
        }
        while self.accept_punctuation('[') {
            if !self.is_punctuation(']') {
                self.modifier()?;
            }
            self.expect_punctuation(']')?;
            type_name.dimensions += 1;
        }
        Ok(type_name)
    }

    /// A type without array dimensions, as it may stand before a literal.
    pub(super) fn simple_type_name(&mut self) -> Result<TypeName> {
        let position = self.position();
        let mut type_name = TypeName {
            schema: None,
            name: String::new(),
            modifiers: Vec::new(),
            fields: None,
            dimensions: 0,
            position,
        };
        match self.peek() {
            Some(Token { kind: TokenKind::Word(word, Category::ColumnName), .. }) => {
                self.at += 1;
                self.keyword_type(word, &mut type_name)?;
            }
            _ if self.accept_words(&["double", "precision"]) => type_name.name = "float8".to_owned(),
            _ => self.named_type(&mut type_name)?,
        }
        Ok(type_name)
    }

    /// A type that is not a keyword, perhaps with a schema.
    fn named_type(&mut self, type_name: &mut TypeName) -> Result<()> {
        let mut name = self.ident_if(Category::is_function_name)?;
        while self.accept_punctuation('.') {
            if let Some(schema) = type_name.schema.replace(name) {
                let dotted = format!("{schema}.{type_name}");
                let error = StatementError::TooManyDots { what: "qualified", name: dotted };
                return Err(Error::from(error).at(type_name.position));
            }
            name = self.label()?;
        }
        type_name.name = name.name;
        type_name.modifiers = self.modifiers()?;
        Ok(())
    }

    /// One of the types whose names are keywords; the first word has been taken.
    fn keyword_type(&mut self, word: &str, type_name: &mut TypeName) -> Result<()> {
        let name = match word {
            "int" | "integer" => "int4",
            "smallint" => "int2",
            "bigint" => "int8",
            "real" => "float4",
            "boolean" => "bool",
            "float" => self.float()?,
            "decimal" | "dec" | "numeric" => {
                type_name.modifiers = self.modifiers()?;
                "numeric"
            }
            "bit" => {
                let varying = self.accept_word("varying");
                type_name.modifiers = self.modifiers()?;
                if varying {
                    "varbit"
                } else {
                    one_if_absent(&mut type_name.modifiers);
                    "bit"
                }
            }
            "varchar" => {
                type_name.modifiers = self.modifiers()?;
                "varchar"
            }
            "character" | "char" | "nchar" => self.character(type_name)?,
            "national" => {
                if !self.accept_word("character") {
                    self.expect_word("char")?;
                }
                self.character(type_name)?
            }
            "time" | "timestamp" => {
                type_name.modifiers = self.modifiers()?;
                let zoned = self.accept_words(&["with", "time", "zone"]);
                if !zoned {
                    self.accept_words(&["without", "time", "zone"]);
                }
                match (word, zoned) {
                    ("time", false) => "time",
                    ("time", true) => "timetz",
                    (_, false) => "timestamp",
                    (_, true) => "timestamptz",
                }
            }
            "interval" => {
                type_name.modifiers = self.modifiers()?;
                self.interval_fields(type_name)?;
                "interval"
            }
            _ => {
                self.at -= 1;
                return Err(self.error());
            }
        };
        type_name.name = name.to_owned();
        Ok(())
    }

    /// `float` and `float(p)`.
    fn float(&mut self) -> Result<&'static str> {
        let position = self.position();
        let bound = match self.modifiers()?.first() {
            None | Some(25..=53) => return Ok("float8"),
            Some(1..=24) => return Ok("float4"),
            Some(..=0) => "at least 1 bit",
            Some(_) => "less than 54 bits",
        };
        let error = StatementError::InvalidPrecision { type_name: "float", bound };
        Err(Error::from(error).at(position.saturating_add(1)))
    }

    fn character(&mut self, type_name: &mut TypeName) -> Result<&'static str> {
        let varying = self.accept_word("varying");
        type_name.modifiers = self.modifiers()?;
        if varying {
            return Ok("varchar");
        }
        one_if_absent(&mut type_name.modifiers);
        Ok("bpchar")
    }

    /// `YEAR`, `DAY TO SECOND(3)`, ... after `interval` or an interval literal.
    pub(super) fn interval_fields(&mut self, type_name: &mut TypeName) -> Result<()> {
        use IntervalFields::{
            Day, DayToHour, DayToMinute, DayToSecond, Hour, HourToMinute, HourToSecond, Minute,
            MinuteToSecond, Month, Second, Year, YearToMonth,
        };
        const RANGES: &[(&str, &str, IntervalFields)] = &[
            ("year", "month", YearToMonth),
            ("day", "hour", DayToHour),
            ("day", "minute", DayToMinute),
            ("day", "second", DayToSecond),
            ("hour", "minute", HourToMinute),
            ("hour", "second", HourToSecond),
            ("minute", "second", MinuteToSecond),
        ];
        const SINGLE: &[(&str, IntervalFields)] = &[
            ("year", Year),
            ("month", Month),
            ("day", Day),
            ("hour", Hour),
            ("minute", Minute),
            ("second", Second),
        ];
        let range = RANGES.iter().find(|(from, to, _)| self.are_words(&[from, "to", to]));
        let single = SINGLE.iter().find(|(word, _)| self.is_word(word));
        type_name.fields = match (range, single) {
            (Some((_, _, fields)), _) => {
                self.at += 3;
                Some(*fields)
            }
            (None, Some((_, fields))) => {
                self.at += 1;
                Some(*fields)
            }
            (None, None) => return Ok(()),
        };
        let to_second =
            matches!(type_name.fields, Some(Second | DayToSecond | HourToSecond | MinuteToSecond));
        if to_second && type_name.modifiers.is_empty() {
            type_name.modifiers = self.modifiers()?;
        }
        Ok(())
    }

    /// `(n, m)`, if given.
    fn modifiers(&mut self) -> Result<Vec<i64>> {
        if !self.accept_punctuation('(') {
            return Ok(Vec::new());
        }
        let modifiers = self.comma_separated(Self::modifier)?;
        self.expect_punctuation(')')?;
        Ok(modifiers)
    }

    fn modifier(&mut self) -> Result<i64> {
        let negative = self.accept_operator("-");
        match self.peek() {
            Some(Token { kind: TokenKind::Number(digits), .. }) => {
                let value = digits.parse::<i64>().map_err(|_| self.error())?;
                self.at += 1;
                Ok(if negative { -value } else { value })
            }
            _ => Err(self.error()),
        }
    }
}

/// `char` and `bit` have length 1 unless another is given.
fn one_if_absent(modifiers: &mut Vec<i64>) {
    if modifiers.is_empty() {
        modifiers.push(1);
    }
}
