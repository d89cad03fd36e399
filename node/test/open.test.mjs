import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Database, open, RustDBError } from 'rustdb';

const folder = mkdtempSync(join(tmpdir(), 'rustdb-node-'));
after(() => rmSync(folder, { recursive: true }));

test('what was committed is there when the file is opened again', async () => {
  const file = join(folder, 'again.db');
  const db = await open(file);
  assert.ok(db instanceof Database);
  await db.exec("create table t (a text); insert into t values ('kept')");
  // Neither a statement nor a stream that is still there keeps the file open.
  const statement = await db.prepare('select a from t');
  const stream = db.stream('select g from generate_series(1, 10000) g', [], { batchSize: 1 });
  await stream.next();
  assert.equal(db.closed, false);
  await db.close();
  assert.equal(db.closed, true);
  await db.close();
  assert.deepEqual(readdirSync(folder), ['again.db'], 'a clean close leaves one file');
  await assert.rejects(db.query('select 1'), { code: '08003' });
  await assert.rejects(statement.query(), { code: '08003' });
  await assert.rejects(stream.next(), { code: '08003' });

  const again = await open(`rustdb:${file}?threads=1`);
  assert.deepEqual((await again.query('select a from t')).rows, [{ a: 'kept' }]);
  await again.close();
});

test('closing waits for the statements before it', async () => {
  const db = await open(':memory:');
  const query = db.query('select 1 as one');
  const closing = db.close();
  assert.deepEqual((await query).rows, [{ one: 1 }]);
  await closing;
});

test('a database is disposed of at the end of its block', async () => {
  const db = await open(':memory:');
  await db[Symbol.asyncDispose]();
  assert.equal(db.closed, true);
});

test('settings hold for the connection, and wrong ones are refused', async () => {
  const db = await open(':memory:', { settings: { lock_timeout: '1234ms', threads: 2, memory_limit: '64MB' } });
  assert.deepEqual((await db.query('show lock_timeout')).rows, [{ lock_timeout: '1234ms' }]);
  await db.close();
  await assert.rejects(open(':memory:', { settings: { no_such_setting: 1 } }), { code: '42704' });
  await assert.rejects(open(':memory:', { settings: { threads: 'many' } }), { code: '22023' });
  await assert.rejects(open(join(folder, 'no', 'such', 'folder')), RustDBError);
  await assert.rejects(open(7), TypeError);
});

test('a process that does not close its database ends all the same', () => {
  const file = join(folder, 'left.db');
  const script = `
    import { open } from 'rustdb';
    const db = await open(${JSON.stringify(file)});
    await db.exec("create table t (a int); insert into t values (1)");
    console.log('done');
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: import.meta.dirname, encoding: 'utf8' });
  assert.deepEqual([run.stdout, run.stderr, run.status], ['done\n', '', 0]);
});

test('both module systems get one and the same package', async () => {
  const require = createRequire(import.meta.url);
  const common = require('rustdb');
  assert.equal(common.open, open);
  assert.deepEqual(Object.keys(common).sort(), Object.keys(await import('rustdb')).filter((name) => name !== 'default').sort());
  const sync = require('rustdb/sync');
  assert.equal(sync.RustDBError, RustDBError);
  assert.deepEqual(Object.keys(sync).sort(), Object.keys(await import('rustdb/sync')).filter((name) => name !== 'default').sort());
});
