/** What is being written: nothing of it is lost when it becomes something else for a while. */
import { expect, it } from 'vitest';
import { Writing } from '../../src/client/state/writing.js';
import type { ChatEvent } from '../../src/protocol.js';

const message: ChatEvent = { id: 7, type: 'chat', user: { id: 'a', name: 'Ann' }, data: 'old', at: 0 };

function desk() {
  const done: string[] = [];
  let kept = '';
  const writing = new Writing({
    say: (text) => done.push(`say ${text}`),
    edit: (id, text) => done.push(`edit ${id} ${text}`),
    draft: {
      read: () => kept,
      keep: (text) => {
        kept = text;
      },
    },
  });
  return { writing, done };
}

it('keeps the draft while a message is edited', () => {
  const { writing, done } = desk();
  writing.keep('half a thought');
  writing.edit(message);
  expect(writing.read()).toBe('old');
  writing.keep('new');
  expect(writing.read()).toBe('new');
  writing.send('new');
  expect(done).toEqual(['edit 7 new']);
  expect(writing.read()).toBe('half a thought');
});

it('an edit that changes nothing is none, and one that is left neither', () => {
  const { writing, done } = desk();
  writing.edit(message);
  writing.send('old');
  writing.edit(message);
  writing.keep('x');
  writing.leave();
  expect(done).toEqual([]);
  expect(writing.mode.value.kind).toBe('new');
});

it('an answer goes out with its quote, and is measured with it', () => {
  const { writing, done } = desk();
  writing.reply(message);
  const whole = writing.whole(' yes ');
  if (whole.ok) writing.send(whole.value);
  expect(done).toEqual(['say > Ann, #7: old\n\nyes']);
  writing.reply(message);
  expect(writing.whole('a'.repeat(3_990))).toMatchObject({ ok: false, problem: { code: 'text_too_long' } });
  expect(writing.whole(' ')).toMatchObject({ ok: false, problem: { code: 'empty_text' } });
});
