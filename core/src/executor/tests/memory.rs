//! Operators with little memory and long strings.

use super::{Db, Setup, column, plan};
use crate::executor::execute;
use crate::executor::spill::{SpillFile, SpillRun};
use crate::expr::Expr;
use crate::expr::aggregate::AggregateCall;
use crate::plan::physical::PhysicalNode;
use crate::types::{CHUNK_BYTES, Chunk, DataType, PhysicalType, Value};
use std::sync::Arc;

#[test]
fn rows_on_disk_are_read_in_chunks_of_bounded_bytes() {
    let db = Db::new(Setup::PLAIN);
    let types = [DataType::Integer, DataType::Text, DataType::Text];
    let shapes: Arc<[PhysicalType]> = types.iter().map(DataType::physical).collect();
    let mut run = SpillRun::new(&SpillFile::create(&db.resources).unwrap(), &shapes);
    let row = |i: usize| {
        let text = |length: usize| Value::Text(i.to_string().repeat(length).into());
        let long = if i.is_multiple_of(7) { Value::Null } else { text(1000) };
        let number = if i.is_multiple_of(3) { Value::Null } else { Value::Integer(i as i32) };
        vec![number, long, if i == 1111 { text(1 << 20) } else { text(1) }]
    };
    let mut rows = 0;
    for count in [2000, 1, 70] {
        let mut chunk = Chunk::of_types(&types);
        (rows..rows + count).for_each(|i| chunk.push_row(&row(i), &types).unwrap());
        run.push(&chunk).unwrap();
        rows += count;
    }
    run.flush().unwrap();
    assert_eq!(run.rows(), rows as u64);
    for (in_blocks, most) in [(false, CHUNK_BYTES + (256 << 10)), (true, 256 << 10)] {
        let mut reader = run.reader();
        let mut chunk = reader.chunk();
        let mut seen = 0;
        while if in_blocks { reader.next_block(&mut chunk) } else { reader.next(&mut chunk) }.unwrap() {
            chunk.verify();
            let has_giant = (seen..seen + chunk.len).contains(&1111);
            assert!(chunk.string_bytes() <= most + if has_giant { 4 << 20 } else { 0 }, "{in_blocks} {seen}");
            for at in 0..chunk.len {
                assert_eq!(chunk.row(at, &types), row(seen + at));
            }
            seen += chunk.len;
        }
        assert_eq!(seen, rows);
    }
}

#[test]
fn a_large_state_without_keys_stays_covered() {
    let db = Db::new(Setup { threads: 3, memory: 1 << 30 });
    let types = [DataType::Text];
    let rows = (0..2000).map(|_| vec![Value::Text("x".repeat(2000).into())]).collect();
    // Straight from the table: a buffer would have an allowance of its own.
    let with = db.rows(&types, rows);
    let PhysicalNode::With { definition, .. } = &with.node else { unreachable!() };
    let comma = Expr::Constant { value: Value::Text(",".into()), ty: DataType::Text };
    let call = AggregateCall::new("string_agg", vec![column(0, types[0]), comma]).unwrap();
    let node =
        PhysicalNode::Aggregate { input: definition.clone(), keys: Vec::new(), aggregates: vec![call] };
    let statement = db.statement(db.begin());
    let transaction = statement.transaction.clone().unwrap();
    let mut stream = execute(&db.resources, &Arc::new(plan(node, &types, 1.0)), statement).unwrap();
    let chunk = stream.next().unwrap().unwrap();
    assert_eq!(chunk.columns[0].bytes_at(0).map(<[u8]>::len), Some(2000 * 2001 - 1));
    assert!(db.budget.used() >= 2000 * 2001, "{}", db.budget.used());
    drop(stream);
    assert_eq!(db.budget.used(), 0);
    db.commit(Arc::try_unwrap(transaction).ok().unwrap().into_inner());
}
