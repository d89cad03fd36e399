'use strict';

// The synchronous face, in the shape of better-sqlite3: every call runs on the caller's thread and returns when it is
// done. For scripts, tests and worker threads.

const native = require('./native.js');
const { RustDBError, unwrap } = require('./error.js');
const { Decoding, toParameters, toSettings } = require('./values.js');

/** Rows of one call into the native half while a statement is iterated over. */
const BATCH_SIZE = 256;

/** `(1, 2)`, `([1, 2])` and `({ a: 1 })` are parameters. */
function toArguments(values) {
  const [first] = values;
  const isBag =
    values.length === 1 &&
    first !== null &&
    typeof first === 'object' &&
    (Array.isArray(first) || [Object.prototype, null].includes(Object.getPrototypeOf(first)));
  return toParameters(isBag ? first : values);
}

class Database {
  #native;
  #decoding;
  #name;

  constructor(location, options = {}) {
    if (typeof location !== 'string') throw new TypeError('the location of a database is a string');
    const { int8, parsers, settings } = options;
    this.#decoding = new Decoding({ int8, parsers });
    this.#native = unwrap(
      native.openSync(location, toSettings(settings), this.#decoding.int8, this.#decoding.textTypes),
    );
    this.#name = location;
  }

  get name() {
    return this.#name;
  }

  get open() {
    return this.#native !== undefined;
  }

  get inTransaction() {
    return this.#session().transactionState() !== 'idle';
  }

  prepare(sql) {
    return new Statement(this, sql, unwrap(this.#session().prepareSync(sql)), this.#decoding);
  }

  /** Runs any number of statements and drops their rows. */
  exec(sql) {
    unwrap(this.#session().execSync(sql));
    return this;
  }

  /** A function that runs `callback` in a transaction, or inside of one to a savepoint, with its own arguments. */
  transaction(callback) {
    if (typeof callback !== 'function') throw new TypeError('a transaction is a function');
    const database = this;
    return function transaction(...values) {
      const [begin, commit, rollback] = database.inTransaction
        ? [
            'SAVEPOINT rustdb_part',
            'RELEASE SAVEPOINT rustdb_part',
            'ROLLBACK TO SAVEPOINT rustdb_part; RELEASE SAVEPOINT rustdb_part',
          ]
        : ['BEGIN', 'COMMIT', 'ROLLBACK'];
      database.exec(begin);
      try {
        const result = callback.apply(this, values);
        if (typeof result?.then === 'function') throw new TypeError('a transaction cannot be asynchronous');
        // COMMIT of a failed transaction would roll back without a word.
        if (database.#session().transactionState() === 'failed') {
          const message = 'current transaction is aborted, commands ignored until end of transaction block';
          throw new RustDBError({ sqlstate: '25P02', message });
        }
        database.exec(commit);
        return result;
      } catch (error) {
        if (database.inTransaction) database.exec(rollback);
        throw error;
      }
    };
  }

  close() {
    if (this.#native === undefined) return this;
    const session = this.#native;
    this.#native = undefined;
    unwrap(session.closeSync());
    return this;
  }

  [Symbol.dispose]() {
    this.close();
  }

  #session() {
    if (this.#native === undefined) throw new RustDBError({ sqlstate: '08003', message: 'the database is closed' });
    return this.#native;
  }
}

class Statement {
  #database;
  #source;
  #native;
  #fields;
  #decoding;
  #mode = 'object';
  #shape;

  constructor(database, source, statement, decoding) {
    this.#database = database;
    this.#source = source;
    this.#native = statement;
    this.#fields = statement.fields;
    this.#decoding = decoding;
  }

  get database() {
    return this.#database;
  }

  get source() {
    return this.#source;
  }

  /** Whether the statement gives rows. */
  get reader() {
    return this.#fields.length > 0;
  }

  /** Runs the statement and drops its rows. */
  run(...values) {
    const { affectedRows } = this.#query(values);
    return { changes: affectedRows ?? 0 };
  }

  /** The first row, or undefined. */
  get(...values) {
    const [row] = this.#query(values, 1).rows;
    return row === undefined ? undefined : this.#row(row);
  }

  /** All rows. */
  all(...values) {
    return this.#query(values).rows.map((row) => this.#row(row));
  }

  /** The rows one by one, fetched in small batches. */
  *iterate(...values) {
    this.#check();
    const cursor = unwrap(this.#native.cursorSync(toArguments(values)));
    try {
      for (;;) {
        this.#check();
        const { rows, done } = unwrap(cursor.fetchSync(BATCH_SIZE));
        for (const row of rows) yield this.#row(row);
        if (done) return;
      }
    } finally {
      cursor.close();
    }
  }

  /** Whether rows are arrays. */
  raw(on = true) {
    return this.#setMode(on, 'raw');
  }

  /** Whether rows are the values of their first columns. */
  pluck(on = true) {
    return this.#setMode(on, 'pluck');
  }

  columns() {
    return this.#fields.map((field) => ({ ...field }));
  }

  #query(values, limit) {
    this.#check();
    return unwrap(this.#native.querySync(toArguments(values), limit));
  }

  #row(row) {
    this.#shape ??= this.#decoding.shaper(this.#fields, this.#mode === 'object' ? 'object' : 'array');
    const shaped = this.#shape(row);
    return this.#mode === 'pluck' ? shaped[0] : shaped;
  }

  #setMode(on, mode) {
    if (typeof on !== 'boolean') throw new TypeError('expected a boolean');
    if (on || this.#mode === mode) {
      this.#mode = on ? mode : 'object';
      this.#shape = undefined;
    }
    return this;
  }

  #check() {
    if (!this.#database.open) throw new RustDBError({ sqlstate: '08003', message: 'the database is closed' });
  }
}

module.exports = { Database, Statement };
