import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const script = `
  import { parentPort } from 'node:worker_threads';
  import { open } from '${import.meta.resolve('rustdb')}';
  const db = await open('rustdb::memory:workers');
  await db.exec('create table if not exists t (a int); insert into t values (1)');
  parentPort.postMessage((await db.query('select count(*)::int as n from t')).rows);
  db.query('select count(*) from generate_series(1, 100000000) a cross join generate_series(1, 100000000) b');
`;

/** Threads of sessions in this process, where the system tells. */
function sessionThreads() {
  const names = readdirSync('/proc/self/task').map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
    } catch {
      return 'ended';
    }
  });
  return names.filter((name) => name === 'rustdb-session').length;
}

test('a worker can be terminated while its statement runs', async (t) => {
  for (let i = 0; i < 2; i++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    const rows = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.equal(rows.length, 1);
    await sleep(20);
    await worker.terminate();
  }
  if (process.platform !== 'linux') return t.diagnostic('threads cannot be counted here');
  const deadline = Date.now() + 10_000;
  while (sessionThreads() > 0 && Date.now() < deadline) await sleep(10);
  assert.equal(sessionThreads(), 0);
});
