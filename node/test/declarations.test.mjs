import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';

const require = createRequire(import.meta.url);
const folder = join(import.meta.dirname, '..');

/** Exported values of a declaration file: names, and of classes the members with their kinds. */
function declared(file) {
  const source = ts.createSourceFile(file, readFileSync(join(folder, file), 'utf8'), ts.ScriptTarget.Latest);
  const names = new Set();
  const classes = new Map();
  for (const statement of source.statements) {
    const exported = statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
    if (ts.isClassDeclaration(statement)) {
      const members = statement.members.filter((member) => member.name !== undefined);
      const parent = statement.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword);
      classes.set(statement.name.text, {
        methods: members.filter(ts.isMethodDeclaration).map((member) => member.name.getText(source)),
        properties: members.filter(ts.isPropertyDeclaration).map((member) => member.name.getText(source)),
        parent: parent?.types[0].expression.getText(source),
      });
      if (exported) names.add(statement.name.text);
    } else if (exported && ts.isFunctionDeclaration(statement)) {
      names.add(statement.name.text);
    } else if (exported && ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) names.add(declaration.name.text);
    } else if (ts.isExportDeclaration(statement) && !statement.isTypeOnly) {
      for (const element of statement.exportClause.elements) names.add(element.name.text);
    }
  }
  return { names, classes };
}

/** All members that a class declares or inherits within its file. */
function membersOf(classes, name) {
  const { methods = [], properties = [], parent } = classes.get(name) ?? {};
  const inherited = classes.has(parent) ? membersOf(classes, parent) : { methods: [], properties: [] };
  return {
    methods: new Set([...methods, ...inherited.methods]),
    properties: new Set([...properties, ...inherited.properties]),
  };
}

function symbolName(symbol) {
  const known = Object.getOwnPropertyNames(Symbol).find((name) => Symbol[name] === symbol);
  return `[Symbol.${known}]`;
}

/** The public members of a class as it is: functions and getters of its prototypes. */
function actual(constructor) {
  const methods = new Set();
  const getters = new Set();
  const roots = [Object.prototype, Error.prototype];
  for (let at = constructor.prototype; !roots.includes(at); at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) {
      const name = typeof key === 'symbol' ? symbolName(key) : key;
      // What begins with an underscore is for the package's own files; every Error has a name.
      if (name === 'constructor' || name === 'name' || name.startsWith('_')) continue;
      (Object.getOwnPropertyDescriptor(at, key).get ? getters : methods).add(name);
    }
  }
  return { methods, getters };
}

for (const [specifier, file] of [
  ['rustdb', 'index.d.ts'],
  ['rustdb/sync', 'sync.d.ts'],
]) {
  test(`${file} declares what ${specifier} exports`, () => {
    const exported = require(specifier);
    const { names, classes } = declared(file);
    assert.deepEqual([...names].sort(), Object.keys(exported).sort());
    for (const name of classes.keys()) {
      if (!(name in exported)) continue;
      const { methods, properties } = membersOf(classes, name);
      const is = actual(exported[name]);
      assert.deepEqual([...is.methods].sort(), [...methods].sort(), `methods of ${name}`);
      for (const getter of is.getters) assert.ok(properties.has(getter), `${name}.${getter} is not declared`);
    }
  });
}

test('the oids are declared as they are', () => {
  const text = readFileSync(join(folder, 'index.d.ts'), 'utf8');
  for (const [name, oid] of Object.entries(require('rustdb').types)) {
    assert.ok(text.includes(`  ${name}: ${oid};`), `${name} is not declared as ${oid}`);
  }
});

test('programs compile against the declarations', () => {
  const tsc = require.resolve('typescript/bin/tsc');
  const run = spawnSync(process.execPath, [tsc, '--project', 'types'], { cwd: folder, encoding: 'utf8' });
  assert.equal(run.stdout + run.stderr, '');
  assert.equal(run.status, 0);
});
