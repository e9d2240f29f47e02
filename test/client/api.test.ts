/** Parses what the real server answers, so that neither side changes alone. */
import { expect, it } from 'vitest';
import { parseFoundPage, parsePage, parsePeople, parseRooms } from '../../src/client/decode.js';
import { startChat } from '../harness.js';

it('parses the answers of the real server', async () => {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  await bob.post('/api/rooms/lobby/messages', { data: 'tide, @Ann' });
  const asked = async (path: string): Promise<unknown> => (await ann.get(path)).json();
  expect(parsePage(await asked('/api/rooms/lobby/messages'))?.messages).toMatchObject([
    { data: 'tide, @Ann' },
  ]);
  expect(parseRooms(await asked('/api/rooms'))).toMatchObject([{ room: 'lobby', last: 1 }]);
  expect(parseFoundPage(await ann.search('q=tide'))?.messages).toMatchObject([{ room: 'lobby', id: 1 }]);
  expect(parseFoundPage(await asked('/api/mentions'))?.messages).toMatchObject([{ room: 'lobby', id: 1 }]);
  expect(parsePeople(await asked('/api/people?q=bo'))).toEqual([bob.user]);
});
