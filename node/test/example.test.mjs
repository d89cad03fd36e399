import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('the example prints what it promises', () => {
  const program = join(import.meta.dirname, '../../examples/node/library.mjs');
  const run = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  assert.equal(run.stderr, '');
  assert.deepEqual(run.stdout.split('\n'), [
    '1970s: 1 at most 0.00',
    '1980s: 1 at most unknown',
    '1990s: 1 at most 89.50',
    '23505: books_pkey',
    'sum: 5000050000',
    '',
  ]);
});
