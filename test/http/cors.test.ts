import { describe, expect, it } from 'vitest';
import { startChat } from '../harness.js';

const ours = 'https://www.example.org';
const start = () => startChat({ env: { ALLOWED_ORIGINS: `${ours},http://localhost:8000` } });

describe('a page of ALLOWED_ORIGINS', () => {
  it('gets 204 for a preflight request, with what it may send', async () => {
    const chat = await start();
    for (const path of ['/api/me', '/api/rooms/lobby/messages', '/signin', '/signout']) {
      const headers = { origin: ours, 'access-control-request-method': 'PATCH' };
      const answer = await fetch(chat.origin + path, { method: 'OPTIONS', headers });
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ours);
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
      expect(answer.headers.get('access-control-allow-methods')).toContain('PATCH');
      expect(answer.headers.get('access-control-allow-headers')).toContain('Content-Type');
      expect(answer.headers.get('vary')).toMatch(/\borigin\b/i);
    }
  });

  it('gets 204 for OPTIONS without a method, too', async () => {
    const chat = await start();
    const answer = await fetch(`${chat.origin}/signout`, { method: 'OPTIONS', headers: { origin: ours } });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([204, ours]);
  });

  it('can read answers with its cookie, also errors', async () => {
    const chat = await start();
    const ann = await chat.signIn('Ann');
    for (const [cookie, status] of [
      [ann.cookie, 200],
      ['', 401],
    ] as const) {
      const answer = await fetch(`${chat.origin}/api/me`, { headers: { origin: ours, cookie } });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ours);
      expect(answer.headers.get('access-control-expose-headers')).toBe('Retry-After, Oneport-Position');
    }
    const posted = await ann.post('/api/rooms/lobby/messages', { data: 'hi' }, { origin: ours });
    expect([posted.status, posted.headers.get('access-control-allow-origin')]).toEqual([201, ours]);
  });
});

describe('a page of another origin', () => {
  it('can read nothing, and no cache confuses it with one that can', async () => {
    const chat = await start();
    const ann = await chat.signIn('Ann');
    for (const origin of ['https://evil.example', 'https://www.example.org.evil', 'null']) {
      const answer = await fetch(`${chat.origin}/api/me`, { headers: { origin, cookie: ann.cookie } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('vary')).toMatch(/\borigin\b/i);
    }
  });

  it('can read nothing of an allowed one outside of the API', async () => {
    const chat = await start();
    const answer = await fetch(`${chat.origin}/healthz`, { headers: { origin: ours } });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});
