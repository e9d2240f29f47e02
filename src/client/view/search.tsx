/** Searches the messages of this room or of all, as one types. */
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LIMITS, type SearchHit } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { excerpt, searchTerms } from '../text/excerpt.js';
import type { PanelProps } from './dialog.js';
import { consumeEscape } from './keyboard.js';
import { fullDate, isoDate, shortDate } from './timestamp.js';

interface SearchResults {
  readonly state: 'found';
  readonly messages: readonly SearchHit[];
  readonly terms: readonly string[];
  readonly next: number | undefined;
  readonly complete: boolean;
}
type SearchState =
  | SearchResults
  | { readonly state: 'nothing' }
  | { readonly state: 'busy' }
  | { readonly state: 'failed' };

/** Kept while the page is open: who comes back from a message finds the others again. */
const query = signal('');
const everywhere = signal(true);

/** After the last stroke. */
const searchDelayMs = 200;

export function Search({ desk, close }: PanelProps) {
  const { found, more } = useSearch(desk);
  const field = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const { field: label, hint } = t.value.search;
  return (
    <div class="body" ref={box}>
      <search>
        <form class="query" onSubmit={(event) => event.preventDefault()}>
          <input
            ref={field}
            type="search"
            aria-label={label}
            placeholder={label}
            aria-describedby="search-hint"
            value={query.value}
            maxLength={LIMITS.queryCodePoints}
            autocomplete="off"
            dir="auto"
            onInput={(event) => {
              query.value = event.currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (consumeEscape(event)) close();
              if (event.key !== 'ArrowDown' && (event.key !== 'Enter' || event.isComposing)) return;
              box.current?.querySelector<HTMLElement>('.finds a')?.focus();
              event.preventDefault();
            }}
          />
          <ScopeChoice desk={desk} />
          <p class="unseen" id="search-hint">
            {hint}
          </p>
        </form>
      </search>
      <SearchStatus found={found} />
      {found.state === 'found' && (
        <FoundMessages messages={found.messages} terms={found.terms} close={close} onMore={more} />
      )}
    </div>
  );
}

function ScopeChoice({ desk }: { desk: App }) {
  const { where, here, everywhere: all } = t.value.search;
  const option = (value: boolean, text: string) => (
    <label>
      <input
        type="radio"
        name="where"
        checked={everywhere.value === value}
        onChange={() => {
          everywhere.value = value;
        }}
      />
      <span>{text}</span>
    </label>
  );
  return (
    <fieldset class="choice">
      <legend class="unseen">{where}</legend>
      {option(true, all)}
      {option(false, here(desk.session.value.name))}
    </fieldset>
  );
}

/** What came of it, in words, also for ears. */
function SearchStatus({ found }: { found: SearchState }) {
  const { hint, busy, failed, none, indexing, found: some, foundMany } = t.value.search;
  const text = () => {
    if (found.state === 'nothing') return hint;
    if (found.state === 'busy') return busy;
    if (found.state === 'failed') return failed;
    const count = found.messages.length;
    if (count === 0) return none;
    return found.next === undefined ? some(count) : foundMany(count);
  };
  return (
    <div class="say" role="status">
      {text()} {found.state === 'found' && !found.complete && indexing}
    </div>
  );
}

function useSearch(desk: App) {
  const found = useSignal<SearchState>({ state: 'nothing' });
  const asked = useRef(0);
  const ask = async (before?: number) => {
    const q = query.peek().trim();
    const turn = ++asked.current;
    const where = everywhere.peek() ? {} : { room: desk.session.peek().name };
    const page = await desk.search(q, before === undefined ? where : { ...where, before });
    if (turn !== asked.current) return; // another one was asked meanwhile
    if (!page) {
      found.value = { state: 'failed' };
      return;
    }
    const old = before !== undefined && found.peek().state === 'found' ? found.peek() : undefined;
    const earlier = old?.state === 'found' ? old.messages : [];
    const { messages, next, complete } = page;
    found.value = {
      state: 'found',
      messages: [...earlier, ...messages],
      terms: searchTerms(q),
      next,
      complete,
    };
  };
  useEffect(() => {
    asked.current++;
    if (query.value.trim() === '') {
      found.value = { state: 'nothing' };
      return;
    }
    if (found.peek().state !== 'found') found.value = { state: 'busy' };
    const timer = setTimeout(() => void ask(), searchDelayMs);
    return () => clearTimeout(timer);
  }, [query.value, everywhere.value, desk.session.value]);
  const now = found.value;
  const next = now.state === 'found' ? now.next : undefined;
  return { found: now, more: next === undefined ? undefined : () => void ask(next) };
}

/** Where others have called me by name, newest first. */

interface MentionsPage {
  readonly messages: readonly SearchHit[];
  readonly next: number | undefined;
}

export function Mentions({ desk, close }: PanelProps) {
  const listed = useSignal<MentionsPage | 'loading' | 'failed'>('loading');
  const load = async (before?: number) => {
    const page = await desk.mentions(before === undefined ? {} : { before });
    const old = listed.peek();
    const earlier = typeof old === 'object' ? old.messages : [];
    if (page) listed.value = { messages: [...earlier, ...page.messages], next: page.next };
    else if (typeof old !== 'object') listed.value = 'failed';
  };
  useEffect(() => void load(), []);
  const now = listed.value;
  const { none, how, failed } = t.value.mentions;
  if (typeof now !== 'object')
    return (
      <p class="say" role="status">
        {now === 'loading' ? t.value.dialog.loading : failed}
      </p>
    );
  if (now.messages.length === 0)
    return (
      <p class="say" role="status">
        {none} {how}
      </p>
    );
  const { next } = now;
  const me = desk.me.value;
  return (
    <FoundMessages
      messages={now.messages}
      terms={me ? [`@${me.name}`] : []}
      close={close}
      onMore={next === undefined ? undefined : () => void load(next)}
    />
  );
}

/** Messages out of their rooms: what a search found, or what calls me. A click leads there; the arrows walk. */

interface FoundMessagesProps {
  readonly messages: readonly SearchHit[];
  /** the words to mark */
  readonly terms: readonly string[];
  readonly close: () => void;
  /** loads more, when there is more */
  readonly onMore: (() => void) | undefined;
}

export function FoundMessages({ messages, terms, close, onMore: more }: FoundMessagesProps) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the links in it are what is used; the arrows only walk among them
    <div class="finds scroll" onKeyDown={moveFocus}>
      <ol>
        {messages.map((message) => (
          <FoundMessageLink
            key={`${message.room} ${message.id}`}
            message={message}
            terms={terms}
            close={close}
          />
        ))}
      </ol>
      {more && (
        <p class="next">
          <button class="plain" type="button" onClick={more}>
            {t.value.search.more}
          </button>
        </p>
      )}
    </div>
  );
}

interface FoundMessageLinkProps {
  readonly message: SearchHit;
  readonly terms: readonly string[];
  readonly close: () => void;
}

function FoundMessageLink({ message, terms, close }: FoundMessageLinkProps) {
  const { room, id, user, at, data } = message;
  const { number, in: inRoom } = t.value.search;
  return (
    <li>
      <a href={addressPath({ room, id })} onClick={close}>
        <span class="from">
          <bdi class="name">{user.name}</bdi>
          <span class="room">{inRoom(room)}</span>
          <time dateTime={isoDate(at)} title={fullDate(at)}>
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
export function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || event.altKey || !(event.currentTarget instanceof HTMLElement)) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a, button')];
  const now = links.findIndex((link) => link.matches(':focus'));
  const next = links[now + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
