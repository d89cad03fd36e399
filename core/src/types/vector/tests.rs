use super::*;
use crate::types::{Decimal, Interval};

const LONG: &str = "a string that is longer than twelve bytes";

fn strings(words: &[Option<&str>]) -> FlatVector {
    let mut v = FlatVector::new(PhysicalType::Bytes);
    for word in words {
        match word {
            Some(word) => v.push_str(word),
            None => v.push_null(),
        }
    }
    v
}

fn texts(v: &Vector, len: usize) -> Vec<Option<String>> {
    (0..len).map(|row| v.str_at(row).map(str::to_owned)).collect()
}

#[test]
fn values_are_aligned_and_typed() {
    let mut v = FlatVector::new(PhysicalType::I64);
    v.push(1i64);
    v.push_null();
    v.extend(&[3i64, 4]);
    assert_eq!(v.values::<i64>().as_ptr() as usize % 16, 0);
    assert_eq!((v.scalar(0), v.scalar(1), v.scalar(3)), (Scalar::I64(1), Scalar::Null, Scalar::I64(4)));
    for (i, slot) in v.overwrite::<i64>(VECTOR_SIZE).iter_mut().enumerate() {
        *slot = i as i64;
    }
    assert_eq!((v.len(), v.scalar(1)), (VECTOR_SIZE, Scalar::I64(1)));
    let mut b = FlatVector::new(PhysicalType::I32);
    b.extend_bytes(2).copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(b.values::<i32>(), &[1, 2]);
}

#[test]
fn every_shape_keeps_its_values() {
    let cases = [
        (Value::Boolean(true), DataType::Boolean),
        (Value::SmallInt(-7), DataType::SmallInt),
        (Value::Integer(7), DataType::Integer),
        (Value::BigInt(i64::MIN), DataType::BigInt),
        (Value::Real(1.5), DataType::Real),
        (Value::Double(-0.0), DataType::Double),
        (Value::Numeric(Decimal::new(-12345, 2)), DataType::Numeric { precision: 38, scale: 2 }),
        (Value::Numeric(Decimal::new(100, 2)), DataType::AnyNumeric),
        (Value::from(LONG), DataType::Text),
        (Value::from("short"), DataType::VarChar(None)),
        (Value::Bytea([0, 255, 7].into()), DataType::Bytea),
        (Value::Interval(Interval::new(1, -2, 3)), DataType::Interval),
        (Value::Uuid([9; 16]), DataType::Uuid),
        (Value::Null, DataType::Text),
    ];
    for (value, ty) in cases {
        let flat = {
            let mut v = FlatVector::new(ty.physical());
            v.push_value(&value, &ty).unwrap();
            v.push_value(&Value::Null, &ty).unwrap();
            v.push_value(&value, &ty).unwrap();
            Vector::Flat(v)
        };
        let picked = flat.select(&Arc::from([2, 1].as_slice()));
        let mut gathered = FlatVector::new(ty.physical());
        gathered.append(&picked, 2, Some(&[0, 1, 0]));
        assert_eq!(flat.value_at(2, &ty), value);
        assert_eq!((picked.value_at(0, &ty), picked.value_at(1, &ty)), (value.clone(), Value::Null));
        assert_eq!(Vector::Flat(gathered).value_at(2, &ty), value);
        let constant = Vector::constant(ty.physical(), value.to_scalar(&ty).unwrap());
        assert_eq!(constant.value_at(1000, &ty), value);
    }
}

#[test]
fn gathered_strings_outlive_their_source() {
    let source = Vector::Flat(strings(&[Some(LONG), None, Some("short"), Some(LONG)]));
    let mut gathered = FlatVector::new(PhysicalType::Bytes);
    gathered.append(&source, 4, Some(&[3, 2, 1]));
    let picked = source.select(&Arc::from([1u16, 0].as_slice())).select(&Arc::from([1u16].as_slice()));
    let sliced = source.slice(2, 2);
    drop(source);
    assert_eq!(texts(&gathered.into(), 3), [Some(LONG.into()), Some("short".into()), None]);
    assert_eq!(texts(&picked, 1), [Some(LONG.into())]);
    assert_eq!(texts(&sliced, 2), [Some("short".into()), Some(LONG.into())]);
}

#[test]
fn reset_spares_shared_memory() {
    let mut v = strings(&[Some(LONG)]);
    let kept = Vector::Flat(v.clone());
    v.push_str("another string that does not fit its header");
    v.reset();
    v.push_str("overwritten, were the block not shared!!!");
    assert_eq!(texts(&kept, 1), [Some(LONG.into())]);
    drop(kept);
    let size = v.memory_size();
    for _ in 0..1000 {
        v.reset();
        v.push_str(LONG);
    }
    assert_eq!(v.memory_size(), size);
}

#[test]
fn many_strings_fill_many_blocks() {
    let mut v = FlatVector::new(PhysicalType::Bytes);
    let words: Vec<String> = (0..VECTOR_SIZE).map(|i| format!("{i:0>width$}", width = i % 700)).collect();
    words.iter().for_each(|word| v.push_str(word));
    v.set_bytes(5, LONG.as_bytes());
    for (i, word) in words.iter().enumerate().filter(|(i, _)| *i != 5) {
        assert_eq!(v.bytes_at(i), word.as_bytes());
    }
    assert_eq!(v.bytes_at(5), LONG.as_bytes());
}

#[test]
fn strings_are_read_by_other_threads_while_the_writer_goes_on() {
    let mut v = FlatVector::new(PhysicalType::Bytes);
    std::thread::scope(|scope| {
        for i in 0..50 {
            let word = format!("{LONG} {i}");
            v.push_str(&word);
            let shared = v.clone();
            scope.spawn(move || assert_eq!(shared.bytes_at(i), word.as_bytes()));
        }
    });
}

#[test]
fn heaps_of_operators_are_shared() {
    struct Arena(Box<str>);
    impl StringHeap for Arena {
        fn memory_size(&self) -> usize {
            self.0.len()
        }
    }
    let arena = Arc::new(Arena(LONG.into()));
    let bits = Str16::new(arena.0.as_bytes()).into_bits();
    let mut v = FlatVector::new(PhysicalType::Bytes);
    let heap: Arc<dyn StringHeap> = arena;
    v.share_heap(&heap);
    drop(heap);
    #[expect(unsafe_code, reason = "the arena is shared above")]
    // SAFETY: the arena holds the bytes and is shared.
    unsafe {
        v.push_shared(&[bits, bits]);
    }
    assert_eq!(v.bytes_at(1), LONG.as_bytes());
}

#[test]
fn sequences_are_read_sliced_and_flattened() {
    let mut s = Vector::sequence(10, -3);
    assert_eq!(s.scalar(4), Scalar::I64(-2));
    assert_eq!(s.slice(2, 5).scalar(1), Scalar::I64(1));
    assert_eq!(s.select(&Arc::from([3u16].as_slice())).scalar(0), Scalar::I64(1));
    assert_eq!(s.flatten(4).values::<i64>(), &[10, 7, 4, 1]);
}

#[test]
fn chunks_compact_flatten_and_append() {
    let types = [DataType::Integer, DataType::Text];
    let mut chunk = Chunk::of_types(&types);
    for i in 0..10 {
        chunk.push_row(&[Value::Integer(i), Value::from(format!("{LONG} {i}"))], &types).unwrap();
    }
    chunk.columns.push(Vector::sequence(0, 1));
    chunk.columns.push(Vector::constant(PhysicalType::Bool, Scalar::Null));
    chunk.selection = Some([1u16, 4, 9].into_iter().collect());
    chunk.verify();
    assert_eq!((chunk.count(), chunk.rows().collect::<Vec<_>>()), (3, vec![1, 4, 9]));

    let types = [DataType::Integer, DataType::Text, DataType::BigInt, DataType::Boolean];
    let expected = |i: i32| {
        vec![Value::Integer(i), Value::from(format!("{LONG} {i}")), Value::BigInt(i.into()), Value::Null]
    };
    let mut full = Chunk::of_types(&types);
    assert_eq!((full.append(&chunk, 0), full.append(&chunk, 2)), (3, 1));
    assert_eq!((full.len, full.row(1, &types), full.row(3, &types)), (4, expected(4), expected(9)));

    for change in [Chunk::compact, Chunk::flatten] {
        let mut dense = chunk.clone();
        change(&mut dense);
        dense.verify();
        assert_eq!((dense.len, dense.count(), dense.row(2, &types)), (3, 3, expected(9)));
        assert_eq!(full.append(&dense, 1), 2);
    }
    assert_eq!(full.row(7, &types), expected(9));
    full.reset();
    assert_eq!((full.len, full.count()), (0, 0));
}

#[test]
fn appending_stops_at_a_full_chunk() {
    let mut source = Chunk::new([]);
    source.columns.push(Vector::sequence(0, 1));
    source.len = VECTOR_SIZE;
    let mut target = Chunk::new([PhysicalType::I64]);
    target.append(&source, 2000);
    assert_eq!((target.len, target.append(&source, 0)), (48, 2000));
    assert_eq!((target.len, target.columns[0].scalar(47)), (VECTOR_SIZE, Scalar::I64(2047)));
}
