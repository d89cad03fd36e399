'use strict';

// The native half, which `npm run build` puts beside package.json.
let native;
try {
  native = require('../rustdb.node');
} catch (cause) {
  if (cause.code !== 'MODULE_NOT_FOUND') throw cause;
  throw new Error('the native half of rustdb is not built: run `npm run build` in its folder', { cause });
}

module.exports = native;
