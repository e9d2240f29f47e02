import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/socket/connection.js';
import { Person } from '../../src/socket/person.js';

const { limits } = readConfig({});

/** A person only holds connections; any three objects will do. */
const [one, two, three] = [{}, {}, {}] as unknown as readonly [Connection, Connection, Connection];

it('has no socket, one, or several, and forgets each that is closed', () => {
  const ann = new Person({ id: 'a', name: 'Ann' }, limits);
  const held = (): number[] => [ann.sockets, [...ann.connections].length];
  expect(held()).toEqual([0, 0]);
  ann.connected(one);
  ann.connected(one);
  expect([...ann.connections]).toEqual([one]);
  ann.connected(two);
  ann.connected(three);
  expect([...ann.connections]).toEqual([one, two, three]);
  ann.disconnected(one);
  expect([...ann.connections]).toEqual([two, three]);
  ann.disconnected(three);
  ann.disconnected(three);
  ann.disconnected(two);
  expect(held()).toEqual([0, 0]);
  ann.connected(two);
  expect([...ann.connections]).toEqual([two]);
});

it('is rested until they said something, and again when that is long ago', () => {
  const ann = new Person({ id: 'a', name: 'Ann' }, limits);
  expect(ann.rested(0)).toBe(true);
  ann.budget.take(1000);
  expect(ann.rested(1000)).toBe(false);
  expect(ann.rested(60_000)).toBe(true);
});
