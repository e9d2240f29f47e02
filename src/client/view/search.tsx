/** Searches the messages of this room or of all, as one types. */
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LIMITS, type SearchHit } from '../../shared/protocol.js';
import type { Desk } from '../desk.js';
import { termsOf } from '../state/excerpt.js';
import { words } from '../words.js';
import { isEscape } from './field.js';
import { Finds } from './finds.js';
import type { PanelProps } from './panels.js';

interface Results {
  readonly state: 'found';
  readonly messages: readonly SearchHit[];
  readonly terms: readonly string[];
  readonly next: number | undefined;
  readonly complete: boolean;
}
type Found =
  | Results
  | { readonly state: 'nothing' }
  | { readonly state: 'busy' }
  | { readonly state: 'failed' };

/** Kept while the page is open: who comes back from a message finds the others again. */
const query = signal('');
const everywhere = signal(true);

/** After the last stroke. */
const PAUSE_MS = 200;

export function Search({ desk, close }: PanelProps) {
  const { found, more } = useSearch(desk);
  const field = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const { field: label, hint } = words.value.search;
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
              if (isEscape(event)) close();
              if (event.key !== 'ArrowDown' && (event.key !== 'Enter' || event.isComposing)) return;
              box.current?.querySelector<HTMLElement>('.finds a')?.focus();
              event.preventDefault();
            }}
          />
          <Where desk={desk} />
          <p class="unseen" id="search-hint">
            {hint}
          </p>
        </form>
      </search>
      <Said found={found} />
      {found.state === 'found' && (
        <Finds messages={found.messages} terms={found.terms} close={close} more={more} />
      )}
    </div>
  );
}

function Where({ desk }: { desk: Desk }) {
  const { where, here, everywhere: all } = words.value.search;
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
      {option(false, here(desk.here.value.name))}
    </fieldset>
  );
}

/** What came of it, in words, also for ears. */
function Said({ found }: { found: Found }) {
  const { hint, busy, failed, none, indexing, found: some, foundMany } = words.value.search;
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

function useSearch(desk: Desk) {
  const found = useSignal<Found>({ state: 'nothing' });
  const asked = useRef(0);
  const ask = async (before?: number) => {
    const q = query.peek().trim();
    const turn = ++asked.current;
    const where = everywhere.peek() ? {} : { room: desk.here.peek().name };
    const page = await desk.search(q, before === undefined ? where : { ...where, before });
    if (turn !== asked.current) return; // another one was asked meanwhile
    if (!page) {
      found.value = { state: 'failed' };
      return;
    }
    const old = before !== undefined && found.peek().state === 'found' ? found.peek() : undefined;
    const earlier = old?.state === 'found' ? old.messages : [];
    const { messages, next, complete } = page;
    found.value = { state: 'found', messages: [...earlier, ...messages], terms: termsOf(q), next, complete };
  };
  useEffect(() => {
    asked.current++;
    if (query.value.trim() === '') {
      found.value = { state: 'nothing' };
      return;
    }
    if (found.peek().state !== 'found') found.value = { state: 'busy' };
    const timer = setTimeout(() => void ask(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [query.value, everywhere.value, desk.here.value]);
  const now = found.value;
  const next = now.state === 'found' ? now.next : undefined;
  return { found: now, more: next === undefined ? undefined : () => void ask(next) };
}
