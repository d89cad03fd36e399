//! Measures what a program with many small statements does: reading one row by its key, and inserting rows that last,
//! from one thread and from many. Default settings, through the public API.
//!
//! ```sh
//! cargo run --release -p rustdb --example point_statements -- /tmp/point.rustdb
//! ```

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures time and prints it"
)]

use rustdb::{Connection, Database, Result, Value};
use std::time::{Duration, Instant};

const ROWS: i64 = 1_000_000;
const READS: i64 = 1_000_000;
const INSERT_TIME: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "point.rustdb".to_owned());
    let database = Database::open(&path)?;
    let connection = database.connect()?;
    fill(&connection)?;
    read(&connection)?;
    for threads in [1, 8, 64] {
        insert(&database, threads)?;
    }
    drop(connection);
    database.close()
}

fn fill(connection: &Connection) -> Result<()> {
    connection.execute("DROP TABLE IF EXISTS items", ())?;
    connection.execute("DROP TABLE IF EXISTS events", ())?;
    connection.execute("CREATE TABLE items (id bigint PRIMARY KEY, name text, price int)", ())?;
    connection.execute("CREATE TABLE events (id bigint PRIMARY KEY, what text)", ())?;
    connection.execute(
        "INSERT INTO items SELECT i, 'item ' || i, (i % 1000)::int FROM generate_series(1, $1::bigint) AS g(i)",
        (ROWS,),
    )?;
    Ok(())
}

/// Keys in an order that no cache foresees.
fn key(number: i64) -> i64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64).rem_euclid(ROWS) + 1
}

fn read(connection: &Connection) -> Result<()> {
    let select = connection.prepare("SELECT price FROM items WHERE id = $1")?;
    let begun = Instant::now();
    let mut sum = 0;
    for number in 0..READS {
        let mut rows = select.query([Value::BigInt(key(number))])?;
        while let Some(row) = rows.next()? {
            sum += i64::from(row.get::<i32>(0)?);
        }
    }
    let each = begun.elapsed().as_secs_f64() * 1e6 / READS as f64;
    println!("read by key: {each:.2} us (sum {sum})");
    Ok(())
}

fn insert(database: &Database, threads: i64) -> Result<()> {
    let begun = Instant::now();
    let work = |thread: i64| -> Result<i64> {
        let connection = database.connect()?;
        let insert = connection.prepare("INSERT INTO events VALUES ($1, 'something happened')")?;
        let mut count = 0;
        while begun.elapsed() < INSERT_TIME {
            insert.execute([Value::BigInt((threads * 1000 + thread) * 10_000_000 + count)])?;
            count += 1;
        }
        Ok(count)
    };
    let total = std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).sum::<Result<i64>>()
    })?;
    println!(
        "durable inserts, {threads} threads: {:.0} per second",
        total as f64 / begun.elapsed().as_secs_f64()
    );
    Ok(())
}
