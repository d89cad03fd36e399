'use strict';

// The asynchronous face. A database object is one connection: its statements run one after the other, each in the
// thread of the native session, and a transaction holds the queue until it ends.

const native = require('./native.js');
const { RustDBError, unwrap } = require('./error.js');
const { Queue } = require('./queue.js');
const { Session } = require('./session.js');
const { Decoding, checkRowMode, toParameters, toSettings } = require('./values.js');

const ISOLATION = new Set(['read committed', 'repeatable read', 'serializable']);

/** The transaction was rolled back through no fault of its own, and may succeed when run again. */
const RETRYABLE = new Set(['40001', '40P01']);

const BATCH_SIZE = 1024;

/** What a database and a transaction can both do. */
class Executor {
  #session;
  #queue = new Queue();
  #closed;

  constructor(session) {
    this.#session = session;
  }

  query(sql, params = [], options = {}) {
    return this.#query((parameters) => this.#session.native.query(sql, parameters), params, options);
  }

  sql(strings, ...values) {
    return this.query(strings.reduce((text, part, index) => `${text}$${index}${part}`), values);
  }

  async exec(sql, options = {}) {
    checkRowMode(options.rowMode);
    const results = await this._run((session) => session.run(() => session.native.exec(sql), options), options);
    return results.map((result) => this.#session.shape(result, options.rowMode));
  }

  async prepare(sql, options = {}) {
    const statement = await this._run((session) => session.run(() => session.native.prepare(sql), options), options);
    return new Statement(statement, {
      query: (params, queryOptions) =>
        this.#query((parameters) => statement.query(parameters), params, queryOptions),
      stream: (params, streamOptions) =>
        this.#stream((parameters) => statement.cursor(parameters), params, streamOptions),
    });
  }

  stream(sql, params = [], options = {}) {
    return this.#stream((parameters) => this.#session.native.cursor(sql, parameters), params, options);
  }

  #query(start, params, options = {}) {
    return this._run((session) => session.query(start, params, options), options);
  }

  async *#stream(start, params, options = {}) {
    const { batchSize = BATCH_SIZE, rowMode } = options;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new RangeError('batchSize is a positive integer');
    }
    checkRowMode(rowMode);
    const parameters = toParameters(params);
    const run = (operation) => this._run((session) => session.run(operation, options), options);
    const cursor = await run(() => start(parameters));
    try {
      const shape = this.#session.decoding.shaper(cursor.fields, rowMode);
      for (;;) {
        const { rows, done } = await run(() => cursor.fetch(batchSize));
        for (const row of rows) yield shape(row);
        if (done) return;
      }
    } finally {
      cursor.close();
    }
  }

  /** Runs a task with the session once those before it have ended. */
  _run(task, { signal } = {}) {
    if (this.#closed) return Promise.reject(new RustDBError(this.#closed));
    return this.#queue.run(() => task(this.#session), signal);
  }

  /** Refuses further tasks; settles when those before have ended. */
  _end(failure) {
    this.#closed = failure;
    return this.#queue.run(() => {});
  }

  get _ended() {
    return this.#closed !== undefined;
  }
}

/** A prepared statement. */
class Statement {
  #actions;

  constructor({ fields, parameterTypes }, actions) {
    this.fields = fields;
    this.parameterTypes = parameterTypes;
    this.#actions = actions;
  }

  query(params = [], options = {}) {
    return this.#actions.query(params, options);
  }

  stream(params = [], options = {}) {
    return this.#actions.stream(params, options);
  }
}

/** A database, by one connection of its own. */
class Database extends Executor {
  /**
   * Runs `callback` in a transaction and commits it, or rolls it back if the callback throws. With `retries`, a
   * transaction that lost against a concurrent one is run again from its start.
   */
  async transaction(callback, { isolation, retries = 0 } = {}) {
    if (isolation !== undefined && !ISOLATION.has(isolation)) {
      throw new TypeError(`isolation is one of ${[...ISOLATION].join(', ')}, not ${String(isolation)}`);
    }
    const begin = isolation === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolation}`;
    const commands = { begin, commit: 'COMMIT', rollback: 'ROLLBACK' };
    for (let attempt = 0; ; attempt++) {
      try {
        return await this._run((session) => runTransaction(session, commands, callback));
      } catch (error) {
        if (attempt >= retries || !(error instanceof RustDBError) || !RETRYABLE.has(error.code)) throw error;
      }
    }
  }

  get closed() {
    return this._ended;
  }

  /** Closes the database once the statements and transactions before it have ended. */
  async close() {
    if (this._ended) return;
    const closing = this._run(async (session) => unwrap(await session.native.close()));
    await Promise.all([closing, this._end({ sqlstate: '08003', message: 'the database is closed' })]);
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }
}

const ROLLED_BACK = { sqlstate: '25P01', message: 'the transaction has been rolled back' };
const ENDED = { sqlstate: '25P01', message: 'the transaction has ended' };

/** What the callback of `transaction` gets. */
class Transaction extends Executor {
  #rollback;
  #rolledBack = false;

  constructor(session, rollback) {
    super(session);
    this.#rollback = rollback;
  }

  /** Rolls back now; nothing else can be done with the transaction. */
  async rollback() {
    await this._run((session) => command(session, this.#rollback));
    this.#rolledBack = true;
    await this._end(ROLLED_BACK);
  }

  /** A part of the transaction that can be rolled back alone, to a savepoint. */
  transaction(callback) {
    return this._run((session) => runTransaction(session, PART, callback));
  }

  get closed() {
    return this._ended;
  }

  get _rolledBack() {
    return this.#rolledBack;
  }
}

const PART = {
  begin: 'SAVEPOINT rustdb_part',
  commit: 'RELEASE SAVEPOINT rustdb_part',
  rollback: 'ROLLBACK TO SAVEPOINT rustdb_part; RELEASE SAVEPOINT rustdb_part',
};

async function command(session, sql) {
  unwrap(await session.native.exec(sql));
}

async function runTransaction(session, { begin, commit, rollback }, callback) {
  await command(session, begin);
  const transaction = new Transaction(session, rollback);
  try {
    const result = await callback(transaction);
    if (transaction._rolledBack) return result;
    await transaction._end(ENDED);
    // COMMIT of a failed transaction would roll back without a word.
    if (session.native.transactionState() === 'failed') {
      const message = 'current transaction is aborted, commands ignored until end of transaction block';
      throw new RustDBError({ sqlstate: '25P02', message });
    }
    await command(session, commit);
    return result;
  } catch (error) {
    if (!transaction._rolledBack) {
      await transaction._end(ENDED);
      if (session.native.transactionState() !== 'idle') await command(session, rollback);
    }
    throw error;
  }
}

/** Opens a database, or makes it if the file is not there. */
async function open(location, options = {}) {
  if (typeof location !== 'string') throw new TypeError('the location of a database is a string');
  const { int8, parsers, timeoutMs = 0, settings } = options;
  const decoding = new Decoding({ int8, parsers });
  const opened = native.open(location, toSettings(settings), decoding.int8, decoding.textTypes);
  return new Database(new Session(unwrap(await opened), decoding, timeoutMs));
}

module.exports = { open, Database, Statement, Transaction };
