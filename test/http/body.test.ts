/** Bodies of requests: what is no UTF-8, no JSON, of another charset. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startChat } from '../harness.js';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const bytes = (text: string, ...rest: number[]) => Buffer.concat([Buffer.from(text), Buffer.from(rest)]);
const quoted = (...inner: number[]) => Buffer.concat([bytes('{"data":"', ...inner), Buffer.from('"}')]);

async function lobby() {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const post = (path: string, body: Buffer | string, type: string, more: Record<string, string> = {}) =>
    fetch(chat.origin + path, {
      method: 'POST',
      headers: { cookie: ann.cookie, 'content-type': type, ...more },
      body: typeof body === 'string' ? body : new Uint8Array(body),
      redirect: 'manual',
    });
  const says = (body: Buffer | string, type = JSON_TYPE, more: Record<string, string> = {}) =>
    post('/api/rooms/lobby/messages', body, type, more);
  return { ann, post, says };
}

describe('a body', () => {
  it('is refused when it is not UTF-8, and nothing of it is stored', async () => {
    const { ann, says } = await lobby();
    for (const broken of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xe9]]) {
      const answer = await says(quoted(...broken));
      expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'bad_body' } }]);
    }
    const zipped = await says(gzipSync(quoted(0xff)), JSON_TYPE, { 'content-encoding': 'gzip' });
    expect(zipped.status).toBe(400);
    expect(await (await ann.get('/api/rooms/lobby/messages')).json()).toMatchObject({ last: 0 });
  });

  it('is refused in another charset, and accepted under every name of UTF-8', async () => {
    const { says } = await lobby();
    for (const charset of ['foo', 'latin1', 'utf-16le'])
      expect((await says('{"data":"hi"}', `${JSON_TYPE}; charset=${charset}`)).status).toBe(400);
    for (const type of ['charset=utf-8', 'charset="UTF-8"', 'charset=utf8'])
      expect((await says('{"data":"hi"}', `${JSON_TYPE}; ${type}`)).status).toBe(201);
  });

  it('keeps every character, U+FFFD too, compressed or in chunks', async () => {
    const { says } = await lobby();
    const data = 'naïve 厨房 😀 \ufffd \u0007x';
    const body = JSON.stringify({ data });
    const answers = [
      await says(body),
      await says(`\ufeff${body}`),
      await says(gzipSync(body), JSON_TYPE, { 'content-encoding': 'gzip' }),
    ];
    for (const answer of answers)
      expect([answer.status, await answer.json()]).toMatchObject([201, { data: data.replace('\u0007', '') }]);
  });

  it('is refused when it does not match its type, and its unknown fields are ignored', async () => {
    const { says } = await lobby();
    for (const body of ['{', '5', 'null', '"x"', '[1']) expect((await says(body)).status).toBe(400);
    expect(await (await says('[]')).json()).toMatchObject({ error: { code: 'bad_request' } });
    expect((await says('')).status).toBe(422);
    expect((await says('{"data":"hi"}', 'text/plain')).status).toBe(400);
    const answer = await says('{"data":"hi","__proto__":{"cid":"c"},"constructor":1}');
    expect(Object.keys(await answer.json()).sort()).toEqual(['at', 'data', 'id', 'type', 'user']);
    const bomb = gzipSync(JSON.stringify({ data: 'x'.repeat(1e6) }));
    expect((await says(bomb, JSON_TYPE, { 'content-encoding': 'gzip' })).status).toBe(413);
  });

  it('may be a form in UTF-8, escaped or not', async () => {
    const { post } = await lobby();
    const signIn = async (body: Buffer | string) => {
      const answer = await post('/signin', body, FORM_TYPE);
      const cookie = /^name=([^;]+)/.exec(answer.headers.getSetCookie().join())?.[1] ?? '';
      const { name } = JSON.parse(Buffer.from(cookie, 'base64').toString() || '{}') as { name?: string };
      return [answer.status, name];
    };
    expect(await signIn('name=Zo%C3%AB+L%26%2b&next=/')).toEqual([303, 'Zoë L&+']);
    expect(await signIn('name=Zoë Ⅱ')).toEqual([303, 'Zoë Ⅱ']);
    expect(await signIn('name=100%')).toEqual([303, '100%']);
    for (const broken of ['name=Zo%EB', 'name=%C3', 'name=%F0%9F%98x', bytes('name=Zo', 0xeb)])
      expect(await signIn(broken)).toEqual([400, undefined]);
  });

  it('of a sign-in that is neither JSON nor a form gets 415', async () => {
    const { post } = await lobby();
    const form = new FormData();
    form.set('name', 'Ann');
    const request = new Request('http://localhost/', { method: 'POST', body: form });
    const type = request.headers.get('content-type') ?? '';
    expect((await post('/signin', Buffer.from(await request.arrayBuffer()), type)).status).toBe(415);
    expect((await post('/signin', 'Ann', 'text/plain')).status).toBe(415);
    expect((await post('/signin', '', FORM_TYPE)).status).toBe(422);
  });

  it.each([
    ['/x?a=%26b', '/x?a=%26b'],
    ['/r/k%C3%BCche', '/r/k%C3%BCche'],
    ['/r/küche 2', '/r/k%C3%BCche%202'],
    ['/r/100%', '/r/100%'],
  ])('of a sign-in with next=%s leads to %s', async (next, location) => {
    const { post } = await lobby();
    const answer = await post('/signin', new URLSearchParams({ name: 'Ann L', next }).toString(), FORM_TYPE);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, location]);
  });
});
