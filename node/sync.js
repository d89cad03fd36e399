'use strict';

const { Database, Statement } = require('./lib/sync.js');
const { RustDBError } = require('./lib/error.js');
const { types } = require('./lib/values.js');

module.exports = { Database, Statement, RustDBError, types };
