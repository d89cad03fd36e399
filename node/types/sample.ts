// Compiled, not run: the same package from a CommonJS module.

import rustdb = require('rustdb');
import sync = require('rustdb/sync');

export async function both(): Promise<void> {
  const db: rustdb.Database = await rustdb.open(':memory:');
  await db.close();
  new sync.Database(':memory:').close();
}
