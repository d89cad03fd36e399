//! Calls of functions, and the special syntax that stands for them.

use super::{Converter, literal};
use crate::{
    error::Result,
    parser::{
        ast::{
            Argument, CastSyntax, Expr, ExprKind, FunctionCall, Ident, Literal, ObjectName, Position,
            SessionValue, TypeName,
        },
        cursor::object_name,
        lexer::{Token, TokenKind, keyword::Category},
    },
};
use sqlparser::ast as sql;

/// Keywords that name no function but are called like one.
const COLUMN_NAME_CALLS: &[&str] = &["coalesce", "greatest", "grouping", "least", "nullif"];

/// A call of one of PostgreSQL's own functions.
pub(super) fn call(name: &str, arguments: Vec<Expr>, position: Position) -> Expr {
    let name = Ident { name: name.to_owned(), position };
    let call = FunctionCall {
        name: ObjectName { database: None, schema: None, name },
        arguments: arguments.into_iter().map(|value| Argument { name: None, value }).collect(),
        star: false,
        distinct: false,
        variadic: false,
        order_by: Vec::new(),
        within_group: Vec::new(),
        filter: None,
        over: None,
    };
    Expr { position, kind: ExprKind::Function(Box::new(call)) }
}

/// The value that an unquoted keyword stands for, without a precision.
pub(super) fn session_value(token: &Token) -> Option<SessionValue> {
    let TokenKind::Word(word, _) = &token.kind else {
        return None;
    };
    Some(match word.as_str() {
        "current_date" => SessionValue::CurrentDate,
        "current_time" => SessionValue::CurrentTime(None),
        "current_timestamp" => SessionValue::CurrentTimestamp(None),
        "localtime" => SessionValue::LocalTime(None),
        "localtimestamp" => SessionValue::LocalTimestamp(None),
        "current_user" => SessionValue::CurrentUser,
        "current_role" => SessionValue::CurrentRole,
        "session_user" => SessionValue::SessionUser,
        "user" => SessionValue::User,
        "current_catalog" => SessionValue::CurrentCatalog,
        "current_schema" => SessionValue::CurrentSchema,
        _ => return None,
    })
}

impl Converter<'_> {
    pub(super) fn function(&mut self, function: sql::Function) -> Result<Expr> {
        let name = self.name_parts(&function.name, |_| true)?;
        let position = name.first().map_or(1, |part| part.position);
        let named = self.cursor.source.tokens.get(self.cursor.at - 1);
        if name.len() == 1
            && let Some(token) = named
        {
            if token.is_word("row") {
                return self.row(function.args, position);
            }
            if token.is_word("array") {
                return Err(self.cursor.source.not_supported("ARRAY(query)", self.cursor.at - 1));
            }
            if let TokenKind::Word(word, Category::ColumnName) = &token.kind
                && !COLUMN_NAME_CALLS.contains(&word.as_str())
            {
                // A keyword with a syntax of its own, which this is not.
                return Err(self.cursor.source.syntax_error(self.cursor.at + 1));
            }
            if let Some(value) = session_value(token).filter(|_| !token.is_word("current_schema")) {
                return self.session_function(value, position);
            }
        }
        if function.uses_odbc_syntax || !matches!(function.parameters, sql::FunctionArguments::None) {
            return Err(self.foreign());
        }
        if function.null_treatment.is_some() {
            return Err(self.not_supported("IGNORE NULLS"));
        }
        let name = object_name(name)?;
        let Expr { kind: ExprKind::Function(mut made), .. } = call("", Vec::new(), position) else {
            return Err(self.foreign());
        };
        made.name = name;
        self.arguments(function.args, &mut made)?;
        if !function.within_group.is_empty() {
            self.seek(&["within"]);
            made.within_group = self.sort_items(function.within_group)?;
            self.seek_punctuation(')');
        }
        if let Some(filter) = function.filter {
            self.seek(&["filter"]);
            self.seek(&["where"]);
            made.filter = Some(self.expr(*filter)?);
            self.seek_punctuation(')');
        }
        if let Some(over) = function.over {
            self.seek(&["over"]);
            made.over = Some(self.over(over)?);
        }
        Ok(Expr { position, kind: ExprKind::Function(made) })
    }

    /// What stands in the parentheses.
    pub(super) fn arguments(
        &mut self,
        arguments: sql::FunctionArguments,
        made: &mut FunctionCall,
    ) -> Result<()> {
        self.seek_punctuation('(');
        let list = match arguments {
            sql::FunctionArguments::List(list) => list,
            sql::FunctionArguments::None => return Err(self.foreign()),
            sql::FunctionArguments::Subquery(_) => return Err(self.foreign()),
        };
        made.distinct = list.duplicate_treatment == Some(sql::DuplicateTreatment::Distinct);
        if list.duplicate_treatment.is_some() {
            self.cursor.at += 1;
        }
        for argument in list.args {
            made.variadic |= self.cursor.accept_word("variadic");
            match argument {
                sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Wildcard) => {
                    made.star = true;
                    self.cursor.accept_operator("*");
                }
                argument => {
                    let argument = self.argument(argument)?;
                    made.arguments.push(argument);
                }
            }
            self.cursor.accept_punctuation(',');
        }
        if made.star && (made.distinct || !made.arguments.is_empty()) {
            return Err(self.foreign());
        }
        for clause in list.clauses {
            match clause {
                sql::FunctionArgumentClause::OrderBy(items) => {
                    self.seek(&["order"]);
                    self.seek(&["by"]);
                    made.order_by = self.sort_items(items)?;
                }
                // Clauses of other databases.
                _ => return Err(self.foreign()),
            }
        }
        self.seek_punctuation(')');
        Ok(())
    }

    fn argument(&mut self, argument: sql::FunctionArg) -> Result<Argument> {
        use sql::{FunctionArg as Arg, FunctionArgExpr as Value, FunctionArgOperator as Op};
        match argument {
            Arg::Unnamed(Value::Expr(value)) => Ok(Argument { name: None, value: self.expr(value)? }),
            Arg::ExprNamed {
                name: sql::Expr::Identifier(name),
                arg: Value::Expr(value),
                operator: Op::RightArrow | Op::Assignment,
            }
            | Arg::Named { name, arg: Value::Expr(value), operator: Op::RightArrow | Op::Assignment } => {
                let name = self.ident(&name, |category| category.is_function_name())?;
                self.cursor.at += 1;
                Ok(Argument { name: Some(name), value: self.expr(value)? })
            }
            Arg::Unnamed(Value::QualifiedWildcard(_)) => {
                Err(self.not_supported("a whole row as an argument"))
            }
            Arg::Unnamed(Value::Wildcard | Value::WildcardWithOptions(_))
            | Arg::ExprNamed { .. }
            | Arg::Named { .. } => Err(self.foreign()),
        }
    }

    /// `ROW(a, b)`
    fn row(&mut self, arguments: sql::FunctionArguments, position: Position) -> Result<Expr> {
        let Expr { kind: ExprKind::Function(mut made), .. } = call("row", Vec::new(), position) else {
            return Err(self.foreign());
        };
        self.arguments(arguments, &mut made)?;
        let plain = !made.star && !made.distinct && made.order_by.is_empty();
        if !plain || made.arguments.iter().any(|argument| argument.name.is_some()) {
            return Err(self.foreign());
        }
        let fields = made.arguments.into_iter().map(|argument| argument.value).collect();
        Ok(Expr { position, kind: ExprKind::Row { fields, explicit: true } })
    }

    /// `CURRENT_TIMESTAMP(3)`; the cursor is after the word.
    fn session_function(&mut self, value: SessionValue, position: Position) -> Result<Expr> {
        let mut precision = None;
        if self.cursor.accept_punctuation('(') {
            precision = match self.cursor.peek() {
                Some(Token { kind: TokenKind::Number(digits), .. }) => digits.parse().ok(),
                _ => None,
            };
            if precision.is_none() {
                return Err(self.foreign());
            }
            self.cursor.at += 1;
            self.cursor.expect_punctuation(')')?;
        }
        let value = match value {
            SessionValue::CurrentTime(_) => SessionValue::CurrentTime(precision),
            SessionValue::CurrentTimestamp(_) => SessionValue::CurrentTimestamp(precision),
            SessionValue::LocalTime(_) => SessionValue::LocalTime(precision),
            SessionValue::LocalTimestamp(_) => SessionValue::LocalTimestamp(precision),
            plain if precision.is_none() => plain,
            _ => return Err(self.foreign()),
        };
        Ok(Expr { position, kind: ExprKind::SessionValue(value) })
    }

    /// `EXTRACT(field FROM source)`: `extract('field', source)`.
    pub(super) fn extract(&mut self, source: sql::Expr) -> Result<Expr> {
        let position = self.seek(&["extract"]);
        self.seek_punctuation('(');
        let field_position = self.cursor.position();
        let field = match self.cursor.peek() {
            Some(Token { kind: TokenKind::Word(field, _) | TokenKind::Quoted(field), .. }) => field.clone(),
            Some(Token { kind: TokenKind::String(field), .. }) => field.clone(),
            _ => return Err(self.foreign()),
        };
        self.cursor.at += 1;
        if !self.cursor.accept_word("from") {
            return Err(self.foreign());
        }
        let field = literal::string(&field, field_position);
        let source = self.expr(source)?;
        Ok(call("extract", vec![field, source], position))
    }

    /// `POSITION(part IN text)`: `position(text, part)`.
    pub(super) fn position_call(&mut self, part: sql::Expr, text: sql::Expr) -> Result<Expr> {
        let position = self.seek(&["position"]);
        let part = self.expr(part)?;
        self.seek(&["in"]);
        let text = self.expr(text)?;
        Ok(call("position", vec![text, part], position))
    }

    /// `SUBSTRING(text FROM n FOR m)` or `SUBSTRING(text, n, m)`: `substring(text, n, m)`.
    pub(super) fn substring(
        &mut self,
        text: sql::Expr,
        from: Option<Box<sql::Expr>>,
        length: Option<Box<sql::Expr>>,
    ) -> Result<Expr> {
        let position = self.seek(&["substring"]);
        let mut arguments = vec![self.expr(text)?];
        let start = from.map(|from| self.expr(*from)).transpose()?;
        let length = length.map(|length| self.expr(*length)).transpose()?;
        match (start, length) {
            // PostgreSQL makes the length an integer here, so that it is not taken for a pattern.
            (None, Some(length)) => {
                let one = ExprKind::Literal(Literal::Integer(1));
                arguments.extend([Expr { position: length.position, kind: one }, integer(length)]);
            }
            (start, length) => arguments.extend(start.into_iter().chain(length)),
        }
        Ok(call("substring", arguments, position))
    }

    /// `TRIM([BOTH | LEADING | TRAILING] [characters FROM] text)`: `btrim`, `ltrim` or `rtrim`.
    pub(super) fn trim(
        &mut self,
        text: sql::Expr,
        side: Option<sql::TrimWhereField>,
        what: Option<Box<sql::Expr>>,
        characters: Option<Vec<sql::Expr>>,
    ) -> Result<Expr> {
        let position = self.seek(&["trim"]);
        let name = match side {
            None | Some(sql::TrimWhereField::Both) => "btrim",
            Some(sql::TrimWhereField::Leading) => "ltrim",
            Some(sql::TrimWhereField::Trailing) => "rtrim",
        };
        let what = what.map(|what| self.expr(*what)).transpose()?;
        let mut arguments = vec![self.expr(text)?];
        arguments.extend(what);
        arguments.extend(self.exprs(characters.unwrap_or_default())?);
        Ok(call(name, arguments, position))
    }

    /// `OVERLAY(text PLACING new FROM n [FOR m])`: `overlay(text, new, n, m)`.
    pub(super) fn overlay(
        &mut self,
        arguments: [sql::Expr; 3],
        length: Option<Box<sql::Expr>>,
    ) -> Result<Expr> {
        let position = self.seek(&["overlay"]);
        let mut made = self.exprs(arguments.into())?;
        made.extend(length.map(|length| self.expr(*length)).transpose()?);
        Ok(call("overlay", made, position))
    }
}

/// A cast to `int4` that nobody wrote.
fn integer(operand: Expr) -> Expr {
    let position = operand.position;
    let to = TypeName {
        schema: None,
        name: "int4".to_owned(),
        modifiers: Vec::new(),
        fields: None,
        dimensions: 0,
        position,
    };
    Expr { position, kind: ExprKind::Cast { operand: Box::new(operand), to, syntax: CastSyntax::Cast } }
}
