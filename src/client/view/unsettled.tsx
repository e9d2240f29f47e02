/** What I asked to change of a message and is not so in the log yet: it waits, or it was refused and why. */
import type { Letter } from '../state/letter.js';
import { words } from '../words.js';
import { ClockIcon } from './icons.js';
import type { Tools } from './tools.js';

export function Unsettled({ letters, tools }: { letters: readonly Letter[]; tools: Tools }) {
  const refused = letters.filter(({ problem }) => problem);
  return (
    <>
      {letters.length > refused.length && (
        <span class="wait" title={words.value.message.waiting}>
          <ClockIcon />
          <span class="unseen">{words.value.message.waiting}</span>
        </span>
      )}
      {refused.map((letter) => (
        <Why key={letter.cid} letter={letter} tools={tools} />
      ))}
    </>
  );
}

/** In the words of the page where it knows the reason, else in the server's. */
export function Why({ letter, tools }: { letter: Letter; tools: Tools }) {
  const { cid, posting, problem } = letter;
  if (!problem) return null;
  const { refused, again, drop } = words.value.message;
  const reasons: Readonly<Record<string, string>> = words.value.problems;
  return (
    <p class="why" role="alert">
      <span>
        {refused[posting.type]} {reasons[problem.code] ?? problem.message}
      </span>
      <button type="button" onClick={() => tools.place.again(cid)}>
        {again}
      </button>
      <button type="button" onClick={() => tools.place.drop(cid)}>
        {drop}
      </button>
    </p>
  );
}
