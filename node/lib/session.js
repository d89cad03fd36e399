'use strict';

const { RustDBError, unwrap } = require('./error.js');
const { checkRowMode, toParameters } = require('./values.js');

const CANCELED = '57014';

const REPEAT_MS = 10;

/** One database connection: the native session and how its values are read. */
class Session {
  constructor(native, decoding, timeoutMs) {
    this.native = native;
    this.decoding = decoding;
    this.timeoutMs = timeoutMs;
  }

  /** The result of one native operation, which `signal` and `timeoutMs` interrupt. */
  async run(operation, { signal, timeoutMs = this.timeoutMs } = {}) {
    signal?.throwIfAborted();
    let timedOut = false;
    let repeated;
    const abort = () => {
      this.native.interrupt();
      // A statement that has not begun yet does not hear it.
      repeated ??= setInterval(() => this.native.interrupt(), REPEAT_MS);
    };
    const expire = () => {
      timedOut = true;
      abort();
    };
    const timer = timeoutMs > 0 ? setTimeout(expire, timeoutMs) : undefined;
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return unwrap(await operation());
    } catch (error) {
      if (error.code !== CANCELED) throw error;
      signal?.throwIfAborted();
      if (!timedOut) throw error;
      const message = 'canceling statement due to statement timeout';
      throw new RustDBError({ sqlstate: CANCELED, message });
    } finally {
      clearTimeout(timer);
      clearInterval(repeated);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** All rows of the statement that `start` runs with its parameters. */
  async query(start, params, options = {}) {
    checkRowMode(options.rowMode);
    const parameters = toParameters(params);
    return this.shape(await this.run(() => start(parameters), options), options.rowMode);
  }

  /** The native result as the caller sees it. */
  shape({ fields, rows, affectedRows }, rowMode) {
    const shape = this.decoding.shaper(fields, rowMode);
    return { rows: rows.map(shape), fields, affectedRows: affectedRows ?? undefined };
  }
}

module.exports = { Session };
