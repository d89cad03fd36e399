import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open } from 'rustdb';

const ENDLESS = 'select count(*) from generate_series(1, 100000000) a cross join generate_series(1, 100000000) b';

test('rows are streamed in batches', async () => {
  const db = await open(':memory:');
  let next = 1;
  for await (const row of db.stream('select g from generate_series(1, $1::int) g', [10000], { batchSize: 999 })) {
    assert.deepEqual(row, { g: next++ });
  }
  assert.equal(next, 10001);
  const arrays = [];
  for await (const row of db.stream('select 1, 2', [], { rowMode: 'array' })) arrays.push(row);
  assert.deepEqual(arrays, [[1, 2]]);
  await assert.rejects(db.stream('select 1', [], { batchSize: 0 }).next(), RangeError);
  await assert.rejects(db.stream('select nothing').next(), { code: '42703' });
  await db.close();
});

test('a stream can be left, and other statements run between its batches', async () => {
  const db = await open(':memory:');
  let seen = 0;
  for await (const { g } of db.stream('select g from generate_series(1, 100000) g', [], { batchSize: 10 })) {
    if (g === 15) assert.deepEqual((await db.query('select 1 as one')).rows, [{ one: 1 }]);
    if (++seen === 30) break;
  }
  assert.equal(seen, 30);
  assert.deepEqual((await db.query('select 2 as two')).rows, [{ two: 2 }]);
  await db.close();
});

test('a signal cancels a statement that runs', async () => {
  const db = await open(':memory:');
  const reason = new Error('no longer needed');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(db.query(ENDLESS, [], { signal: controller.signal }), reason);
  // At once, before the statement has begun.
  const early = new AbortController();
  const query = db.query(ENDLESS, [], { signal: early.signal });
  queueMicrotask(() => queueMicrotask(() => early.abort()));
  await assert.rejects(query, { name: 'AbortError' });
  assert.deepEqual((await db.query('select 1 as one')).rows, [{ one: 1 }]);
  await db.close();
});

test('a signal takes a statement out of the queue', async () => {
  const db = await open(':memory:');
  await db.exec('create table t (a int)');
  const running = new AbortController();
  const waiting = new AbortController();
  const first = db.query(ENDLESS, [], { signal: running.signal });
  const second = db.query('insert into t values (2)', [], { signal: waiting.signal });
  const third = db.query('insert into t values (3)');
  waiting.abort();
  await assert.rejects(second, { name: 'AbortError' });
  running.abort();
  await assert.rejects(first, { name: 'AbortError' });
  await third;
  assert.deepEqual((await db.query('select a from t')).rows, [{ a: 3 }]);
  await assert.rejects(db.query('select 1', [], { signal: waiting.signal }), { name: 'AbortError' });
  await db.close();
});

test('a statement has the time it is given', async () => {
  const db = await open(':memory:', { timeoutMs: 20 });
  const timedOut = { code: '57014', message: 'canceling statement due to statement timeout' };
  await assert.rejects(db.query(ENDLESS), timedOut);
  await assert.rejects(db.query(ENDLESS, [], { timeoutMs: 30 }), timedOut);
  assert.equal((await db.query('select 1', [], { timeoutMs: 0 })).rows.length, 1);
  await db.close();
});
