import { Field, Parameter, Parameters, Row, ValueOptions } from './index';

export { RustDBError, types } from './index';
export type { Field, Parameter, Parameters, Row } from './index';

export interface DatabaseOptions extends ValueOptions {
  /** `memory_limit`, `threads`, `page_size`, or any setting that SET knows. */
  settings?: Readonly<Record<string, string | number | boolean>>;
}

/** Parameters as arguments, or one array or object of them. */
export type Arguments = readonly Parameter[] | [Parameters];

/** A database, by one connection. Every call runs on the caller's thread until it is done. */
export declare class Database implements Disposable {
  /** Opens a database, or makes it if the file is not there. */
  constructor(location: string, options?: DatabaseOptions);
  /** The location it was opened with. */
  readonly name: string;
  /** Whether it is open. */
  readonly open: boolean;
  readonly inTransaction: boolean;
  prepare<T = Row>(sql: string): Statement<T>;
  /** Runs any number of statements, outside of a transaction as one, and drops their rows. */
  exec(sql: string): this;
  /** A function that runs `callback` in a transaction, or inside of one to a savepoint, and returns what it returns. */
  transaction<F extends (...values: any[]) => any>(callback: F): F;
  close(): this;
  [Symbol.dispose](): void;
}

export declare class Statement<T = Row> {
  private constructor(statement: never);
  readonly database: Database;
  /** The statement's text. */
  readonly source: string;
  /** Whether the statement gives rows. */
  readonly reader: boolean;
  /** Runs the statement and drops its rows. */
  run(...values: Arguments): { changes: number };
  /** The first row, or undefined. */
  get(...values: Arguments): T | undefined;
  /** All rows. */
  all(...values: Arguments): T[];
  /** The rows one by one, fetched in small batches. */
  iterate(...values: Arguments): Generator<T, void, undefined>;
  /** Gives rows as arrays. */
  raw(on?: boolean): Statement<any[]>;
  /** Gives the value of the first column instead of the row. */
  pluck(on?: boolean): Statement<any>;
  columns(): Field[];
}
