// What every way into the engine must answer alike (tests/parity/steps.txt), through the package's asynchronous half.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'rustdb';

const steps = readFileSync(join(import.meta.dirname, '../../tests/parity/steps.txt'), 'utf8');

function cell(value) {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 't' : 'f';
  return String(value);
}

async function answer(db, sql) {
  try {
    const result = await db.query(sql, undefined, { rowMode: 'array' });
    if (result.fields.length > 0) return result.rows.map((row) => `= ${row.map(cell).join('|')}`);
    return result.affectedRows === undefined ? [] : [`~ ${result.affectedRows}`];
  } catch (error) {
    return [`! ${error.code}`];
  }
}

test('Node.js answers as all do', async () => {
  const db = await open(':memory:');
  for (const block of steps.split('\n\n')) {
    if (block.startsWith('#')) continue;
    const lines = block.trimEnd().split('\n');
    const expected = lines.filter((line) => /^[=~%!] /.test(line));
    const sql = lines.slice(0, lines.length - expected.length).join('\n');
    let got = await answer(db, sql);
    if (expected[0]?.startsWith('%')) got = [`% ${got.length}`];
    assert.deepEqual(got, expected, sql);
  }
  await db.close();
});
