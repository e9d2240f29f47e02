/**
 * The scrolling list. What must stay true: at the bottom it stays at the bottom; anywhere else what is being read
 * stays where it is on the screen, whatever is put above or taken away. (Done by hand: not every browser anchors.)
 */
import { Component, type ComponentChildren, createRef } from 'preact';

interface LogProps {
  readonly children: ComponentChildren;
  /** changes when the rows do */
  readonly version: unknown;
  readonly pinned: boolean;
  readonly onPin: (pinned: boolean) => void;
  readonly onTop: () => void;
  readonly onBottom: () => void;
}

/** Nearer than this is there. */
const AT_BOTTOM_PX = 32;
/** Pages are asked for before the reader sees the end. */
const NEAR_PX = 600;

interface Anchor {
  readonly id: string;
  readonly top: number;
}

export class Log extends Component<LogProps> {
  readonly #box = createRef<HTMLElement>();
  readonly #list = createRef<HTMLOListElement>();
  #watch: ResizeObserver | undefined;

  override componentDidMount(): void {
    this.#watch = new ResizeObserver(() => this.#stick());
    for (const { current } of [this.#box, this.#list]) if (current) this.#watch.observe(current);
    this.#stick();
  }

  override componentWillUnmount(): void {
    this.#watch?.disconnect();
  }

  override getSnapshotBeforeUpdate(): Anchor | undefined {
    return this.props.pinned ? undefined : this.#anchor();
  }

  override componentDidUpdate(before: LogProps, _state: unknown, anchor: Anchor | undefined): void {
    if (this.props.pinned) this.#stick();
    else if (anchor) this.#restore(anchor);
    if (before.version !== this.props.version) this.#ask();
  }

  override render({ children }: LogProps) {
    return (
      <section
        class="log"
        ref={this.#box}
        role="log"
        aria-live="off"
        aria-label="Messages"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={this.#scrolled}
      >
        <ol class="messages" ref={this.#list}>
          {children}
        </ol>
      </section>
    );
  }

  #stick(): void {
    const box = this.#box.current;
    if (box && this.props.pinned) box.scrollTop = box.scrollHeight;
  }

  readonly #scrolled = (): void => {
    const box = this.#box.current;
    if (!box) return;
    this.props.onPin(below(box) < AT_BOTTOM_PX);
    this.#ask();
  };

  #ask(): void {
    const box = this.#box.current;
    if (!box) return;
    if (box.scrollTop < NEAR_PX) this.props.onTop();
    if (below(box) < NEAR_PX) this.props.onBottom();
  }

  /** The first message that can be seen, and where. */
  #anchor(): Anchor | undefined {
    const edge = this.#box.current?.getBoundingClientRect().top ?? 0;
    for (const row of this.#list.current?.querySelectorAll<HTMLElement>('[data-id]') ?? []) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom > edge) return { id: row.dataset['id'] ?? '', top };
    }
    return undefined;
  }

  #restore({ id, top }: Anchor): void {
    const row = this.#list.current?.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (row && this.#box.current) this.#box.current.scrollTop += row.getBoundingClientRect().top - top;
  }
}

function below(box: HTMLElement): number {
  return box.scrollHeight - box.clientHeight - box.scrollTop;
}
