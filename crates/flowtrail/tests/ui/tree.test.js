// @ts-check
/** What components compute, without a browser. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differing } from '../../../flowtrail-http/ui/usage/compare.js';
import { Tree, pathText } from '../../../flowtrail-http/ui/usage/tree.js';
import { ago, bytes, duration, percent } from '../../../flowtrail-http/ui/base/format.js';
import { orthogonal } from '../../../flowtrail-http/ui/flows/layout.js';
import { change } from '../../../flowtrail-http/ui/stats/series.js';
import { fromOf } from '../../../flowtrail-http/ui/usage/time-range.js';

test('a tree opens, folds, finds and names paths', () => {
  const tree = new Tree({ list: Array.from({ length: 1_000 }, (_, number) => ({ number })), 'a b': { c: 'Needle' } });
  assert.equal(tree.lines.length, 4, 'much stays folded');
  const at = tree.lines.findIndex((line) => line.key === 'list');
  tree.toggle(at);
  assert.equal(tree.lines.length, 1_004);
  tree.toggle(at);
  assert.equal(tree.lines.length, 4);
  tree.find('needle');
  assert.deepEqual(tree.found, [['a b', 'c']]);
  const line = tree.lines[tree.next(-1, 1)];
  assert.equal(line?.value, 'Needle');
  assert.equal(pathText(line?.path ?? []), '["a b"].c');
  assert.equal(pathText(['list', 3, 'number']), 'list[3].number');
  tree.find('999');
  // It opens what is folded on the way.
  const place = tree.next(0, 1);
  const deep = tree.lines[place];
  assert.deepEqual(deep?.path, ['list', 999]);
  for (const value of [null, 0, '', [], {}, 'text']) assert.equal(new Tree(value).lines[0]?.value, value);
});

test('times, durations and parts are written so that they are not more exact than they are', () => {
  const shown = [0, 0.26, 12.4, 999.4, 999.9, 1_240, 9_994, 59_990, 61_000, 3_600_000, 90_000_000, null].map(duration);
  assert.deepEqual(shown, ['0 ms', '0.3 ms', '12 ms', '999 ms', '1.00 s', '1.24 s', '9.99 s', '60.0 s', '1 m 01 s', '1 h 00 m', '1 d 1 h', '…']);
  assert.deepEqual([1, 0.9999, 0.5, 0.001, 0.0001, 0, null].map(percent), ['100 %', '> 99.9 %', '50 %', '0.1 %', '< 0.1 %', '0 %', '–']);
  assert.deepEqual([0, 1_023, 1_536, 5 * 1024 ** 2].map(bytes), ['0 bytes', '1023 bytes', '1.5 KiB', '5.0 MiB']);
  const now = Date.UTC(2026, 0, 10, 12);
  assert.deepEqual([0, 12, 300, 7_200].map((seconds) => ago(now - seconds * 1_000, now)), ['just now', '12 s ago', '5 min ago', '2 h ago']);
  assert.equal(fromOf('24h', now), '2026-01-09T12:00:00.000Z');
  assert.equal(fromOf('nonsense', now), undefined);
});

test('what differs is named by where it stands', () => {
  assert.deepEqual(differing({ a: 1, b: { c: 2, d: [1] } }, { a: 1, b: { c: 3, d: [2] }, e: 1 }, 'Fetch'), ['Fetch.b.c', 'Fetch.b.d', 'Fetch.e']);
  assert.deepEqual(differing('x', 'x', 'n'), []);
  assert.deepEqual(differing({ a: 1 }, null, 'n'), ['n']);
});

test('a change is told where there was something before', () => {
  assert.equal(change(10, 0), undefined);
  assert.deepEqual(change(15, 10), { by: 50, text: '▲ 50 %' });
  assert.deepEqual(change(10, 10), { by: 0, text: 'unchanged' });
  assert.equal(change(0.75, 0.8, true)?.text, '▼ 5.0 points');
  assert.equal(change(null, 1), undefined);
});

test('lines of a graph have corners and end where they should', () => {
  assert.match(orthogonal({ x: 0, y: 0 }, { x: 100, y: 40 }), /^M0 0L.*100 40$/);
  assert.match(orthogonal({ x: 100, y: 0 }, { x: 0, y: 0 }), /^M100 0L.*0 0$/);
});
