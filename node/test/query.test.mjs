import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, RustDBError, types } from 'rustdb';

test('a query gives rows, fields and the number of rows it changed', async () => {
  const db = await open(':memory:');
  const created = await db.query('create table t (id int primary key, name varchar(10))');
  assert.deepEqual(created, { rows: [], fields: [], affectedRows: undefined });
  const inserted = await db.query('insert into t values ($1, $2), (2, null) returning id', [1, 'anna']);
  assert.deepEqual(inserted.rows, [{ id: 1 }, { id: 2 }]);
  assert.equal(inserted.affectedRows, 2);
  const selected = await db.query('select name, id from t order by id', [], { rowMode: 'array' });
  assert.deepEqual(selected.rows, [
    ['anna', 1],
    [null, 2],
  ]);
  assert.deepEqual(selected.fields, [
    { name: 'name', dataTypeID: types.VARCHAR, dataType: 'character varying(10)' },
    { name: 'id', dataTypeID: types.INT4, dataType: 'integer' },
  ]);
  assert.equal(selected.affectedRows, undefined);
  await db.close();
});

test('parameters go by position, name and template', async () => {
  const db = await open(':memory:');
  const value = async (...query) => (await db.query(...query)).rows[0].v;
  assert.equal(await value('select $1::int - $2::int as v', [5, 3]), 2);
  assert.equal(await value('select ?::int - ?::int as v', [5, 3]), 2);
  assert.equal(await value('select $a::int - $b::int as v', { b: 3, a: 5 }), 2);
  const { rows } = await db.sql`select ${'x'}::text || ${'y'}::text as v`;
  assert.deepEqual(rows, [{ v: 'xy' }]);
  await assert.rejects(db.query('select $a::int', { b: 1 }), { code: '42P02' });
  await assert.rejects(db.query('select $1::int', []), RustDBError);
  await assert.rejects(db.query('select $1::int', [() => 1]), TypeError);
  await assert.rejects(db.query('select $1::int', [{}]), TypeError);
  await assert.rejects(db.query('select 1', 'x'), TypeError);
  await assert.rejects(db.query('select 1', [], { rowMode: 'tuple' }), TypeError);
  await db.close();
});

test('a script gives the result of each statement and is one transaction', async () => {
  const db = await open(':memory:');
  const results = await db.exec('create table t (a int); insert into t values (1), (2); select a from t');
  assert.deepEqual(
    results.map((result) => result.affectedRows),
    [undefined, 2, undefined],
  );
  assert.deepEqual(results[2].rows, [{ a: 1 }, { a: 2 }]);
  await assert.rejects(db.exec('insert into t values (3); select 1 / 0'), { code: '22012' });
  assert.deepEqual((await db.query('select count(*) as n from t')).rows, [{ n: 2n }]);
  await db.close();
});

test('errors carry the fields of PostgreSQL and the stack of the caller', async () => {
  const db = await open(':memory:');
  await db.exec('create table t (a int primary key, b int not null check (b > 0))');
  const failure = async (sql) => {
    try {
      await db.query(sql);
    } catch (error) {
      return error;
    }
    return assert.fail(`${sql} does not fail`);
  };
  const syntax = await failure('selec 1');
  assert.ok(syntax instanceof RustDBError && syntax instanceof Error);
  assert.equal(syntax.name, 'RustDBError');
  assert.equal(syntax.message, 'syntax error at or near "selec"');
  assert.deepEqual([syntax.code, syntax.severity, syntax.position], ['42601', 'ERROR', 1]);
  assert.match(syntax.stack, /query\.test\.mjs/);
  await db.query('insert into t values (1, 1)');
  const duplicate = await failure('insert into t values (1, 1)');
  assert.deepEqual([duplicate.code, duplicate.constraint], ['23505', 't_pkey']);
  const checked = await failure('insert into t values (2, 0)');
  assert.deepEqual([checked.code, checked.constraint, checked.table], ['23514', 't_b_check', 't']);
  const missing = await failure('insert into t values (2, null)');
  assert.deepEqual([missing.code, missing.column, missing.table], ['23502', 'b', 't']);
  const overflow = await failure('select 12345::numeric(4,2)');
  assert.match(overflow.detail, /precision 4, scale 2/);
  const unknown = await failure('select no_such_function(1)');
  assert.match(unknown.hint, /^No function matches/);
  await db.close();
});

test('a prepared statement knows its types and runs often', async () => {
  const db = await open(':memory:');
  await db.exec('create table t (a int, b text)');
  const insert = await db.prepare('insert into t values ($1, $2)');
  assert.deepEqual(insert.parameterTypes, [types.INT4, types.TEXT]);
  assert.deepEqual(insert.fields, []);
  for (let i = 0; i < 100; i++) await insert.query([i, `row ${i}`]);
  const select = await db.prepare('select a, b from t where a < $1 order by a');
  assert.deepEqual(
    select.fields.map((field) => field.name),
    ['a', 'b'],
  );
  assert.deepEqual((await select.query([2])).rows, [
    { a: 0, b: 'row 0' },
    { a: 1, b: 'row 1' },
  ]);
  assert.deepEqual((await select.query([1], { rowMode: 'array' })).rows, [[0, 'row 0']]);
  const streamed = [];
  for await (const row of select.stream([50], { batchSize: 7 })) streamed.push(row.a);
  assert.deepEqual(
    streamed,
    Array.from({ length: 50 }, (_, i) => i),
  );
  await assert.rejects(db.prepare('select nothing'), { code: '42703' });
  await db.close();
  await assert.rejects(select.query([1]), { code: '08003' });
});

test('statements of one database run in the order of their calls', async () => {
  const db = await open(':memory:');
  await db.exec('create table t (a int)');
  const calls = Array.from({ length: 50 }, (_, i) => db.query('insert into t values ($1)', [i]));
  const counted = db.query('select count(*)::int as n from t');
  await Promise.all(calls);
  assert.deepEqual((await counted).rows, [{ n: 50 }]);
  await db.close();
});

test('databases of one process work at the same time and do not hold up the event loop', async () => {
  const location = 'rustdb::memory:beside';
  const databases = await Promise.all(Array.from({ length: 8 }, () => open(location)));
  const [first, ...others] = databases;
  await first.exec('create table t (id int primary key, n int); insert into t values (1, 0)');
  // The first holds the row's lock while all others wait for it, more than libuv has threads.
  let waiting;
  await first.transaction(async (tx) => {
    await tx.query('update t set n = n + 1');
    waiting = others.map((db) => db.query('update t set n = n + 1'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual((await tx.query('select n from t')).rows, [{ n: 1 }]);
  });
  await Promise.all(waiting);
  assert.deepEqual((await first.query('select n from t')).rows, [{ n: 8 }]);
  await Promise.all(databases.map((db) => db.close()));
});
