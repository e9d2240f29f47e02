/**
 * The scrolling list. What must stay true: at the bottom it stays at the bottom; anywhere else what is being read stays
 * where it is on the screen, whatever is put above, taken away or grows. (Done by hand: not every browser anchors.)
 * And the focus is never lost with a row that goes.
 */
import { Component, type ComponentChildren, createRef } from 'preact';
import { type Anchor, AT_BOTTOM_PX, anchorOf, below, firstSeen, lastSeen, NEAR_PX } from './lines.js';
import { idOf, rowOf } from './rowkeys.js';

interface LogProps {
  readonly children: ComponentChildren;
  readonly label: string;
  /** changes when the rows do */
  readonly version: unknown;
  /** whether the newest are in view, now */
  readonly pinned: () => boolean;
  readonly onPin: (pinned: boolean) => void;
  readonly onDrawn: (log: Log) => void;
  readonly onTop: () => void;
  readonly onBottom: () => void;
  /** this number and all above it have been on the screen */
  readonly onSeen: (id: number) => void;
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

export class Log extends Component<LogProps> {
  readonly #box = createRef<HTMLElement>();
  readonly #list = createRef<HTMLOListElement>();
  #watch: ResizeObserver | undefined;
  /** what is read, and where it was when last looked at */
  #anchor: Anchor | undefined;
  /** where the focus was when the rows were last drawn */
  #hand: string | undefined;
  #looking = false;
  /** the reader has gone somewhere by themselves */
  #touched = false;

  override componentDidMount(): void {
    this.#watch = new ResizeObserver(() => this.#settle());
    for (const { current } of [this.#box, this.#list]) if (current) this.#watch.observe(current);
    document.addEventListener('visibilitychange', this.#look);
    this.#settle();
    this.#drawn(); // it may begin with all that it will have
  }

  override componentWillUnmount(): void {
    this.#watch?.disconnect();
    document.removeEventListener('visibilitychange', this.#look);
  }

  override getSnapshotBeforeUpdate(): null {
    const row = rowOf(document.activeElement);
    this.#hand = row && this.#list.current?.contains(row) ? (row.dataset['id'] ?? '') : undefined;
    return null;
  }

  override componentDidUpdate(before: LogProps): void {
    this.#settle();
    if (before.version !== this.props.version) this.#drawn();
  }

  #drawn(): void {
    this.props.onDrawn(this);
    this.#keepFocus();
    this.#ask();
    this.#look();
  }

  override render({ children, label, list }: LogProps) {
    return (
      <section
        class="log"
        id="log"
        ref={this.#box}
        role="log"
        aria-live="off"
        aria-label={label}
        tabIndex={-1}
        onFocus={this.#enter}
        onScroll={this.#scrolled}
        onWheel={this.#touch}
        onTouchMove={this.#touch}
        onPointerDown={this.#touch}
        onKeyDown={this.#touch}
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
    this.#scrolled();
    return true;
  }

  /** Begins at a row, unless it is in view anyway or the reader is somewhere already. False when there is none. */
  open(selector: string): boolean {
    const row = this.#list.current?.querySelector(selector);
    const box = this.#box.current;
    if (!row || !box) return false;
    if (this.#touched) return true;
    if (row.getBoundingClientRect().top < box.getBoundingClientRect().top) this.reveal(selector, 'start');
    else if (!this.props.pinned()) this.reveal(selector, 'start');
    return true;
  }

  readonly #touch = (): void => {
    this.#touched = true;
  };

  /** To the bottom, or back to what was read. */
  #settle(): void {
    const box = this.#box.current;
    if (!box) return;
    if (this.props.pinned()) box.scrollTop = box.scrollHeight;
    else this.#restore(box);
  }

  #restore(box: HTMLElement): void {
    if (!this.#anchor) return;
    const { row, id, top } = this.#anchor;
    const still = row.isConnected ? row : this.#list.current?.querySelector(`[data-id="${id}"]`);
    if (still) {
      const moved = still.getBoundingClientRect().top - top;
      if (Math.abs(moved) >= 1) box.scrollTop += moved;
    }
    this.#anchor = firstSeen(this.#rows(), box);
  }

  readonly #scrolled = (): void => {
    const box = this.#box.current;
    if (!box) return;
    this.#anchor = firstSeen(this.#rows(), box);
    this.props.onPin(below(box) < AT_BOTTOM_PX);
    this.#ask();
    this.#look();
  };

  #ask(): void {
    const box = this.#box.current;
    if (!box) return;
    if (box.scrollTop < NEAR_PX) this.props.onTop();
    if (below(box) < NEAR_PX) this.props.onBottom();
  }

  /** Tells what has been on the screen, once a frame at most, while somebody can look. */
  readonly #look = (): void => {
    if (this.#looking || document.visibilityState !== 'visible') return;
    this.#looking = true;
    requestAnimationFrame(() => {
      this.#looking = false;
      const box = this.#box.current;
      const id = box ? idOf(lastSeen(this.#rows(), box)) : undefined;
      if (id !== undefined) this.props.onSeen(id);
    });
  };

  #rows(): readonly HTMLElement[] {
    return [...(this.#list.current?.querySelectorAll<HTMLElement>(':scope > [data-id]') ?? [])];
  }

  /** The row with the focus is gone (the window moved on): the nearest one has it now. */
  #keepFocus(): void {
    if (this.#hand === undefined || document.activeElement !== document.body) return;
    const rows = this.#rows();
    const row = rows.find((one) => Number(one.dataset['id']) >= Number(this.#hand)) ?? rows.at(-1);
    row?.focus({ preventScroll: true });
  }

  /** The log itself has nothing to be done with: its current row has. */
  readonly #enter = (event: FocusEvent): void => {
    if (event.target === this.#box.current)
      this.#list.current
        ?.querySelector<HTMLElement>('[data-id][tabindex="0"]')
        ?.focus({ preventScroll: true });
  };
}
