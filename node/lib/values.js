'use strict';

// Values between JavaScript and SQL, and the shapes of rows.

/** Oids of PostgreSQL's types, by their names in its catalog. */
const types = Object.freeze({
  BOOL: 16,
  BYTEA: 17,
  INT8: 20,
  INT2: 21,
  INT4: 23,
  TEXT: 25,
  FLOAT4: 700,
  FLOAT8: 701,
  BPCHAR: 1042,
  VARCHAR: 1043,
  DATE: 1082,
  TIME: 1083,
  TIMESTAMP: 1114,
  TIMESTAMPTZ: 1184,
  INTERVAL: 1186,
  NUMERIC: 1700,
  UUID: 2950,
});

const INT8 = new Set(['bigint', 'number', 'string']);

/** Milliseconds since 1970 UTC to a Date; the infinities stay numbers. */
const toDate = (ms) => (ms === Infinity || ms === -Infinity ? ms : new Date(ms));

const defaultParsers = { [types.DATE]: toDate, [types.TIMESTAMP]: toDate, [types.TIMESTAMPTZ]: toDate };

/** How the values of a session become JavaScript's. */
class Decoding {
  constructor({ int8 = 'bigint', parsers = {} }) {
    if (!INT8.has(int8)) throw new TypeError(`int8 is 'bigint', 'number' or 'string', not ${String(int8)}`);
    for (const [oid, parser] of Object.entries(parsers)) {
      if (!/^\d+$/.test(oid) || typeof parser !== 'function') {
        throw new TypeError('parsers are functions by the oid of the type they parse');
      }
    }
    this.int8 = int8;
    // A parser of the caller's gets the text that PostgreSQL would send.
    this.textTypes = Object.keys(parsers).map(Number);
    this.parsers = { ...defaultParsers, ...parsers };
  }

  /** A function that turns the arrays of the native half into rows. */
  shaper(fields, rowMode) {
    const parsed = fields
      .map((field, index) => [index, this.parsers[field.dataTypeID]])
      .filter(([, parser]) => parser !== undefined);
    const parse = (row) => {
      for (const [index, parser] of parsed) {
        if (row[index] !== null) row[index] = parser(row[index]);
      }
      return row;
    };
    if (rowMode === 'array') return parsed.length === 0 ? (row) => row : parse;
    const names = fields.map((field) => field.name);
    if (names.includes('__proto__')) {
      return (row) => {
        parse(row);
        const object = {};
        names.forEach((name, index) => {
          const value = row[index];
          Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
        });
        return object;
      };
    }
    return (row) => {
      parse(row);
      const object = {};
      for (let index = 0; index < names.length; index++) object[names[index]] = row[index];
      return object;
    };
  }
}

function checkRowMode(rowMode) {
  if (rowMode !== undefined && rowMode !== 'object' && rowMode !== 'array') {
    throw new TypeError(`rowMode is 'object' or 'array', not ${String(rowMode)}`);
  }
  return rowMode;
}

/** A Date as a literal of timestamptz. */
function dateText(date) {
  if (Number.isNaN(date.getTime())) throw new TypeError('an invalid Date cannot be a parameter');
  const text = date.toISOString();
  const year = date.getUTCFullYear();
  if (year > 0 && year < 10000) return text;
  const rest = text.slice(text.indexOf('-', 1));
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

/** A parameter as the native half takes it. */
function toParameter(value) {
  switch (typeof value) {
    case 'undefined':
      return null;
    case 'boolean':
    case 'number':
    case 'bigint':
    case 'string':
      return value;
    case 'object':
      if (value === null || value instanceof Uint8Array) return value;
      if (value instanceof Date) return dateText(value);
      if (value instanceof ArrayBuffer) return new Uint8Array(value);
      if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  const what = typeof value === 'object' ? value.constructor?.name ?? 'object' : typeof value;
  throw new TypeError(`a parameter cannot be of type ${what}`);
}

/** An array of parameters, or an object of them by name. */
function toParameters(values) {
  if (Array.isArray(values)) return values.map(toParameter);
  if (values === null || typeof values !== 'object') {
    throw new TypeError('parameters are an array, or an object by name');
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toParameter(value)]));
}

/** The settings of `open` as the native half takes them. */
function toSettings(settings = {}) {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
}

module.exports = { types, Decoding, checkRowMode, toParameters, toSettings };
