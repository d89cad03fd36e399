import rustdb from './sync.js';

export const { Database, Statement, RustDBError, types } = rustdb;
