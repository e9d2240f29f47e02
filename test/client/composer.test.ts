/** The state of the composer: no text is lost when the mode changes. */
import { signal } from '@preact/signals';
import { describe, expect, it } from 'vitest';
import type { LogEvent } from '../../src/client/decode.js';
import { ComposerState } from '../../src/client/room/composer.js';
import {
  afterHello,
  emptyTimeline,
  findMessage,
  fromCache,
  jumpToLatest,
  receiveEvents,
} from '../../src/client/room/timeline.js';
import type { ChatEvent } from '../../src/shared/protocol.js';

const ANN = { id: 'a', name: 'Ann' };
const message: ChatEvent = { id: 7, type: 'chat', user: ANN, data: 'old', at: 0 };
const line = (id: number): ChatEvent => ({ ...message, id, data: `line ${id}` });
const lines = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => line(first + n));

function setUp() {
  const done: string[] = [];
  let kept = '';
  const timeline = signal(fromCache({ epoch: 'e', events: [message], seen: 7 }));
  const composer = new ComposerState({
    post: (text, reply) => done.push(reply === undefined ? `say ${text}` : `answer ${reply} ${text}`),
    edit: (id, text) => done.push(`edit ${id} ${text}`),
    draft: {
      read: () => kept,
      keep: (text) => {
        kept = text;
      },
    },
    timeline,
  });
  const comes = (...events: readonly LogEvent[]) => {
    timeline.value = receiveEvents(timeline.peek(), events);
  };
  return { composer, done, timeline, comes };
}

it('keeps the draft during an edit', () => {
  const { composer, done } = setUp();
  composer.setText('half a thought');
  composer.edit(message);
  expect(composer.readText()).toBe('old');
  composer.setText('new');
  expect(composer.readText()).toBe('new');
  composer.send('new');
  expect(done).toEqual(['edit 7 new']);
  expect(composer.readText()).toBe('half a thought');
});

it('sends no edit that changes nothing or was cancelled', () => {
  const { composer, done } = setUp();
  composer.edit(message);
  composer.send('old');
  composer.edit(message);
  composer.setText('x');
  composer.reset();
  expect(done).toEqual([]);
  expect(composer.kind.value).toBe('new');
});

it('sends a reply with the number of its target, and then new messages', () => {
  const { composer, done } = setUp();
  composer.reply(message);
  composer.send('yes');
  composer.send('and more');
  expect(done).toEqual(['answer 7 yes', 'say and more']);
});

describe('the target of a reply', () => {
  const edit = { id: 8, type: 'edit', target: 7, user: ANN, data: 'new', at: 1 } as const;
  const deletion = { id: 8, type: 'delete', target: 7, user: ANN, at: 1 } as const;

  it('is shown in its current state', () => {
    const { composer, comes } = setUp();
    composer.reply(message);
    comes(edit);
    expect(composer.target.value?.data).toBe('new');
    composer.send('yes');
    expect(composer.target.value).toBeUndefined();
  });

  it('is shown without text once it is deleted, and the reply becomes a message', () => {
    const { composer, done, comes } = setUp();
    composer.reply(message);
    comes(deletion);
    expect(composer.target.value).toMatchObject({ data: '', deleted: 8 });
    composer.send('yes');
    expect(done).toEqual(['say yes']);
  });

  it('follows changes outside the window', () => {
    const { composer, timeline, comes } = setUp();
    timeline.value = fromCache({ epoch: 'e', events: [message], seen: 900 });
    composer.reply(message);
    timeline.value = jumpToLatest(timeline.peek(), { last: 900, messages: lines(801, 900) });
    expect(findMessage(timeline.peek(), 7)).toBeUndefined();
    expect(composer.target.value?.data).toBe('old');
    comes({ ...edit, id: 901 });
    expect(composer.target.value?.data).toBe('new');
    comes({ ...deletion, id: 902 });
    expect(composer.target.value).toMatchObject({ data: '', deleted: 902 });
  });

  it('loses its text when nobody can say whether it was deleted', () => {
    const { composer, timeline } = setUp();
    composer.reply(message);
    timeline.value = afterHello(emptyTimeline, {
      epoch: 'e',
      last: 5_000,
      complete: true,
    });
    expect(composer.target.value).toEqual({ ...message, data: '' });
    timeline.value = fromCache({ epoch: 'another', events: [message], seen: 7 });
    expect(composer.target.value?.data).toBe('');
  });

  it('is taken from the log, without pending changes', () => {
    const { composer } = setUp();
    composer.reply({ ...message, data: 'not said yet' });
    expect(composer.target.value?.data).toBe('old');
  });
});
