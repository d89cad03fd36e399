// Builds the native half in release mode and puts it beside package.json.

import { spawnSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const profile = process.argv.includes('--dev') ? 'dev' : 'release';

function cargo(args, stdout) {
  const run = spawnSync('cargo', args, { cwd: packageFolder, stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' });
  if (run.error) throw new Error('cargo does not start: Rust is needed to build rustdb', { cause: run.error });
  if (run.status !== 0) process.exit(run.status ?? 1);
  return run.stdout;
}

const messages = cargo(
  ['build', '--package', 'rustdb-node', '--profile', profile, '--message-format', 'json-render-diagnostics'],
  'pipe',
);
const artifacts = messages
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === 'compiler-artifact' && message.target.name === 'rustdb_node');
const library = artifacts.flatMap((artifact) => artifact.filenames).find((name) => /\.(so|dylib|dll)$/.test(name));
if (!library) throw new Error('cargo built no library');

// Renamed into place, because a process may have the old one loaded.
const target = join(packageFolder, 'rustdb.node');
copyFileSync(library, `${target}.new`);
renameSync(`${target}.new`, target);
console.log(`built ${target}`);
