import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open } from 'rustdb';

async function fresh(location = ':memory:') {
  const db = await open(location);
  await db.exec('create table t (id int primary key, n int not null)');
  return db;
}

const ids = async (db) => (await db.query('select id from t order by id')).rows.map((row) => row.id);

test('a transaction commits what its callback did, or nothing', async () => {
  const db = await fresh();
  const result = await db.transaction(async (tx) => {
    await tx.query('insert into t values (1, 1)');
    assert.equal(tx.closed, false);
    return 'done';
  });
  assert.equal(result, 'done');
  const stop = new Error('stop');
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query('insert into t values (2, 2)');
      throw stop;
    }),
    stop,
  );
  await assert.rejects(
    db.transaction((tx) => tx.exec('insert into t values (3, 3); insert into t values (1, 1)')),
    { code: '23505' },
  );
  assert.deepEqual(await ids(db), [1]);
  await db.close();
});

test('a transaction whose statement failed does not end as if it had been committed', async () => {
  const db = await fresh();
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query('insert into t values (1, 1)');
      await tx.query('select 1 / 0').catch(() => {});
    }),
    { code: '25P02' },
  );
  assert.deepEqual(await ids(db), []);
  await db.close();
});

test('a transaction can be rolled back by hand and is of no use after its end', async () => {
  const db = await fresh();
  let escaped;
  const result = await db.transaction(async (tx) => {
    escaped = tx;
    await tx.query('insert into t values (1, 1)');
    await tx.rollback();
    assert.equal(tx.closed, true);
    await assert.rejects(tx.query('select 1'), { code: '25P01' });
    return 7;
  });
  assert.equal(result, 7);
  await assert.rejects(escaped.query('select 1'), { code: '25P01' });
  assert.deepEqual(await ids(db), []);
  await db.close();
});

test('a part of a transaction is rolled back alone', async () => {
  const db = await fresh();
  await db.transaction(async (tx) => {
    await tx.query('insert into t values (1, 1)');
    await assert.rejects(
      tx.transaction(async (part) => {
        await part.query('insert into t values (2, 2)');
        await part.query('insert into t values (1, 1)');
      }),
      { code: '23505' },
    );
    await tx.transaction((part) => part.query('insert into t values (3, 3)'));
    await tx.transaction(async (part) => {
      await part.query('insert into t values (4, 4)');
      await part.rollback();
    });
    await tx.transaction((part) => part.transaction((inner) => inner.query('insert into t values (5, 5)')));
  });
  assert.deepEqual(await ids(db), [1, 3, 5]);
  await db.close();
});

test('other statements wait until the transaction has ended', async () => {
  const db = await fresh();
  let counted;
  await db.transaction(async (tx) => {
    counted = db.query('select count(*)::int as n from t');
    await tx.query('insert into t values (1, 1)');
    await tx.query('insert into t values (2, 2)');
  });
  assert.deepEqual((await counted).rows, [{ n: 2 }]);
  await db.close();
});

test('a transaction that lost is run again if that is asked for', async () => {
  const location = 'rustdb::memory:retries';
  const db = await fresh(location);
  const other = await open(location);
  await db.query('insert into t values (1, 0)');
  const increment = (attempts) => async (tx) => {
    attempts.push(tx);
    const { rows } = await tx.query('select n from t where id = 1');
    if (attempts.length === 1) await other.query('update t set n = n + 10 where id = 1');
    await tx.query('update t set n = $1 where id = 1', [rows[0].n + 1]);
  };
  const isolation = 'repeatable read';
  await assert.rejects(db.transaction(increment([]), { isolation }), { code: '40001' });
  const attempts = [];
  await db.transaction(increment(attempts), { isolation, retries: 3 });
  assert.equal(attempts.length, 2);
  assert.deepEqual((await db.query('select n from t')).rows, [{ n: 21 }]);
  await assert.rejects(
    db.transaction(async () => {}, { isolation: 'chaos' }),
    TypeError,
  );
  await db.close();
  await other.close();
});
