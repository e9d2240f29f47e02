/** What is in the rooms of the stage: a harbour's day, a long one, an odd one, an empty one. */
import type { Stage } from './stage.js';

export const LONGEST_NAME = 'Maximiliane von Hohenlohe-Langen'; // 32 characters, the most there may be

/** Room names: with a conversation, many messages, odd texts, nothing. */
export const ROOMS = {
  talk: 'harbour',
  busy: 'engine-room',
  odd: 'flotsam',
  empty: 'dry-dock',
} as const;

export async function seed(stage: Stage): Promise<void> {
  await harbour(stage);
  await engineRoom(stage);
  await flotsam(stage);
  await others(stage);
}

async function harbour(stage: Stage): Promise<void> {
  const says = (name: string, data: string) => stage.says(name, ROOMS.talk, data);
  await says(
    'Ann',
    'Good morning! The new berth plan is up: pilots at **six**, the *Meridian* at half past.',
  );
  const question = await says('Ann', 'Who takes the early shift?');
  const offer = await says('Bob Okonkwo', 'I do. Coffee first.');
  const greeting = await says('林美', '早上好！我在上海东边，九点能到。');
  await says('Noor', 'صباح الخير، سأكون هناك قبل السادسة');
  const list = await says('Ann', 'Then the list for today:\n- ropes\n- lamps\n- the tide table');
  const done = await says(
    'Bob Okonkwo',
    'Ropes are done. <b>No</b> HTML here, by the way, only words. @Ann, the lamps?',
  );
  await stage.post('Noor', ROOMS.talk, { type: 'react', target: offer, data: '☕' });
  await stage.post('林美', ROOMS.talk, { type: 'react', target: offer, data: '☕' });
  await stage.post('Ann', ROOMS.talk, { type: 'react', target: offer, data: '👍' });
  await stage.post('Ann', ROOMS.talk, { type: 'react', target: greeting, data: '👋' });
  await stage.post('Ann', ROOMS.talk, {
    type: 'edit',
    target: list,
    data: 'Then the list for today:\n- ropes\n- lamps (Noor)\n- the tide table',
  });
  const slip = await says('Noor', 'wrong window, sorry');
  await stage.post('Noor', ROOMS.talk, { type: 'delete', target: slip });
  await says(
    'Noor',
    'The tide table comes from `tides --today`:\n```\n06:12  high  3.1 m\n12:25  low   0.4 m\n```',
  );
  await stage.post('Bob Okonkwo', ROOMS.talk, { type: 'react', target: done, data: '🎉' });
  await says('林美', `Thank you all 🙏 See https://example.org/tides and #${question}.`);
  await stage.post('Noor', ROOMS.talk, { data: 'I bring the lamps at noon.', reply: done });
}

async function engineRoom(stage: Stage): Promise<void> {
  const crew = ['Bob Okonkwo', 'Noor', '林美', LONGEST_NAME];
  await stage.says('Ann', ROOMS.busy, 'Pressure log, every minute please.');
  for (let n = 1; n <= 130; n++) {
    const name = crew[Math.floor(n / 3) % crew.length] ?? 'Noor';
    await stage.says(
      name,
      ROOMS.busy,
      `${n % 7 === 0 ? 'Steady at ' : ''}${(7 + (n % 10) / 10).toFixed(1)} bar${n % 11 === 0 ? ', valve two a little warm; keep an eye on it through the night' : ''}`,
    );
  }
  await stage.says('Noor', ROOMS.busy, '@Ann can you come down?');
}

async function flotsam(stage: Stage): Promise<void> {
  const texts = [
    'W'.repeat(900),
    `https://example.org/${'deep/'.repeat(80)}`,
    'שלום לכולם, זו הודעה מימין לשמאל with some English in it, and 123.',
    'مرحبا بالعالم **مهم** `code` #1',
    '\u202Eevil.exe',
    `z${'\u0301'.repeat(80)}algo`,
    `\`\`\`\n${'a very long line of code that has to scroll sideways; '.repeat(6)}\n\`\`\``,
    Array.from({ length: 40 }, (_, n) => `line ${n + 1}`).join('\n'),
    '👩‍👩‍👧‍👦🏴‍☠️⚓️',
    '> quoted words\n> in two lines\n\nand an answer',
    '<img src=x onerror="document.title=1">',
  ];
  for (const text of texts) await stage.says(LONGEST_NAME, ROOMS.odd, text);
  await stage.says('Ann', ROOMS.odd, 'What the sea has brought.');
}

async function others(stage: Stage): Promise<void> {
  await stage.says('Ann', '码头', '你好');
  for (const text of ['在吗？', '船到了。', '晚上见。']) await stage.says('林美', '码头', text);
  await stage.says('Bob Okonkwo', 'night-watch', 'All quiet.');
  await stage.says('Bob Okonkwo', 'a-room-with-a-name-that-is-longer-than-the-list-is-wide', 'Hm.');
  await stage.says('Noor', 'מזח', 'שלום');
  await stage.says('Ann', 'lobby', 'Hello, everybody.');
  await stage.reads('Ann', 'lobby', 1);
  await stage.reads('Ann', '码头', 1);
  await stage.reads('Ann', ROOMS.odd, 10);
  await stage.reads('Ann', ROOMS.busy, 20);
  const mentions = ['the crane is yours at ten', 'thanks for the tea', 'where is the tide table?'];
  for (const text of mentions) await stage.says('Bob Okonkwo', 'night-watch', `@Ann ${text}`);
}
