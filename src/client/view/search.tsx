/** Searches the messages of one or all rooms while the user types, and lists the user's mentions. */
import { type Signal, signal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { LIMITS, type SearchHit, type SearchPage } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { renderNow } from '../render/scheduler.js';
import { excerpt, searchTerms } from '../text/excerpt.js';
import type { PanelProps } from './dialog.js';
import { consumeEscape } from './keyboard.js';
import { fullDate, isoDate, shortDate } from './timestamp.js';

/** All pages of a list that were loaded so far, or its state before the first one. */
type Results = SearchPage | 'empty' | 'loading' | 'unfinished' | 'failed';

/** Kept while the page is open, so that the user can return to the results. */
const query = signal('');
const everywhere = signal(true);
const results = signal<Results>('empty');
let scrollTop = 0;
/** what the results are of */
let answered = { question: '', at: 0 };
/** A result was opened: its room offers the way back. */
export const hasOpenedResult = signal(false);

const searchDelayMs = 200;
/** Whoever types has not finished the word: only after this pause it is said that there is nothing. */
const typingPauseMs = 900;
/** Results of a question that is asked again later are loaded anew. */
const maxResultsAgeMs = 60_000;
/** An empty page may have more behind it, and the index may be behind the log. */
const continueDelayMs = 1_500;
const maxContinuations = 20;

/** Opens the search with a query. */
export function searchFor(app: App, text: string): void {
  query.value = text;
  everywhere.value = true;
  app.showDialog('search');
}

export function Search({ app, close }: PanelProps) {
  const more = useSearch(app);
  const found = results.value;
  const box = useRef<HTMLDivElement>(null);
  const focusResults = () => box.current?.querySelector<HTMLElement>('.results a')?.focus();
  useLayoutEffect(() => {
    hasOpenedResult.value = false;
    // The dialog is not shown before this effect, and hidden elements do not scroll.
    requestAnimationFrame(() => box.current?.querySelector('.results')?.scrollTo({ top: scrollTop }));
  }, []);
  const open = () => {
    hasOpenedResult.value = true;
    scrollTop = box.current?.querySelector('.results')?.scrollTop ?? 0;
    close();
  };
  return (
    <div class="body" ref={box}>
      <search>
        <form class="query" onSubmit={(event) => event.preventDefault()}>
          <SearchField close={close} focusResults={focusResults} />
          <ScopeChoice app={app} />
        </form>
      </search>
      <div class="status-text" id="search-hint" role="status" children={statusText(found)} />
      {found === 'empty' && <Operators box={box} />}
      {typeof found === 'object' && (
        <FoundMessages results={found} terms={searchTerms(query.value)} close={open} onMore={more} />
      )}
    </div>
  );
}

/** What narrows a search down. A click begins it in the field. */
function Operators({ box }: { box: RefObject<HTMLElement | null> }) {
  const begin = (operator: string) => () => {
    renderNow(() => {
      query.value = `${query.peek()}${operator}`;
    }); // before the next key
    box.current?.querySelector('input')?.focus();
  };
  return (
    <ul class="operators">
      {Object.entries(t.value.search.operators).map(([operator, meaning]) => (
        <li key={operator}>
          <button type="button" onClick={begin(operator)}>
            <code>{operator}</code> {meaning}
          </button>
        </li>
      ))}
    </ul>
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

function statusText(found: Results): string {
  const { hint, busy, failed, none, unfinished, indexing, found: all, foundMany } = t.value.search;
  if (typeof found !== 'object') return { empty: hint, loading: busy, unfinished, failed }[found];
  const { length } = found.messages;
  const count = length === 0 ? none : found.next === undefined ? all(length) : foundMany(length);
  return found.complete ? count : `${count} ${indexing}`;
}

/**
 * Searches while the user types. Returns a function that loads what is older than a number. The effect uses the text that
 * was rendered, because a later one may be deleted before it is, and then no effect would end its search.
 */
function useSearch(app: App): (before: number) => void {
  const request = useRef(new AbortController());
  const room = everywhere.value ? undefined : app.session.value.name;
  const text = query.value.trim();
  const question = JSON.stringify([text, room]);
  useEffect(() => {
    const { signal } = request.current;
    if (text === '') results.value = 'empty';
    else if (question !== answered.question || Date.now() - answered.at > maxResultsAgeMs) {
      if (!hasMessages(results.peek())) results.value = 'loading';
      void ask(app, { text, question, room, typedAt: Date.now(), signal });
    }
    return () => {
      request.current.abort();
      request.current = new AbortController();
    };
  }, [question]);
  return (before) =>
    void loadMore(app, { text, question, room, typedAt: 0, signal: request.current.signal }, before);
}

interface Search {
  readonly text: string;
  readonly question: string;
  readonly room: string | undefined;
  readonly typedAt: number;
  readonly signal: AbortSignal;
}

async function ask(app: App, search: Search): Promise<void> {
  await pause(searchDelayMs, search.signal);
  const page = await findFirst(app, search);
  if (page?.messages.length === 0) await pause(search.typedAt + typingPauseMs - Date.now(), search.signal);
  if (search.signal.aborted) return;
  results.value = page ?? 'failed';
  scrollTop = 0;
  answered = { question: page ? search.question : '', at: Date.now() };
}

/** Goes on while the server has found nothing but has not looked everywhere; at the end again from the newest. */
async function findFirst(app: App, search: Search): Promise<SearchPage | undefined> {
  let page = await load(app, search);
  let isComplete = true;
  for (let n = 0; n < maxContinuations && page?.messages.length === 0; n++) {
    isComplete &&= page.complete;
    if (page.next === undefined && isComplete) break;
    if (page.next === undefined) isComplete = true;
    if (!search.signal.aborted) results.value = 'unfinished';
    await pause(continueDelayMs, search.signal);
    page = await load(app, search, page.next);
  }
  return page;
}

async function loadMore(app: App, search: Search, before: number): Promise<void> {
  const page = await load(app, search, before);
  if (search.signal.aborted) return;
  results.value = page ? appendPage(results, page, before) : 'failed';
}

async function load(
  app: App,
  { text, room, signal }: Search,
  before?: number,
): Promise<SearchPage | undefined> {
  if (signal.aborted) return undefined;
  return app.search(text, { ...(room !== undefined && { room }), ...(before && { before }) });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function hasMessages(found: Results): boolean {
  return typeof found === 'object' && found.messages.length > 0;
}

function appendPage(list: Signal<Results>, page: SearchPage, before: number | undefined): SearchPage {
  const previous = list.peek();
  if (before === undefined || typeof previous !== 'object') return page;
  return { ...page, messages: [...previous.messages, ...page.messages] };
}

export function Mentions({ app, close }: PanelProps) {
  const mentions = useSignal<Results>('loading');
  const load = async (before?: number) => {
    const page = await app.mentions(before === undefined ? {} : { before });
    if (page) mentions.value = appendPage(mentions, page, before);
    else if (typeof mentions.peek() !== 'object') mentions.value = 'failed';
  };
  useEffect(() => void load(), []);
  const current = mentions.value;
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
            <span aria-hidden="true">#{id}</span>
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
