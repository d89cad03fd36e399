import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database, RustDBError, types } from 'rustdb/sync';

function fresh() {
  return new Database(':memory:').exec('create table t (id int primary key, name text)');
}

test('statements run, get, give all and iterate', () => {
  const db = fresh();
  const insert = db.prepare('insert into t values (?, ?)');
  assert.equal(insert.reader, false);
  assert.deepEqual(insert.run(1, 'anna'), { changes: 1 });
  assert.deepEqual(insert.run([2, 'bo']), { changes: 1 });
  assert.deepEqual(db.prepare('insert into t values ($id, $name)').run({ id: 3, name: null }), { changes: 1 });
  const select = db.prepare('select id, name from t where id >= ? order by id');
  assert.equal(select.reader, true);
  assert.equal(select.source, 'select id, name from t where id >= ? order by id');
  assert.equal(select.database, db);
  assert.deepEqual(select.get(2), { id: 2, name: 'bo' });
  assert.equal(select.get(9), undefined);
  assert.deepEqual(select.all(1), [
    { id: 1, name: 'anna' },
    { id: 2, name: 'bo' },
    { id: 3, name: null },
  ]);
  assert.deepEqual([...select.iterate(2)].length, 2);
  assert.deepEqual(select.raw().all(2), [
    [2, 'bo'],
    [3, null],
  ]);
  assert.deepEqual(select.pluck().all(2), [2, 3]);
  assert.deepEqual(select.raw(false).get(3), 3, 'raw was off already');
  assert.deepEqual(select.pluck(false).get(3), { id: 3, name: null });
  assert.throws(() => select.raw('yes'), TypeError);
  assert.deepEqual(select.columns(), [
    { name: 'id', dataTypeID: types.INT4, dataType: 'integer' },
    { name: 'name', dataTypeID: types.TEXT, dataType: 'text' },
  ]);
  assert.deepEqual(db.prepare('delete from t').run(), { changes: 3 });
  db.close();
});

test('an iteration is read in batches and can be left', () => {
  const db = fresh();
  const numbers = db.prepare('select g from generate_series(1, 1000) g').pluck();
  assert.deepEqual([...numbers.iterate()], Array.from({ length: 1000 }, (_, i) => i + 1));
  for (const number of numbers.iterate()) {
    if (number === 300) break;
  }
  assert.equal(numbers.get(), 1);
  db.close();
});

test('a transaction function commits, rolls back and nests', () => {
  const db = fresh();
  const insert = db.prepare('insert into t values (?, ?)');
  const many = db.transaction((rows) => {
    assert.equal(db.inTransaction, true);
    for (const row of rows) insert.run(row);
    return rows.length;
  });
  assert.equal(db.inTransaction, false);
  assert.equal(many([[1, 'a'], [2, 'b']]), 2);
  assert.throws(() => many([[3, 'c'], [1, 'again']]), { code: '23505' });
  const outer = db.transaction(() => {
    insert.run(4, 'd');
    assert.throws(() => many([[5, 'e'], [1, 'again']]), { code: '23505' });
    many([[6, 'f']]);
  });
  outer();
  assert.deepEqual(db.prepare('select id from t order by id').pluck().all(), [1, 2, 4, 6]);
  assert.throws(db.transaction(() => { try { db.exec('select 1 / 0'); } catch {} }), { code: '25P02' });
  assert.throws(() => db.transaction(async () => {})(), TypeError);
  assert.throws(() => db.transaction('begin'), TypeError);
  assert.equal(db.inTransaction, false);
  db.close();
});

test('errors are those of the database', () => {
  const db = fresh();
  assert.throws(() => db.prepare('selec'), (error) => error instanceof RustDBError && error.code === '42601');
  assert.throws(() => db.exec('select 1 / 0'), { code: '22012' });
  assert.throws(() => db.prepare('select ?::int').get('x'), { code: '22P02' });
  assert.throws(() => db.prepare('select ?::int').get(() => 1), TypeError);
  assert.throws(() => new Database('no/such/folder/file'), RustDBError);
  assert.throws(() => new Database(7), TypeError);
  db.close();
});

test('a closed database is of no use, nor are its statements', () => {
  const db = fresh();
  assert.equal(db.name, ':memory:');
  const statement = db.prepare('select 1 as one');
  const iteration = db.prepare('select g from generate_series(1, 1000) g').iterate();
  iteration.next();
  assert.equal(db.open, true);
  assert.equal(db.close(), db);
  assert.equal(db.open, false);
  db.close();
  assert.throws(() => statement.get(), { code: '08003' });
  assert.throws(() => [...iteration], { code: '08003' });
  assert.throws(() => db.exec('select 1'), { code: '08003' });
  const disposed = fresh();
  disposed[Symbol.dispose]();
  assert.equal(disposed.open, false);
});
