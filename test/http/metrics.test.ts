import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { hasTool, startChat, type Visitor } from '../harness.js';

async function metric(visitor: Visitor, name: string): Promise<number> {
  const lines = (await (await visitor.get('/metrics')).text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length));
}

describe('GET /metrics', () => {
  it('has the metrics of the chat and of the process', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('hall');
    await room.sees({ type: 'chat', cid: room.says('hello') });
    const text = await (await ann.get('/metrics')).text();
    for (const line of ['oneport_connections 1', 'oneport_rooms 1', 'oneport_events_total 1'])
      expect(text.split('\n')).toContain(line);
    expect(text).toMatch(/^nodejs_eventloop_lag_max_seconds \d/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d/m);
    const open = /^process_open_fds (\d+)$/m.exec(text)?.[1];
    if (process.platform === 'linux') expect(Number(open)).toBeGreaterThan(3);
  });

  it('counts answers, refusals, closes and commits', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    expect(await chat.visitor().knocks('/ws/lobby').closed).toBe(4001);
    await chat.untilMetric('oneport_closes_total{code="4001"} 1');
    expect(await ann.knocks('/ws/lobby', { headers: { origin: 'http://evil.example' } }).closed).toBe(403);
    expect((await chat.post('/signin', { name: 'ann' })).status).toBe(409);
    const text = await (await ann.get('/metrics')).text();
    for (const line of [
      'oneport_http_requests_total{status="409"} 1',
      'oneport_refusals_total{code="wrong_origin"} 1',
      'oneport_refusals_total{code="name_taken"} 1',
      'oneport_store_failing 0',
    ])
      expect(text.split('\n')).toContain(line);
    const answered = () => metric(ann, 'oneport_http_requests_total{status="200"}');
    expect((await answered()) + 1).toBe(await answered());
    const [, commits] = /^oneport_commit_seconds_count (\d+)$/m.exec(text) ?? [];
    expect(Number(commits)).toBeGreaterThan(0);
    expect(text).toContain(`oneport_commit_seconds_bucket{le="+Inf"} ${commits}`);
    expect(text).toMatch(/^oneport_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
    expect(text).toMatch(/^oneport_database_bytes [1-9]\d+$/m);
    expect(text).toMatch(/^oneport_wal_bytes [1-9]\d+$/m);
  });

  it.runIf(hasTool('promtool'))('is valid to promtool', async () => {
    const chat = await startChat();
    const text = await (await chat.visitor().get('/metrics')).text();
    const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect([check.status, check.stdout + check.stderr]).toEqual([0, '']);
  });

  it('has no labels for single sockets', async () => {
    const chat = await startChat();
    const text = await (await chat.visitor().get('/metrics')).text();
    expect(text).toContain('nodejs_heap_size_used_bytes');
    expect(text).not.toMatch(/nodejs_active_/);
  });
});
