//! The compiled form of expressions: nodes that name their operands by number, each equal subexpression once.

use super::call::Call;
use super::cast::cast_code;
use super::in_list::Members;
use super::pattern::Pattern;
use super::select::Order;
use crate::error::Result;
use crate::expr::{CompareOp, Expr, Extremum, IsTest, PatternKind, Volatility};
use crate::types::{CastContext, Chunk, DataType, Decimal, PhysicalType, Value, Vector};
use std::collections::HashMap;

/// The number of a node and its register.
pub(super) type NodeId = usize;

/// What a node computes.
pub(super) enum Op {
    /// The chunk's column.
    Column(usize),
    /// Its register, once and for all.
    Constant,
    /// A parameter, by its number from 1.
    Parameter(u32),
    /// A function.
    Call {
        /// Its code.
        code: fn(&mut Call<'_>) -> Result<()>,
        arguments: Box<[NodeId]>,
        types: Box<[DataType]>,
        strict: bool,
        volatile: bool,
    },
    Compare {
        operator: CompareOp,
        left: NodeId,
        right: NodeId,
    },
    And(Box<[NodeId]>, Order),
    Or(Box<[NodeId]>),
    Not(NodeId),
    Is {
        operand: NodeId,
        test: IsTest,
        negated: bool,
    },
    Case {
        branches: Box<[(NodeId, NodeId)]>,
        otherwise: Option<NodeId>,
    },
    Coalesce(Box<[NodeId]>),
    NullIf {
        value: NodeId,
        equals: NodeId,
    },
    Extremum {
        kind: Extremum,
        arguments: Box<[NodeId]>,
    },
    /// Whether the operand is among constants.
    Among {
        operand: NodeId,
        members: Box<Members>,
        negated: bool,
    },
    /// Whether the operand matches a constant pattern.
    Matches {
        operand: NodeId,
        pattern: Box<Pattern>,
        negated: bool,
    },
    /// Whether the operand matches a pattern of its row.
    Like {
        kind: PatternKind,
        operand: NodeId,
        pattern: NodeId,
        escape: Option<NodeId>,
        negated: bool,
    },
}

/// A node.
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) ty: DataType,
    /// It has one value per run: no column, nothing volatile.
    pub(super) constant: bool,
}

/// The nodes, operands before what they are operands of.
pub(super) struct Program {
    pub(super) nodes: Vec<Node>,
    pub(super) roots: Vec<NodeId>,
}

/// The arguments of a call, wherever they are.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) ids: &'a [NodeId],
    pub(super) nodes: &'a [Node],
    pub(super) registers: &'a [Vector],
    pub(super) chunk: &'a Chunk,
    /// A node whose dictionary stands in for it.
    pub(super) instead: Option<(NodeId, &'a Vector)>,
}

impl<'a> Arguments<'a> {
    /// The vector of the `index`-th argument.
    pub(super) fn get(&self, index: usize) -> &'a Vector {
        let id = self.ids[index];
        match self.instead {
            Some((node, vector)) if node == id => vector,
            _ => vector_of(id, self.nodes, self.registers, self.chunk),
        }
    }
}

/// The vector of a node: the chunk's column, or its register.
pub(super) fn vector_of<'a>(
    id: NodeId,
    nodes: &[Node],
    registers: &'a [Vector],
    chunk: &'a Chunk,
) -> &'a Vector {
    match nodes[id].op {
        Op::Column(index) if !matches!(chunk.columns[index], Vector::Sequence(_)) => &chunk.columns[index],
        _ => &registers[id],
    }
}

impl Program {
    /// Compiles expressions; gives the registers as well, those of constants filled.
    pub(super) fn new<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Result<(Self, Vec<Vector>)> {
        let mut compiler = Compiler::default();
        let mut roots = Vec::new();
        for expr in exprs {
            roots.push(compiler.compile(expr)?);
        }
        Ok((Self { nodes: compiler.nodes, roots }, compiler.registers))
    }
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    registers: Vec<Vector>,
    known: HashMap<Expr, NodeId>,
}

impl Compiler {
    fn compile(&mut self, expr: &Expr) -> Result<NodeId> {
        if let Some(id) = self.known.get(expr) {
            return Ok(*id);
        }
        let op = self.op(expr)?;
        let constant = match &op {
            Op::Column(_) => false,
            Op::Constant | Op::Parameter(_) => true,
            _ => expr.is_constant(),
        };
        let id = self.push(op, expr.data_type(), constant);
        if let Expr::Constant { value, ty } = expr {
            self.registers[id] = Vector::constant(ty.physical(), value.to_scalar(ty)?);
        }
        if expr.volatility() != Volatility::Volatile {
            self.known.insert(expr.clone(), id);
        }
        Ok(id)
    }

    fn push(&mut self, op: Op, ty: DataType, constant: bool) -> NodeId {
        self.nodes.push(Node { op, ty, constant });
        self.registers.push(Vector::new(ty.physical()));
        self.nodes.len() - 1
    }

    fn all<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> Result<Box<[NodeId]>> {
        exprs.into_iter().map(|expr| self.compile(expr)).collect()
    }

    fn op(&mut self, expr: &Expr) -> Result<Op> {
        Ok(match expr {
            Expr::Column { index, .. } => Op::Column(*index),
            Expr::OuterColumn { .. } => unreachable!("correlation is removed before evaluation"),
            Expr::Parameter { number, .. } => Op::Parameter(*number),
            Expr::Constant { .. } => Op::Constant,
            Expr::Cast { operand, to, context } => self.cast(operand, *to, *context)?,
            Expr::Call { function, arguments, .. } => Op::Call {
                code: function.code,
                types: arguments.iter().map(Expr::data_type).collect(),
                arguments: self.all(arguments)?,
                strict: function.strict,
                volatile: function.volatility == Volatility::Volatile,
            },
            Expr::Compare { operator, left, right } => {
                let (narrow_left, narrow_right) = (rescaled(left, right), rescaled(right, left));
                Op::Compare {
                    operator: *operator,
                    left: self.compile(narrow_left.as_ref().unwrap_or(left))?,
                    right: self.compile(narrow_right.as_ref().unwrap_or(right))?,
                }
            }
            Expr::And(terms) => {
                let order = Order::new(terms);
                Op::And(self.all(terms)?, order)
            }
            Expr::Or(terms) => Op::Or(self.all(terms)?),
            Expr::Not(operand) => Op::Not(self.compile(operand)?),
            Expr::Is { operand, test, negated } => {
                Op::Is { operand: self.compile(operand)?, test: *test, negated: *negated }
            }
            Expr::Case { branches, otherwise, .. } => Op::Case {
                branches: branches
                    .iter()
                    .map(|(condition, result)| Ok((self.compile(condition)?, self.compile(result)?)))
                    .collect::<Result<_>>()?,
                otherwise: otherwise.as_ref().map(|e| self.compile(e)).transpose()?,
            },
            Expr::Coalesce { arguments, .. } => Op::Coalesce(self.all(arguments)?),
            Expr::NullIf { value, equals } => {
                Op::NullIf { value: self.compile(value)?, equals: self.compile(equals)? }
            }
            Expr::Extremum { kind, arguments, .. } => {
                Op::Extremum { kind: *kind, arguments: self.all(arguments)? }
            }
            Expr::InList { operand, list, negated } => match Members::new(&operand.data_type(), list) {
                Some(members) => Op::Among {
                    operand: self.compile(operand)?,
                    members: Box::new(members),
                    negated: *negated,
                },
                None => self.in_list(operand, list, *negated)?,
            },
            Expr::Like { kind, operand, pattern, escape, negated } => {
                self.like(*kind, operand, pattern, escape.as_deref(), *negated)?
            }
        })
    }

    fn cast(&mut self, operand: &Expr, to: DataType, context: CastContext) -> Result<Op> {
        let from = operand.data_type();
        Ok(Op::Call {
            code: cast_code(&from, &to, context),
            arguments: [self.compile(operand)?].into(),
            types: [from].into(),
            strict: true,
            volatile: false,
        })
    }

    /// A list with members that are not constant is a chain of comparisons.
    fn in_list(&mut self, operand: &Expr, list: &[Expr], negated: bool) -> Result<Op> {
        let compare = |member: &Expr| Expr::Compare {
            operator: if negated { CompareOp::NotEqual } else { CompareOp::Equal },
            left: Box::new(operand.clone()),
            right: Box::new(member.clone()),
        };
        let terms: Vec<_> = list.iter().map(compare).collect();
        self.op(&if negated { Expr::And(terms) } else { Expr::Or(terms) })
    }

    fn like(
        &mut self,
        kind: PatternKind,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<Op> {
        let text = |expr: &Expr| match expr {
            Expr::Constant { value: Value::Text(text), .. } => Some(text.clone()),
            _ => None,
        };
        let escape_text = escape.map(text);
        let constant = match (text(pattern), &escape_text) {
            (Some(pattern), None) => Some(Pattern::new(kind, &pattern, None)),
            (Some(pattern), Some(Some(escape))) => Some(Pattern::new(kind, &pattern, Some(escape))),
            _ => None,
        };
        let operand = self.compile(operand)?;
        // A pattern that is wrong is an error only when it meets a row.
        if let Some(Ok(pattern)) = constant {
            return Ok(Op::Matches { operand, pattern: Box::new(pattern), negated });
        }
        let pattern = self.compile(pattern)?;
        let escape = escape.map(|e| self.compile(e)).transpose()?;
        Ok(Op::Like { kind, operand, pattern, escape, negated })
    }
}

/// A constant decimal at the scale of the column it is compared with, so that the digits can be compared.
fn rescaled(constant: &Expr, other: &Expr) -> Option<Expr> {
    let (Expr::Constant { value: Value::Numeric(decimal), .. }, DataType::Numeric { precision, scale }) =
        (constant, other.data_type())
    else {
        return None;
    };
    if decimal.scale > scale {
        return None;
    }
    let value = decimal.rescale(scale)?;
    let room = if precision <= 18 { 18 } else { Decimal::MAX_DIGITS };
    let fits = value.fit(room, scale).is_ok();
    let ty = DataType::Numeric { precision: room, scale };
    debug_assert!(matches!(ty.physical(), PhysicalType::I64 | PhysicalType::I128));
    fits.then_some(Expr::Constant { value: Value::Numeric(value), ty })
}
