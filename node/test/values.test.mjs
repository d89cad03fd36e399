import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open, types } from 'rustdb';

async function cells(sql, params, options) {
  const db = await open(':memory:', options);
  try {
    return (await db.query(sql, params, { rowMode: 'array' })).rows[0];
  } finally {
    await db.close();
  }
}

test('each type becomes the JavaScript value that fits it', async () => {
  const sql = `select true, 1::int2, -2::int4, 9007199254740993::int8, 0.1::float4, 0.1::float8, 'NaN'::float8,
    '-Infinity'::float8, 1.50::numeric(5,2), 'text', 'ab'::char(4), '\\x00ff'::bytea, '12:34:56.5'::time,
    interval '1 day 2 hours', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, null`;
  const row = await cells(sql);
  assert.deepEqual(row, [
    true,
    1,
    -2,
    9007199254740993n,
    0.1,
    0.1,
    NaN,
    -Infinity,
    '1.50',
    'text',
    'ab  ',
    Buffer.from([0, 255]),
    '12:34:56.5',
    '1 day 02:00:00',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    null,
  ]);
});

test('dates and timestamps are Dates, read in UTC, to the millisecond', async () => {
  const sql = `select date '2024-02-29', timestamp '1969-12-31 23:59:59.9996', timestamptz '2024-01-01 01:00+01',
    date 'infinity', timestamp '-infinity', date '0001-01-01 BC'`;
  assert.deepEqual(await cells(sql), [
    new Date('2024-02-29T00:00:00Z'),
    new Date(-1),
    new Date('2024-01-01T00:00:00Z'),
    Infinity,
    -Infinity,
    new Date('0000-01-01T00:00:00Z'),
  ]);
});

test('bigint and any type can be read another way', async () => {
  assert.deepEqual(await cells('select 7::int8', [], { int8: 'number' }), [7]);
  assert.deepEqual(await cells('select 7::int8', [], { int8: 'string' }), ['7']);
  const parsers = {
    [types.DATE]: (text) => `the ${text}`,
    [types.NUMERIC]: Number,
    [types.INT8]: (text) => Number(text) + 1,
    [types.TIMESTAMPTZ]: (text) => text,
  };
  const sql = "select date '2024-01-01', 1.5::numeric(5,2), 41::int8, timestamptz '2024-01-01 00:00:00.123456+00', null::date";
  assert.deepEqual(await cells(sql, [], { parsers }), [
    'the 2024-01-01',
    1.5,
    42,
    '2024-01-01 00:00:00.123456+00',
    null,
  ]);
  await assert.rejects(open(':memory:', { int8: 'float' }), TypeError);
  await assert.rejects(open(':memory:', { parsers: { date: String } }), TypeError);
  await assert.rejects(open(':memory:', { parsers: { 1082: 'text' } }), TypeError);
});

test('parameters of each kind arrive as they left', async () => {
  const date = new Date('2024-02-03T04:05:06.789Z');
  const far = new Date(Date.UTC(12345, 0, 1));
  const old = new Date('-000043-03-15T00:00:00Z');
  const params = [
    true,
    42,
    -0.5,
    2n ** 62n,
    10n ** 20n,
    'na\u00efve \u{1f40d}',
    new Uint8Array([1, 2]),
    Buffer.from('ab'),
    new Uint16Array([258]).buffer,
    date,
    date,
    date,
    far,
    old,
    null,
    undefined,
    '1.25',
  ];
  const sql = `select $1::bool, $2::int, $3::float8, $4::int8, $5::numeric(30,0), $6::text, $7::bytea, $8::bytea, $9::bytea,
    $10::timestamptz, $11::timestamp, $12::date, $13::timestamptz, $14::date, $15::text, $16::int, $17::numeric(5,2)`;
  assert.deepEqual(await cells(sql, params), [
    true,
    42,
    -0.5,
    2n ** 62n,
    '100000000000000000000',
    'na\u00efve \u{1f40d}',
    Buffer.from([1, 2]),
    Buffer.from('ab'),
    Buffer.from([2, 1]),
    date,
    date,
    new Date('2024-02-03T00:00:00Z'),
    far,
    old,
    null,
    null,
    '1.25',
  ]);
  await assert.rejects(cells('select $1::date', [new Date(NaN)]), TypeError);
  await assert.rejects(cells('select $1::int2', [70000]), { code: '22003' });
  await assert.rejects(cells('select $1::int', ['x']), { code: '22P02' });
  await assert.rejects(cells('select $1::int8', [10n ** 40n]), { code: '22003' });
  assert.deepEqual(await cells('select $1::float8', [2 ** 53]), [2 ** 53]);
  assert.ok(Object.is((await cells('select $1::float8', [-0]))[0], -0));
});

test('columns are properties, whatever their names', async () => {
  const db = await open(':memory:');
  const { rows } = await db.query('select 1 as "__proto__", 2 as "a b", 3 as x, 4 as x');
  assert.deepEqual(Object.keys(rows[0]), ['__proto__', 'a b', 'x']);
  assert.equal(Object.getOwnPropertyDescriptor(rows[0], '__proto__').value, 1);
  assert.equal(Object.getPrototypeOf(rows[0]), Object.prototype);
  assert.equal(rows[0].x, 4);
  await db.close();
});
