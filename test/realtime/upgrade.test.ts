import { afterEach, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.js';
import { Scheduler } from '../../src/realtime/scheduler.js';
import { parseUpgradeUrl, UpgradeHandler } from '../../src/realtime/upgrade.js';
import { startChat } from '../harness.js';

afterEach(() => {
  vi.restoreAllMocks();
});

function resumeOf(query: string) {
  const target = parseUpgradeUrl(`/ws/lobby${query}`, readConfig({}).site);
  if (typeof target === 'string') throw new Error(target);
  return target.resume;
}

describe('the URL of an upgrade', () => {
  it.each([
    ['', undefined],
    ['?after=0', 0],
    ['?after=17', 17],
    ['?after=00000000000000000017', 17],
    ['?after=9007199254740991', Number.MAX_SAFE_INTEGER],
    ['?after=9007199254740993', Number.MAX_SAFE_INTEGER],
    [`?after=${'9'.repeat(400)}`, Number.MAX_SAFE_INTEGER],
  ])('%j resumes after %j', (query, after) => expect(resumeOf(query).after).toBe(after));

  it('asks for 50 events of history by default, and for 500 at most', () => {
    const queries = ['', '?history=0', '?history=7', '?history=500'];
    expect(queries.map((query) => resumeOf(query).history)).toEqual([50, 0, 7, 500]);
  });

  it.each([
    ...[
      '?after=',
      '?after',
      '?after=-1',
      '?after=abc',
      '?after=1.5',
      '?after=1e3',
      '?after=%201',
      '?after=1&after=2',
    ],
    ...['?history=', '?history=501', `?history=${'9'.repeat(20)}`, '?history=x', '?epoch=', '?epoch'],
  ])('%s is malformed', (query) =>
    expect(parseUpgradeUrl(`/ws/lobby${query}`, readConfig({}).site)).toBe('malformed'),
  );

  it('gets complete:false for a number beyond the last, however large', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    await (await ann.enters('lobby')).leaves();
    for (const after of ['1', '9007199254740991', '9007199254740993', '9'.repeat(30)]) {
      const room = await ann.enters('lobby', { query: `?after=${after}` });
      expect(room.frames[0]).toMatchObject({ type: 'hello', complete: false });
    }
  });
});

describe('the upgrade handler', () => {
  it('returns to the event loop after a few milliseconds, and continues with the others', async () => {
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
    const iteration = (): Promise<void> => new Promise(setImmediate);
    const answered: number[] = [];
    const deps = {
      config: { trustedProxies: { check: () => false }, limits: {}, site: readConfig({}).site },
      hub: { scheduler: new Scheduler() },
      read: (work: () => void) => work(),
    };
    const handler = new UpgradeHandler(deps as unknown as ConstructorParameters<typeof UpgradeHandler>[0]);
    const end = (): void => {
      clock += 3;
      answered.push(clock);
    };
    const request = (): void => {
      const socket = { on: () => {}, writable: true, end };
      const message = {
        ...{ url: '/other', method: 'GET', httpVersion: '1.1', socket: { remoteAddress: '' } },
        ...{ headers: { host: 'localhost', upgrade: 'websocket' }, rawHeaders: ['Host', 'localhost'] },
      };
      handler.handle(message as never, socket as never, Buffer.alloc(0));
    };
    for (let n = 0; n < 10; n++) request();
    expect(answered).toHaveLength(2); // at once; the others wait
    await iteration();
    expect(answered).toHaveLength(4);
    for (let n = 0; n < 3; n++) await iteration();
    expect(answered).toHaveLength(10);
    await iteration();
    request();
    expect(answered).toHaveLength(11); // nothing waits any more
  });
});
