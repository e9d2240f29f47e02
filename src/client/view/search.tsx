/** Searches the messages of one or all rooms while the user types, and lists the user's mentions. */
import { type Signal, signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LIMITS, type SearchHit, type SearchPage } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { excerpt, searchTerms } from '../text/excerpt.js';
import type { PanelProps } from './dialog.js';
import { consumeEscape } from './keyboard.js';
import { fullDate, isoDate, shortDate } from './timestamp.js';

/** All pages of a list that were loaded so far, or its state before the first one. */
type Results = SearchPage | 'empty' | 'loading' | 'failed';

/** Kept while the page is open, so that the user can return to the results. */
const query = signal('');
const everywhere = signal(true);
const searchDelayMs = 200;

/** Opens the search with a query. */
export function searchFor(app: App, text: string): void {
  query.value = text;
  everywhere.value = true;
  app.showDialog('search');
}

export function Search({ app, close }: PanelProps) {
  const { results, more } = useSearch(app);
  const box = useRef<HTMLDivElement>(null);
  const focusResults = () => box.current?.querySelector<HTMLElement>('.results a')?.focus();
  const { hint } = t.value.search;
  return (
    <div class="body" ref={box}>
      <search>
        <form class="query" onSubmit={(event) => event.preventDefault()}>
          <SearchField close={close} focusResults={focusResults} />
          <ScopeChoice app={app} />
          <p class="visually-hidden" id="search-hint" children={hint} />
        </form>
      </search>
      <div class="status-text" role="status" children={statusText(results)} />
      {typeof results === 'object' && (
        <FoundMessages results={results} terms={searchTerms(query.value)} close={close} onMore={more} />
      )}
    </div>
  );
}

function SearchField({ close, focusResults }: { close: () => void; focusResults: () => void }) {
  const onKeyDown = (event: KeyboardEvent) => {
    if (consumeEscape(event)) close();
    if (event.key !== 'ArrowDown' && (event.key !== 'Enter' || event.isComposing)) return;
    focusResults();
    event.preventDefault();
  };
  const label = t.value.search.field;
  return (
    <input
      data-focus
      type="search"
      aria-label={label}
      placeholder={label}
      aria-describedby="search-hint"
      value={query.value}
      maxLength={LIMITS.queryCodePoints}
      autocomplete="off"
      dir="auto"
      onInput={({ currentTarget }) => {
        query.value = currentTarget.value;
      }}
      onKeyDown={onKeyDown}
    />
  );
}

function ScopeChoice({ app }: { app: App }) {
  const { where, here, everywhere: all } = t.value.search;
  const options = [
    [true, all],
    [false, here(app.session.value.name)],
  ] as const;
  return (
    <fieldset class="choice">
      <legend class="visually-hidden">{where}</legend>
      {options.map(([value, text]) => (
        <label key={text}>
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
      ))}
    </fieldset>
  );
}

function statusText(results: Results): string {
  const { hint, busy, failed, none, indexing, found, foundMany } = t.value.search;
  if (typeof results !== 'object') return { empty: hint, loading: busy, failed }[results];
  const { length } = results.messages;
  const count = length === 0 ? none : results.next === undefined ? found(length) : foundMany(length);
  return results.complete ? count : `${count} ${indexing}`;
}

function useSearch(app: App) {
  const results = useSignal<Results>('empty');
  const request = useRef(0);
  const load = async (before?: number) => {
    const id = ++request.current;
    const room = everywhere.peek() ? {} : { room: app.session.peek().name };
    const page = await app.search(query.peek().trim(), { ...room, ...(before && { before }) });
    if (id === request.current) results.value = page ? appendPage(results, page, before) : 'failed';
  };
  useEffect(() => {
    request.current++;
    if (query.value.trim() === '') {
      results.value = 'empty';
      return;
    }
    if (typeof results.peek() !== 'object') results.value = 'loading';
    const timer = setTimeout(() => void load(), searchDelayMs);
    return () => clearTimeout(timer);
  }, [query.value, everywhere.value, app.session.value]);
  return { results: results.value, more: (before: number) => void load(before) };
}

function appendPage(results: Signal<Results>, page: SearchPage, before: number | undefined): SearchPage {
  const previous = results.peek();
  if (before === undefined || typeof previous !== 'object') return page;
  return { ...page, messages: [...previous.messages, ...page.messages] };
}

export function Mentions({ app, close }: PanelProps) {
  const results = useSignal<Results>('loading');
  const load = async (before?: number) => {
    const page = await app.mentions(before === undefined ? {} : { before });
    if (page) results.value = appendPage(results, page, before);
    else if (typeof results.peek() !== 'object') results.value = 'failed';
  };
  useEffect(() => void load(), []);
  const current = results.value;
  const { none, how, failed } = t.value.mentions;
  const status = current === 'loading' ? t.value.dialog.loading : failed;
  if (typeof current !== 'object') return <p class="status-text" role="status" children={status} />;
  if (current.messages.length === 0)
    return <p class="status-text" role="status" children={`${none} ${how}`} />;
  const me = app.me.value;
  const terms = me ? [`@${me.name}`] : [];
  return (
    <FoundMessages results={current} terms={terms} close={close} onMore={(before) => void load(before)} />
  );
}

interface FoundMessagesProps {
  readonly results: SearchPage;
  /** words to highlight */
  readonly terms: readonly string[];
  readonly close: () => void;
  readonly onMore: (before: number) => void;
}

/** Messages of any room. A click opens the message; arrow keys move. */
function FoundMessages({ results, terms, close, onMore }: FoundMessagesProps) {
  const { messages, next } = results;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys move between the links in it
    <div class="results scroll" onKeyDown={moveFocus}>
      <ol>
        {messages.map((message) => (
          <FoundMessage key={`${message.room} ${message.id}`} message={message} terms={terms} close={close} />
        ))}
      </ol>
      {next !== undefined && (
        <p class="next">
          <button class="plain" type="button" onClick={() => onMore(next)} children={t.value.search.more} />
        </p>
      )}
    </div>
  );
}

interface FoundMessageProps extends Pick<FoundMessagesProps, 'terms' | 'close'> {
  readonly message: SearchHit;
}

function FoundMessage({ message, terms, close }: FoundMessageProps) {
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
            <span class="visually-hidden">{number(id)}</span>
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

function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || event.altKey || !(event.currentTarget instanceof HTMLElement)) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a, button')];
  const next = links[links.findIndex((link) => link.matches(':focus')) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
