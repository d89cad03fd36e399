// Compiled, not run: every part of the declarations as a program would use it, from an ES module.

import { open, types, RustDBError, type Result, type Transaction } from 'rustdb';
import { Database } from 'rustdb/sync';

interface Account {
  id: bigint;
  owner: string;
  balance: string;
}

export async function asynchronous(signal: AbortSignal): Promise<void> {
  await using db = await open('app.db', {
    int8: 'bigint',
    timeoutMs: 5000,
    parsers: { [types.DATE]: (text) => text },
    settings: { memory_limit: '256MB', threads: 2 },
  });
  const result: Result<Account> = await db.query<Account>('select * from account where id = $1', [1n]);
  const owner: string | undefined = result.rows[0]?.owner;
  const affected: number | undefined = result.affectedRows;
  const arrays = await db.query('select 1', [], { rowMode: 'array', signal, timeoutMs: 100 });
  const first: unknown = arrays.rows[0]?.[0];
  const oid: number = arrays.fields[0]!.dataTypeID;
  const named = await db.query('select $a', { a: new Date() });
  const template = await db.sql<{ one: number }>`select ${1}::int as one`;
  const one: number = template.rows[0]!.one;
  const results: Result[] = await db.exec('select 1; select 2');
  const statement = await db.prepare<Account>('select * from account where owner = $1');
  const { rows } = await statement.query(['anna']);
  for await (const account of statement.stream(['bo'], { batchSize: 10 })) account.balance.length;
  for await (const row of db.stream('select 1 as a')) void row.a;
  const total: number = await db.transaction(
    async (tx: Transaction) => {
      await tx.query('update account set balance = balance + $1', [new Uint8Array(1), null, true, 1.5]);
      await tx.transaction((part) => part.rollback());
      return 1;
    },
    { isolation: 'serializable', retries: 3 },
  );
  try {
    await db.close();
  } catch (error) {
    if (error instanceof RustDBError) [error.code, error.hint, error.position, error.constraint];
  }
  // @ts-expect-error: no isolation level of that name
  await db.transaction(async () => {}, { isolation: 'chaos' });
  // @ts-expect-error: a parameter cannot be a function
  await db.query('select $1', [() => 1]);
  void [owner, affected, first, oid, named, one, results, rows, total];
}

export function synchronous(): void {
  using db = new Database(':memory:', { int8: 'number' });
  db.exec('create table t (a int)').exec('create table u (a int)');
  const changes: number = db.prepare('insert into t values (?)').run(1).changes;
  const row: { a: number } | undefined = db.prepare<{ a: number }>('select a from t where a = ?').get([1]);
  const rows: any[][] = db.prepare('select a from t').raw().all();
  for (const value of db.prepare('select a from t where a = $a').pluck().iterate({ a: 1 })) void value;
  const move = db.transaction((from: number, to: number) => from + to);
  const sum: number = move(1, 2);
  void [changes, row, rows, sum, db.open, db.inTransaction, db.name];
}
