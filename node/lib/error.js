'use strict';

/** An error of the database, with PostgreSQL's fields. */
class RustDBError extends Error {
  constructor(failure) {
    super(failure.message);
    this.code = failure.sqlstate;
    this.severity = 'ERROR';
    for (const field of ['detail', 'hint', 'context', 'position', 'schema', 'table', 'column', 'constraint']) {
      if (failure[field] !== undefined) this[field] = failure[field];
    }
  }
}
Object.defineProperty(RustDBError.prototype, 'name', {
  value: 'RustDBError',
  writable: true,
  configurable: true,
});

/** What a native operation gave, or its failure thrown. */
function unwrap(outcome) {
  if (outcome?.sqlstate !== undefined) throw new RustDBError(outcome);
  return outcome;
}

module.exports = { RustDBError, unwrap };
