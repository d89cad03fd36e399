// A library of books: fills a table in a transaction, prints a report and follows a long result row by row.
//
//     node examples/node/library.mjs
//
// In a project of your own the import is from 'rustdb'.

import { open, RustDBError } from '../../node/index.mjs';

const db = await open(process.argv[2] ?? ':memory:');

await db.exec(`
  DROP TABLE IF EXISTS books;
  CREATE TABLE books (title text PRIMARY KEY, year int, price numeric(8,2))
`);

await db.transaction(async (tx) => {
  const insert = await tx.prepare('INSERT INTO books VALUES ($1, $2, $3)');
  await insert.query(['The Art of Computer Programming', 1968, '199.99']);
  await insert.query(['A Relational Model of Data', 1970, 0]);
  await insert.query(['Transaction Processing', 1992, '89.50']);
  await insert.query(['Readings in Database Systems', 1988, null]);
});

const since = 1970;
const { rows } = await db.sql`
  SELECT year / 10 * 10 AS decade, count(*) AS books, max(price) AS dearest
  FROM books WHERE year >= ${since} GROUP BY 1 ORDER BY 1`;
for (const { decade, books, dearest } of rows) {
  console.log(`${decade}s: ${books} at most ${dearest ?? 'unknown'}`);
}

try {
  await db.query('INSERT INTO books VALUES ($1, $2, $3)', ['Transaction Processing', 1993, 1]);
} catch (error) {
  if (!(error instanceof RustDBError)) throw error;
  console.log(`${error.code}: ${error.constraint}`);
}

let sum = 0n;
for await (const { n } of db.stream('SELECT n FROM generate_series(1::bigint, 100000) AS n')) sum += n;
console.log(`sum: ${sum}`);

await db.close();
