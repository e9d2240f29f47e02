import { describe, expect, it } from 'vitest';
import type { RoomSummary, SearchPage, User } from '../../src/shared/protocol.js';
import { startChat, type Visitor } from '../harness.js';

async function mentionsOf(visitor: Visitor, query = ''): Promise<SearchPage> {
  return (await (await visitor.get(`/api/mentions${query}`)).json()) as SearchPage;
}

describe('mentions', () => {
  it('are listed newest first, by current text, without deleted messages', async () => {
    const chat = await startChat();
    const [ann, lee] = [await chat.signIn('Ann'), await chat.signIn('Ann Lee')];
    const say = (room: string, data: string) => ann.post(`/api/rooms/${room}/messages`, { data });
    const change = (room: string, body: object) => ann.post(`/api/rooms/${room}/messages`, body);
    await say('lobby', 'hi @ann lee!');
    await say('garden', '@Ann Lee, come here');
    await say('lobby', 'nobody');
    await say('lobby', 'also @Ann Lee and @Ann');
    const texts = async () => (await mentionsOf(lee)).messages.map(({ room, id }) => `${room} ${id}`);
    expect(await texts()).toEqual(['lobby 3', 'garden 1', 'lobby 1']);
    await change('lobby', { type: 'edit', target: 2, data: 'you, @ANN LEE' });
    await change('lobby', { type: 'edit', target: 1, data: 'hi all' });
    await change('garden', { type: 'delete', target: 1 });
    expect(await texts()).toEqual(['lobby 3', 'lobby 2']);
    expect((await mentionsOf(lee)).messages[1]).toMatchObject({ data: 'you, @ANN LEE', edited: 4 });
    expect((await mentionsOf(ann)).messages).toMatchObject([{ id: 3, mentions: [lee.user, ann.user] }]);
  });

  it('come in pages', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    for (let n = 1; n <= 7; n++) await ann.post('/api/rooms/lobby/messages', { data: `@ann ${n}` });
    const ids: number[] = [];
    let page = await mentionsOf(ann, '?limit=3');
    for (let pages = 1; pages <= 3; pages++) {
      ids.push(...page.messages.map(({ id }) => id));
      expect(page.next === undefined).toBe(pages === 3);
      if (page.next !== undefined) page = await mentionsOf(ann, `?limit=3&before=${page.next}`);
    }
    expect(ids).toEqual([7, 6, 5, 4, 3, 2, 1]);
    for (const query of ['?before=junk', '?before=-1', '?limit=0', '?limit=101', '?before=1&before=2'])
      expect((await ann.get(`/api/mentions${query}`)).status).toBe(400);
    expect((await chat.visitor().get('/api/mentions')).status).toBe(401);
  });
});

describe('people', () => {
  it('are found by the beginning of their name', async () => {
    const chat = await startChat();
    for (const name of ['Ann', 'Ann Lee', 'Anton', 'Bob', '王伟', 'Émile']) await chat.signIn(name);
    const ann = await chat.signIn('Annika');
    const named = async (q: string): Promise<string[]> => {
      const response = await ann.get(`/api/people?q=${encodeURIComponent(q)}`);
      return ((await response.json()) as { people: User[] }).people.map(({ name }) => name);
    };
    expect((await named('ann')).sort()).toEqual(['Ann', 'Ann Lee', 'Annika']);
    expect(await named('王')).toEqual(['王伟']);
    expect(await named('em')).toEqual([]); // é is a letter of its own, as it is for names
    expect(await named('ÉM')).toEqual(['Émile']);
    expect(await named('')).toHaveLength(7);
    for (const q of ['%', '_', "' OR 1", 'x'.repeat(5000), '\u{10ffff}']) expect(await named(q)).toEqual([]);
  });
});

describe('rooms', () => {
  const listed = async (visitor: Visitor): Promise<string[]> => {
    const rooms = (await (await visitor.get('/api/rooms')).json()) as RoomSummary[];
    return rooms.map(({ room }) => room);
  };

  it('with two authors or many messages come before new ones, also after a restart', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const say = (visitor: Visitor, room: string) =>
      visitor.post(`/api/rooms/${room}/messages`, { data: 'hi' });
    for (let n = 0; n < 21; n++) await say(ann, 'diary');
    for (const visitor of [ann, bob]) await say(visitor, 'shared');
    for (let n = 1; n <= 120; n++) await say(bob, `flood-${n}`);
    const newcomer = await chat.signIn('Newcomer');
    const rooms = await listed(newcomer);
    expect(rooms.slice(0, 3)).toEqual(['shared', 'diary', 'flood-120']);
    expect(rooms).toHaveLength(100);
    await say(bob, 'diary');
    await chat.stop();
    const later = await (await startChat({ dataDir: chat.dataDir })).signIn('Later');
    expect((await listed(later)).slice(0, 3)).toEqual(['diary', 'shared', 'flood-120']);
  });
});
