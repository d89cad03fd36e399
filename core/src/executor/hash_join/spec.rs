//! What a hash join has to do, worked out once from its plan.

use crate::executor::hash::Equality;
use crate::executor::row_store::{RowFormat, RowStore};
use crate::expr::Expr;
use crate::plan::physical::{HashJoin, JoinType, Mark, RuntimeFilterId};
use crate::types::{CastContext, DataType, PhysicalType};
use std::sync::Arc;

/// The join, prepared.
pub(in crate::executor) struct JoinSpec {
    pub(super) node: usize,
    pub(super) kind: JoinType,
    pub(super) left_types: Vec<DataType>,
    pub(super) right_types: Vec<DataType>,
    pub(super) left_keys: Vec<Expr>,
    pub(super) right_keys: Vec<Expr>,
    pub(super) key_types: Vec<DataType>,
    pub(super) nulls_equal: Vec<bool>,
    pub(super) conditions: Vec<Expr>,
    pub(super) runtime_filters: Vec<(usize, RuntimeFilterId)>,
    /// By column of the left side, whether it is read of a pair.
    pub(super) left_reads: Vec<bool>,
    /// Kept rows: the keys, then these columns of the right side.
    pub(super) payload: Vec<usize>,
    pub(super) format: Arc<RowFormat>,
    /// By column of the right side, where the kept rows have it.
    pub(super) places: Vec<Option<usize>>,
    /// The same, of those columns that are read of a pair.
    pub(super) pair_places: Vec<Option<usize>>,
}

/// Keys that compare alike: of two decimals of different scale, both without one.
fn align(left: &Expr, right: &Expr) -> (Expr, Expr) {
    let cast = |expr: &Expr| Expr::Cast {
        operand: Box::new(expr.clone()),
        to: DataType::AnyNumeric,
        context: CastContext::Implicit,
    };
    let (a, b) = (left.data_type(), right.data_type());
    let scale = |ty: &DataType| if let DataType::Numeric { scale, .. } = ty { Some(*scale) } else { None };
    if a.physical() == b.physical() && Equality::of(&a) == Equality::of(&b) && scale(&a) == scale(&b) {
        return (left.clone(), right.clone());
    }
    (cast(left), cast(right))
}

impl JoinSpec {
    /// Works out what to keep.
    pub(in crate::executor) fn new(node: usize, join: &HashJoin) -> Arc<Self> {
        let (left_types, right_types) = (join.left.types(), join.right.types());
        let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) =
            join.keys.iter().map(|key| align(&key.left, &key.right)).unzip();
        let key_types: Vec<DataType> = right_keys.iter().map(Expr::data_type).collect();
        let tests: &[Expr] = match &join.kind {
            JoinType::Mark(Mark::Test(tests)) => tests,
            _ => &[],
        };
        let mut read_by_pairs = vec![false; left_types.len() + right_types.len()];
        for column in join.conditions.iter().chain(tests).flat_map(Expr::columns) {
            read_by_pairs[column] = true;
        }
        let mut left_reads = read_by_pairs;
        let read_by_pairs = left_reads.split_off(left_types.len());
        left_reads.iter_mut().zip(&join.reads).for_each(|(read, above)| *read |= above);
        let mut places = vec![None; right_types.len()];
        let mut payload = Vec::new();
        for (column, place) in places.iter_mut().enumerate() {
            let comes_out = join.kind.gives_pairs() || gives_kept(&join.kind);
            let above = comes_out && join.reads[left_types.len() + column];
            if !above && !read_by_pairs[column] {
                continue;
            }
            let as_key = right_keys
                .iter()
                .position(|key| matches!(key, Expr::Column { index, .. } if *index == column));
            *place = as_key.or_else(|| {
                payload.push(column);
                Some(right_keys.len() + payload.len() - 1)
            });
        }
        let kept: Vec<DataType> =
            key_types.iter().copied().chain(payload.iter().map(|&column| right_types[column])).collect();
        let in_pairs =
            |(&place, read): (&Option<usize>, bool)| place.filter(|_| join.kind.gives_pairs() || read);
        Arc::new(Self {
            pair_places: places.iter().zip(read_by_pairs).map(in_pairs).collect(),
            node,
            kind: join.kind.clone(),
            left_types,
            right_types,
            left_keys,
            right_keys,
            key_types,
            nulls_equal: join.keys.iter().map(|key| key.nulls_equal).collect(),
            conditions: join.conditions.clone(),
            runtime_filters: join.runtime_filters.clone(),
            left_reads,
            payload,
            format: RowFormat::new(&kept),
            places,
        })
    }

    /// Whether right rows come out when all left rows have passed, those with a match or those without.
    pub(in crate::executor) fn keeps_right(&self) -> bool {
        gives_kept(&self.kind)
    }

    /// Whether right rows come out for their match alone, so that one is enough.
    pub(super) fn only_marks(&self) -> bool {
        matches!(self.kind, JoinType::RightSemi | JoinType::RightAnti)
    }

    /// Whether pairs come out.
    pub(super) fn gives_pairs(&self) -> bool {
        self.kind.gives_pairs()
    }

    /// Whether it only counts that there is a match.
    pub(super) fn is_existence(&self) -> bool {
        let test_free = match &self.kind {
            JoinType::Semi | JoinType::Anti | JoinType::Mark(Mark::NullAware) => true,
            JoinType::Mark(Mark::Test(tests)) => tests.is_empty(),
            JoinType::Inner
            | JoinType::Left
            | JoinType::Right
            | JoinType::Full
            | JoinType::Single
            | JoinType::RightSemi
            | JoinType::RightAnti => false,
        };
        test_free && self.conditions.is_empty()
    }

    /// Whether a kept row can be equal to anything.
    pub(super) fn may_match(&self, store: &RowStore, row: u32) -> bool {
        self.nulls_equal.iter().enumerate().all(|(key, &equal)| equal || !store.is_null(row, key))
    }

    /// The shapes of kept rows on disk: hash, keys, payload.
    pub(super) fn right_shapes(&self) -> Arc<[PhysicalType]> {
        std::iter::once(PhysicalType::I64).chain(self.format.types().map(DataType::physical)).collect()
    }

    /// The shapes of left rows on disk.
    pub(super) fn left_shapes(&self) -> Arc<[PhysicalType]> {
        self.left_types.iter().map(DataType::physical).collect()
    }
}

fn gives_kept(kind: &JoinType) -> bool {
    matches!(kind, JoinType::Right | JoinType::Full | JoinType::RightSemi | JoinType::RightAnti)
}
