//! Operators with little memory and long strings.

use super::{Db, Setup};
use crate::executor::spill::{SpillFile, SpillRun};
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
        let long = if i % 7 == 0 { Value::Null } else { text(1000) };
        let number = if i % 3 == 0 { Value::Null } else { Value::Integer(i as i32) };
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
