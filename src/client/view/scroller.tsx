/**
 * The scrolling list. What must stay true: at the bottom it stays at the bottom; anywhere else what is being read stays
 * where it is on the screen, whatever is put above, taken away or grows. (Done by hand: not every browser anchors.)
 * And the focus is never lost with a row that goes.
 */
import { Component, type ComponentChildren, createRef } from 'preact';
import {
  type Anchor,
  anchorOf,
  bottomThresholdPx,
  distanceToBottom,
  firstVisibleRow,
  lastVisibleRow,
  loadThresholdPx,
} from '../render/virtual-list.js';
import { idOf, rowOf } from './keyboard.js';

interface MessageScrollerProps {
  readonly children: ComponentChildren;
  readonly label: string;
  /** changes when the rows do */
  readonly version: unknown;
  /** whether the newest are in view, now */
  readonly pinned: () => boolean;
  readonly onPin: (pinned: boolean) => void;
  readonly onRendered: (log: MessageScroller) => void;
  readonly onNearTop: () => void;
  readonly onNearBottom: () => void;
  /** this number and all above it have been on the screen */
  readonly onRead: (id: number) => void;
  /** what the list itself listens to */
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
  /** what is read, and where it was when last looked at */
  #anchor: Anchor | undefined;
  /** where the focus was when the rows were last drawn */
  #focusedId: string | undefined;
  #readCheckQueued = false;
  /** the reader has gone somewhere by themselves */
  #userScrolled = false;

  override componentDidMount(): void {
    this.#resizeObserver = new ResizeObserver(() => this.#restoreScroll());
    for (const { current } of [this.#box, this.#list]) if (current) this.#resizeObserver.observe(current);
    document.addEventListener('visibilitychange', this.#reportRead);
    this.#restoreScroll();
    this.#afterRender(); // it may begin with all that it will have
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

  /** Brings a row into view: a message by its number, or the line where the news begins. True when it is there. */
  reveal(selector: string, where: 'center' | 'start'): boolean {
    const row = this.#list.current?.querySelector<HTMLElement>(selector);
    const box = this.#box.current;
    if (!row || !box) return false;
    const { top, height } = row.getBoundingClientRect();
    const edge = box.getBoundingClientRect().top;
    const space = where === 'start' ? box.clientHeight / 6 : Math.max(0, (box.clientHeight - height) / 2);
    this.props.onPin(false);
    box.scrollTop += top - edge - space;
    this.#anchor = anchorOf(row);
    this.#onScroll();
    return true;
  }

  /** Begins at a row, unless it is in view anyway or the reader is somewhere already. False when there is none. */
  scrollToRow(selector: string): boolean {
    const row = this.#list.current?.querySelector(selector);
    const box = this.#box.current;
    if (!row || !box) return false;
    if (this.#userScrolled) return true;
    if (row.getBoundingClientRect().top < box.getBoundingClientRect().top) this.reveal(selector, 'start');
    else if (!this.props.pinned()) this.reveal(selector, 'start');
    return true;
  }

  readonly #onUserInput = (): void => {
    this.#userScrolled = true;
  };

  /** To the bottom, or back to what was read. */
  #restoreScroll(): void {
    const box = this.#box.current;
    if (!box) return;
    if (this.props.pinned()) box.scrollTop = box.scrollHeight;
    else this.#restoreAnchor(box);
  }

  #restoreAnchor(box: HTMLElement): void {
    if (!this.#anchor) return;
    const { row, id, top } = this.#anchor;
    const still = row.isConnected ? row : this.#list.current?.querySelector(`[data-id="${id}"]`);
    if (still) {
      const moved = still.getBoundingClientRect().top - top;
      if (Math.abs(moved) >= 1) box.scrollTop += moved;
    }
    this.#anchor = firstVisibleRow(this.#rows(), box);
  }

  readonly #onScroll = (): void => {
    const box = this.#box.current;
    if (!box) return;
    this.#anchor = firstVisibleRow(this.#rows(), box);
    this.props.onPin(distanceToBottom(box) < bottomThresholdPx);
    this.#requestPages();
    this.#reportRead();
  };

  #requestPages(): void {
    const box = this.#box.current;
    if (!box) return;
    if (box.scrollTop < loadThresholdPx) this.props.onNearTop();
    if (distanceToBottom(box) < loadThresholdPx) this.props.onNearBottom();
  }

  /** Tells what has been on the screen, once a frame at most, while somebody can look. */
  readonly #reportRead = (): void => {
    if (this.#readCheckQueued || document.visibilityState !== 'visible') return;
    this.#readCheckQueued = true;
    requestAnimationFrame(() => {
      this.#readCheckQueued = false;
      const box = this.#box.current;
      const id = box ? idOf(lastVisibleRow(this.#rows(), box)) : undefined;
      if (id !== undefined) this.props.onRead(id);
    });
  };

  #rows(): readonly HTMLElement[] {
    return [...(this.#list.current?.querySelectorAll<HTMLElement>(':scope > [data-id]') ?? [])];
  }

  /** The row with the focus is gone (the window moved on): the nearest one has it now. */
  #keepFocus(): void {
    if (this.#focusedId === undefined || document.activeElement !== document.body) return;
    const rows = this.#rows();
    const row = rows.find((one) => Number(one.dataset['id']) >= Number(this.#focusedId)) ?? rows.at(-1);
    row?.focus({ preventScroll: true });
  }

  /** The log itself has nothing to be done with: its current row has. */
  readonly #onFocus = (event: FocusEvent): void => {
    if (event.target === this.#box.current)
      this.#list.current
        ?.querySelector<HTMLElement>('[data-id][tabindex="0"]')
        ?.focus({ preventScroll: true });
  };
}
