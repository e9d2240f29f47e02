import { describe, expect, it } from 'vitest';
import { startChat } from '../harness.js';

describe('GET /metrics', () => {
  it('tells the chat’s numbers and the process’s', async () => {
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

  it('leaves out what would list every socket by name', async () => {
    const chat = await startChat();
    const text = await (await chat.visitor().get('/metrics')).text();
    expect(text).toContain('nodejs_heap_size_used_bytes');
    expect(text).not.toMatch(/nodejs_active_/);
  });
});
