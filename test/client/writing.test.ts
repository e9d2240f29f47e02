/** What is being written: nothing of it is lost when it becomes something else for a while. */
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

function desk() {
  const done: string[] = [];
  let kept = '';
  const timeline = signal(fromCache({ epoch: 'e', events: [message], seen: 7 }));
  const writing = new ComposerState({
    post: (text) => done.push(`say ${text}`),
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
  const answers = (text: string) => {
    const whole = writing.prepare(text);
    if (whole.ok) writing.send(whole.value);
  };
  return { writing, done, timeline, comes, answers };
}

it('keeps the draft while a message is edited', () => {
  const { writing, done } = desk();
  writing.setText('half a thought');
  writing.edit(message);
  expect(writing.readText()).toBe('old');
  writing.setText('new');
  expect(writing.readText()).toBe('new');
  writing.send('new');
  expect(done).toEqual(['edit 7 new']);
  expect(writing.readText()).toBe('half a thought');
});

it('an edit that changes nothing is none, and one that is left neither', () => {
  const { writing, done } = desk();
  writing.edit(message);
  writing.send('old');
  writing.edit(message);
  writing.setText('x');
  writing.reset();
  expect(done).toEqual([]);
  expect(writing.kind.value).toBe('new');
});

it('an answer goes out with its quote, and is measured with it', () => {
  const { writing, done, answers } = desk();
  writing.reply(message);
  answers(' yes ');
  expect(done).toEqual(['say > Ann, #7: old\n\nyes']);
  writing.reply(message);
  expect(writing.prepare('a'.repeat(3_990))).toMatchObject({ ok: false, problem: { code: 'text_too_long' } });
  expect(writing.prepare(' ')).toMatchObject({ ok: false, problem: { code: 'empty_text' } });
});

describe('what is answered', () => {
  const edit = { id: 8, type: 'edit', target: 7, user: ANN, data: 'new', at: 1 } as const;
  const deletion = { id: 8, type: 'delete', target: 7, user: ANN, at: 1 } as const;

  it('is quoted as it is now', () => {
    const { writing, done, comes, answers } = desk();
    writing.reply(message);
    comes(edit);
    expect(writing.target.value?.data).toBe('new');
    answers('yes');
    expect(done).toEqual(['say > Ann, #7: new\n\nyes']);
    expect(writing.target.value).toBeUndefined();
  });

  it('is quoted without its words once it is deleted', () => {
    const { writing, done, comes, answers } = desk();
    writing.reply(message);
    comes(deletion);
    expect(writing.target.value).toMatchObject({ data: '', deleted: 8 });
    answers('yes');
    expect(done).toEqual(['say > Ann, #7: \n\nyes']);
  });

  it('is known with its changes also when the window has moved on', () => {
    const { writing, timeline, comes } = desk();
    timeline.value = fromCache({ epoch: 'e', events: [message], seen: 900 });
    writing.reply(message);
    timeline.value = jumpToLatest(timeline.peek(), { last: 900, messages: lines(801, 900) });
    expect(findMessage(timeline.peek(), 7)).toBeUndefined();
    expect(writing.target.value?.data).toBe('old');
    comes({ ...edit, id: 901 });
    expect(writing.target.value?.data).toBe('new');
    comes({ ...deletion, id: 902 });
    expect(writing.target.value).toMatchObject({ data: '', deleted: 902 });
  });

  it('keeps its words to itself when nobody can say what became of it', () => {
    const { writing, timeline } = desk();
    writing.reply(message);
    timeline.value = afterHello(emptyTimeline, {
      epoch: 'e',
      last: 5_000,
      complete: true,
    });
    expect(writing.target.value).toEqual({ ...message, data: '' });
    timeline.value = fromCache({ epoch: 'another', events: [message], seen: 7 });
    expect(writing.target.value?.data).toBe('');
  });

  it('is taken from the log, and not with what is asked for and lies over it', () => {
    const { writing } = desk();
    writing.reply({ ...message, data: 'not said yet' });
    expect(writing.target.value?.data).toBe('old');
  });
});
