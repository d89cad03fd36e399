/** Oids of PostgreSQL's types, by their names in its catalog. */
export declare const types: Readonly<{
  BOOL: 16;
  BYTEA: 17;
  INT8: 20;
  INT2: 21;
  INT4: 23;
  TEXT: 25;
  FLOAT4: 700;
  FLOAT8: 701;
  BPCHAR: 1042;
  VARCHAR: 1043;
  DATE: 1082;
  TIME: 1083;
  TIMESTAMP: 1114;
  TIMESTAMPTZ: 1184;
  INTERVAL: 1186;
  NUMERIC: 1700;
  UUID: 2950;
}>;

/** A value that a parameter can have. `undefined` is NULL, a Date a point in time. */
export type Parameter = boolean | number | bigint | string | Date | ArrayBuffer | ArrayBufferView | null | undefined;

/** Parameters by position (`$1`, `?`), or by name (`$name`, `:name`). */
export type Parameters = readonly Parameter[] | Readonly<Record<string, Parameter>>;

/** How values of the database become JavaScript's. */
export interface ValueOptions {
  /** What a bigint becomes; `'number'` loses digits beyond 2^53. The default is `'bigint'`. */
  int8?: 'bigint' | 'number' | 'string';
  /** Functions that make values of a type from PostgreSQL's text of them, by the oid of the type. */
  parsers?: Readonly<Record<number, (text: string) => unknown>>;
}

export interface OpenOptions extends ValueOptions {
  /** How long a statement may run unless it says otherwise; 0, the default, is without limit. */
  timeoutMs?: number;
  /** `memory_limit`, `threads`, `page_size`, or any setting that SET knows. */
  settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface RunOptions {
  /** Cancels the statement; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
  /** How long the statement may run, from its start. */
  timeoutMs?: number;
}

export interface RowOptions {
  /** `'array'` gives rows as arrays instead of objects. */
  rowMode?: 'object' | 'array';
}

export type QueryOptions = RunOptions & RowOptions;

export type ArrayQueryOptions = RunOptions & { rowMode: 'array' };

export interface StreamOptions extends QueryOptions {
  /** How many rows are fetched at once. The default is 1024. */
  batchSize?: number;
}

export interface Field {
  name: string;
  /** The oid of the type, one of `types`. */
  dataTypeID: number;
  /** The type as SQL writes it, such as `numeric(15,2)`. */
  dataType: string;
}

/** A row as an object. Where two columns have one name the last has it. */
export type Row = Record<string, any>;

export interface Result<T = Row> {
  rows: T[];
  fields: Field[];
  /** How many rows the statement changed; undefined if it is none that changes rows. */
  affectedRows: number | undefined;
}

/** An error of the database, with PostgreSQL's fields. */
export declare class RustDBError extends Error {
  private constructor(failure: never);
  /** The SQLSTATE, such as `'23505'`. */
  readonly code: string;
  readonly severity: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly context?: string;
  /** Where in the statement's text, in characters from 1. */
  readonly position?: number;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

declare abstract class Executor {
  /** All rows of one statement. */
  query(sql: string, params: Parameters | undefined, options: ArrayQueryOptions): Promise<Result<any[]>>;
  query<T = Row>(sql: string, params?: Parameters, options?: QueryOptions): Promise<Result<T>>;
  /** Runs a template; its values become parameters. */
  sql<T = Row>(strings: TemplateStringsArray, ...values: Parameter[]): Promise<Result<T>>;
  /** Runs any number of statements, outside of a transaction as one, and gives the result of each. */
  exec(sql: string, options?: QueryOptions): Promise<Result[]>;
  /** Prepares a statement that is run often. */
  prepare<T = Row>(sql: string, options?: RunOptions): Promise<Statement<T>>;
  /** The rows of one statement, fetched while they are iterated over. */
  stream<T = Row>(sql: string, params?: Parameters, options?: StreamOptions): AsyncGenerator<T, void, undefined>;
}

export declare class Statement<T = Row> {
  private constructor(statement: never);
  readonly fields: Field[];
  /** The oid of each parameter's type. */
  readonly parameterTypes: number[];
  query(params: Parameters | undefined, options: ArrayQueryOptions): Promise<Result<any[]>>;
  query(params?: Parameters, options?: QueryOptions): Promise<Result<T>>;
  stream(params?: Parameters, options?: StreamOptions): AsyncGenerator<T, void, undefined>;
}

export interface TransactionOptions {
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
  /** How often to run again what lost against a concurrent transaction (40001, 40P01). The default is 0. */
  retries?: number;
}

/** What the callback of `transaction` runs its statements with. The database itself waits until it has ended. */
export declare class Transaction extends Executor {
  private constructor(transaction: never);
  /** Whether it has ended. */
  readonly closed: boolean;
  /** Rolls back now; nothing else can be done with the transaction. */
  rollback(): Promise<void>;
  /** A part of the transaction that is rolled back alone if its callback throws. */
  transaction<R>(callback: (tx: Transaction) => Promise<R> | R): Promise<R>;
}

/** A database, by one connection. Its statements run one after the other, in a thread of their own. */
export declare class Database extends Executor implements AsyncDisposable {
  private constructor(database: never);
  /** Whether `close` was called. */
  readonly closed: boolean;
  /** Runs the callback in a transaction and commits it, or rolls it back if the callback throws. */
  transaction<R>(callback: (tx: Transaction) => Promise<R> | R, options?: TransactionOptions): Promise<R>;
  /** Closes the database once the statements and transactions before it have ended. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a database, or makes it if the file is not there: `'app.db'`, `'rustdb:app.db?memory_limit=256MB'`, or one in
 * memory, `':memory:'` for one of its own and `'rustdb::memory:name'` for one that the process shares.
 */
export declare function open(location: string, options?: OpenOptions): Promise<Database>;
