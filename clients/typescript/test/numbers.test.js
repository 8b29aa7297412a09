import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ExactNumber, numberOf, parse, stringify } from '../src/index.js';

const BIG = '115792089237316195423570985008687907853269984665640564039457584007913129639935';

test('numbers that a double holds are numbers', () => {
  const text = '[0,-0,1.5,1.10,1e2,1E+2,9007199254740992,0.1,5e-324,1.7976931348623157e308,123456789012345680000]';
  assert.deepEqual(parse(text), JSON.parse(text));
  assert.ok(parse(text).every((/** @type {unknown} */ each) => typeof each === 'number'));
});

test('other numbers keep their text', () => {
  for (const number of [BIG, '9007199254740993', '-9223372036854775809', '123456789.123456789123', '1e400', '-1e-400', '18446744073709551616']) {
    const text = `{"n":[${number}],"s":"${number}"}`;
    const value = parse(text);
    assert.ok(value.n[0] instanceof ExactNumber, number);
    assert.equal(String(value.n[0]), number);
    assert.equal(value.s, number);
    assert.equal(stringify(value), text);
  }
  assert.equal(Number(numberOf(BIG)) > 1e70, true);
  assert.equal(new ExactNumber(BIG).toBigInt(), BigInt(BIG));
});

test('everything else is read and written as JSON does it', () => {
  for (const text of [
    `{"a":{"b":[${BIG},{}, [] ,null,true,false,"\\u00e9\\"\\\\ ]},{"]},"":""}`,
    ` [ ${BIG} , "a:b,c" , [ [ 1e400 ] ] ] `,
    `{"__proto__":{"x":1},"n":${BIG}}`,
    `{"n":${BIG},"n":1e3}`,
    `"${BIG}"`,
  ]) {
    const plain = text.replaceAll(BIG, '7').replaceAll('1e400', '8');
    const spoken = stringify(parse(text)).replaceAll(BIG, '7').replaceAll('1e400', '8');
    assert.equal(spoken, JSON.stringify(JSON.parse(plain)), text);
  }
  assert.throws(() => parse(`{"a":${BIG},}`), SyntaxError);
  const dated = { at: new Date(0), none: undefined, n: new ExactNumber('1e400') };
  assert.equal(stringify(dated, 2), '{\n  "at": "1970-01-01T00:00:00.000Z",\n  "n": 1e400\n}');
  assert.equal(stringify({ a: 1 }, 2), JSON.stringify({ a: 1 }, null, 2));
  assert.equal(stringify(undefined), undefined);
  assert.throws(() => new ExactNumber('1,5'), TypeError);
});

test('JSON.stringify never rounds one', () => {
  const number = new ExactNumber(BIG);
  if ('rawJSON' in JSON) assert.equal(JSON.stringify([number]), `[${BIG}]`);
  else assert.throws(() => JSON.stringify([number]), TypeError);
});
