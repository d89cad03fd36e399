'use strict';

const { open, Database, Statement, Transaction } = require('./lib/database.js');
const { RustDBError } = require('./lib/error.js');
const { types } = require('./lib/values.js');

module.exports = { open, Database, Statement, Transaction, RustDBError, types };
