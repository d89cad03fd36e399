import rustdb from './index.js';

export const { open, Database, Statement, Transaction, RustDBError, types } = rustdb;
