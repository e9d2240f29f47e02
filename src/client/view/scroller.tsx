/**
 * The scrolling list. At the bottom it stays at the bottom. Elsewhere, what is being read keeps its position
 * while rows are added, removed or resized; not every browser anchors scrolling. The focus is never lost with
 * a removed row.
 */
import { Component, type ComponentChildren, createRef } from 'preact';
import { idOf, rowOf } from './keyboard.js';

/** Distance that counts as "at the bottom". */
const bottomThresholdPx = 32;
/** Distance at which the next page is requested. */
const loadThresholdPx = 600;

interface MessageScrollerProps {
  readonly children: ComponentChildren;
  readonly label: string;
  /** changes with the rows */
  readonly version: unknown;
  readonly pinned: () => boolean;
  readonly onPin: (pinned: boolean) => void;
  readonly onRendered: (scroller: MessageScroller) => void;
  readonly onNearTop: () => void;
  readonly onNearBottom: () => void;
  /** the first and last visible number */
  readonly onRead: (first: number, last: number) => void;
  /** delegated events of the rows */
  readonly list: ListEvents;
}

export interface ListEvents {
  readonly onPointerOver: (event: PointerEvent) => void;
  readonly onPointerLeave: () => void;
  readonly onFocusIn: (event: FocusEvent) => void;
  readonly onFocusOut: (event: FocusEvent) => void;
  readonly onClick: (event: MouseEvent) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

export class MessageScroller extends Component<MessageScrollerProps> {
  readonly #box = createRef<HTMLElement>();
  readonly #list = createRef<HTMLOListElement>();
  #resizeObserver: ResizeObserver | undefined;
  /** the first visible row and its position */
  #anchor: Anchor | undefined;
  /** row that contained the focus before the last update */
  #focusedId: string | undefined;
  #readCheckQueued = false;
  /** the reader has scrolled */
  #userScrolled = false;

  override componentDidMount(): void {
    this.#resizeObserver = new ResizeObserver(() => this.#restoreScroll());
    for (const { current } of [this.#box, this.#list]) if (current) this.#resizeObserver.observe(current);
    document.addEventListener('visibilitychange', this.#reportRead);
    this.#restoreScroll();
    this.#afterRender(); // the first rendering may be complete
  }

  override componentWillUnmount(): void {
    this.#resizeObserver?.disconnect();
    document.removeEventListener('visibilitychange', this.#reportRead);
  }

  override getSnapshotBeforeUpdate(): null {
    const row = rowOf(document.activeElement);
    this.#focusedId = row && this.#list.current?.contains(row) ? (row.dataset['id'] ?? '') : undefined;
    return null;
  }

  override componentDidUpdate(before: MessageScrollerProps): void {
    this.#restoreScroll();
    if (before.version !== this.props.version) this.#afterRender();
  }

  #afterRender(): void {
    this.props.onRendered(this);
    this.#keepFocus();
    this.#requestPages();
    this.#reportRead();
  }

  override render({ children, label, list }: MessageScrollerProps) {
    return (
      <section
        class="log"
        id="log"
        ref={this.#box}
        role="log"
        aria-live="off"
        aria-label={label}
        tabIndex={-1}
        onFocus={this.#onFocus}
        onScroll={this.#onScroll}
        onWheel={this.#onUserInput}
        onTouchMove={this.#onUserInput}
        onPointerDown={this.#onUserInput}
        onKeyDown={this.#onUserInput}
      >
        <ol class="messages" ref={this.#list} {...list}>
          {children}
        </ol>
      </section>
    );
  }

  /** Scrolls to a row. Returns false when it is not rendered. */
  reveal(selector: string, where: 'center' | 'start'): boolean {
    const row = this.#list.current?.querySelector<HTMLElement>(selector);
    const container = this.#box.current;
    if (!row || !container) return false;
    const { top, height } = row.getBoundingClientRect();
    const edgePx = container.getBoundingClientRect().top;
    const offsetPx =
      where === 'start' ? container.clientHeight / 6 : Math.max(0, (container.clientHeight - height) / 2);
    this.props.onPin(false);
    container.scrollTop += top - edgePx - offsetPx;
    this.#anchor = anchorOf(row);
    this.#onScroll();
    return true;
  }

  /**
   * Scrolls to a row, unless it is visible or the reader has scrolled. Returns false when it is not rendered.
   */
  scrollToRow(selector: string): boolean {
    const row = this.#list.current?.querySelector(selector);
    const container = this.#box.current;
    if (!row || !container) return false;
    if (this.#userScrolled) return true;
    if (row.getBoundingClientRect().top < container.getBoundingClientRect().top)
      this.reveal(selector, 'start');
    else if (!this.props.pinned()) this.reveal(selector, 'start');
    return true;
  }

  readonly #onUserInput = (): void => {
    this.#userScrolled = true;
  };

  #restoreScroll(): void {
    const container = this.#box.current;
    if (!container) return;
    if (this.props.pinned()) container.scrollTop = container.scrollHeight;
    else this.#restoreAnchor(container);
  }

  #restoreAnchor(container: HTMLElement): void {
    if (!this.#anchor) return;
    const { row, id, top } = this.#anchor;
    const anchored = row.isConnected ? row : this.#list.current?.querySelector(`[data-id="${id}"]`);
    if (anchored) {
      const moved = anchored.getBoundingClientRect().top - top;
      if (Math.abs(moved) >= 1) container.scrollTop += moved;
    }
    this.#anchor = firstVisibleRow(this.#rows(), container);
  }

  readonly #onScroll = (): void => {
    const container = this.#box.current;
    if (!container) return;
    this.#anchor = firstVisibleRow(this.#rows(), container);
    this.props.onPin(distanceToBottom(container) < bottomThresholdPx);
    this.#requestPages();
    this.#reportRead();
  };

  #requestPages(): void {
    const container = this.#box.current;
    if (!container) return;
    if (container.scrollTop < loadThresholdPx) this.props.onNearTop();
    if (distanceToBottom(container) < loadThresholdPx) this.props.onNearBottom();
  }

  /** Reports the last visible number, at most once a frame. */
  readonly #reportRead = (): void => {
    if (this.#readCheckQueued || document.visibilityState !== 'visible') return;
    this.#readCheckQueued = true;
    requestAnimationFrame(() => {
      this.#readCheckQueued = false;
      const container = this.#box.current;
      if (!container) return;
      const rows = this.#rows();
      const [first, last] = [
        idOf(firstVisibleRow(rows, container)?.row),
        idOf(lastVisibleRow(rows, container)),
      ];
      if (first !== undefined && last !== undefined) this.props.onRead(first, last);
    });
  };

  #rows(): readonly HTMLElement[] {
    return [...(this.#list.current?.querySelectorAll<HTMLElement>(':scope > [data-id]') ?? [])];
  }

  /** Moves the focus from a removed row to the nearest one. */
  #keepFocus(): void {
    if (this.#focusedId === undefined || document.activeElement !== document.body) return;
    const rows = this.#rows();
    const row = rows.find((one) => Number(one.dataset['id']) >= Number(this.#focusedId)) ?? rows.at(-1);
    row?.focus({ preventScroll: true });
  }

  /** The timeline itself passes the focus to its current row. */
  readonly #onFocus = (event: FocusEvent): void => {
    if (event.target === this.#box.current)
      this.#list.current
        ?.querySelector<HTMLElement>('[data-id][tabindex="0"]')
        ?.focus({ preventScroll: true });
  };
}

/** A row with its position on the screen. */
interface Anchor {
  readonly row: HTMLElement;
  readonly id: string | null;
  readonly top: number;
}

function anchorOf(row: HTMLElement): Anchor {
  return { row, id: row.dataset['id'] ?? null, top: row.getBoundingClientRect().top };
}

/** Binary search: rows are ordered from top to bottom. */
function findFirstRow(rows: readonly HTMLElement[], predicate: (row: HTMLElement) => boolean): number {
  let from = 0;
  let to = rows.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const row = rows[middle];
    if (row && predicate(row)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function distanceToBottom(container: HTMLElement): number {
  return container.scrollHeight - container.clientHeight - container.scrollTop;
}

function firstVisibleRow(rows: readonly HTMLElement[], container: HTMLElement): Anchor | undefined {
  const edgePx = container.getBoundingClientRect().top;
  const row = rows[findFirstRow(rows, (candidate) => candidate.getBoundingClientRect().bottom > edgePx)];
  return row && anchorOf(row);
}

/** The last row that is visible except for a few pixels. */
function lastVisibleRow(rows: readonly HTMLElement[], container: HTMLElement): HTMLElement | undefined {
  const edgePx = container.getBoundingClientRect().bottom + bottomThresholdPx;
  return rows[findFirstRow(rows, (candidate) => candidate.getBoundingClientRect().bottom > edgePx) - 1];
}
