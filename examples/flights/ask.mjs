// Answers the statement in a file and prints the rows, values apart by commas: node ask.mjs DATABASE FILE
import { readFile } from 'node:fs/promises';
import { open } from '../../node/index.mjs';

const [database, file] = process.argv.slice(2);
const db = await open(database);
const { rows } = await db.query(await readFile(file, 'utf8'));
for (const row of rows) console.log(Object.values(row).join(','));
await db.close();
