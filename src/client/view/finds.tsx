/** Messages out of their rooms: what a search found, or what calls me. A click leads there; the arrows walk. */
import type { SearchHit } from '../../shared/protocol.js';
import { pathOf } from '../address.js';
import { excerpt } from '../state/excerpt.js';
import { words } from '../words.js';
import { fullDate, iso, shortDate } from './dates.js';

interface FindsProps {
  readonly messages: readonly SearchHit[];
  /** the words to mark */
  readonly terms: readonly string[];
  readonly close: () => void;
  /** loads more, when there is more */
  readonly more: (() => void) | undefined;
}

export function Finds({ messages, terms, close, more }: FindsProps) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the links in it are what is used; the arrows only walk among them
    <div class="finds scroll" onKeyDown={walk}>
      <ol>
        {messages.map((message) => (
          <Find key={`${message.room} ${message.id}`} message={message} terms={terms} close={close} />
        ))}
      </ol>
      {more && (
        <p class="next">
          <button class="plain" type="button" onClick={more}>
            {words.value.search.more}
          </button>
        </p>
      )}
    </div>
  );
}

interface FindProps {
  readonly message: SearchHit;
  readonly terms: readonly string[];
  readonly close: () => void;
}

function Find({ message, terms, close }: FindProps) {
  const { room, id, user, at, data } = message;
  const { number, in: inRoom } = words.value.search;
  return (
    <li>
      <a href={pathOf({ room, id })} onClick={close}>
        <span class="from">
          <bdi class="name">{user.name}</bdi>
          <span class="room">{inRoom(room)}</span>
          <time dateTime={iso(at)} title={fullDate(at)}>
            {shortDate(at)}
          </time>
          <span class="number">
            <span class="unseen">{number(id)}</span>
            <span aria-hidden="true">{id}</span>
          </span>
        </span>
        <bdi class="excerpt">
          {excerpt(data, terms).map(({ text, found }) => (found ? <mark>{text}</mark> : text))}
        </bdi>
      </a>
    </li>
  );
}

/** Up and down among the links of a list. */
export function walk(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || event.altKey || !(event.currentTarget instanceof HTMLElement)) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a, button')];
  const now = links.findIndex((link) => link.matches(':focus'));
  const next = links[now + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
