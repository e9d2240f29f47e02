/** Where the rows of the log are on the screen. */
/** Nearer than this is there. */
export const AT_BOTTOM_PX = 32;
/** Pages are asked for before the reader sees the end. */
export const NEAR_PX = 600;

/** A row, and where it is on the screen. */
export interface Anchor {
  readonly row: HTMLElement;
  readonly id: string | null;
  readonly top: number;
}

export function anchorOf(row: HTMLElement): Anchor {
  return { row, id: row.dataset['id'] ?? null, top: row.getBoundingClientRect().top };
}

/** Rows lie one below the other, so half of them can be left out at each look. */
function firstWhere(rows: readonly HTMLElement[], so: (row: HTMLElement) => boolean): number {
  let from = 0;
  let to = rows.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const row = rows[middle];
    if (row && so(row)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** How far the end is. */
export function below(box: HTMLElement): number {
  return box.scrollHeight - box.clientHeight - box.scrollTop;
}

export function firstSeen(rows: readonly HTMLElement[], box: HTMLElement): Anchor | undefined {
  const edge = box.getBoundingClientRect().top;
  const row = rows[firstWhere(rows, (one) => one.getBoundingClientRect().bottom > edge)];
  return row && anchorOf(row);
}

/** The last that is seen whole, nearly. */
export function lastSeen(rows: readonly HTMLElement[], box: HTMLElement): HTMLElement | undefined {
  const edge = box.getBoundingClientRect().bottom + AT_BOTTOM_PX;
  return rows[firstWhere(rows, (one) => one.getBoundingClientRect().bottom > edge) - 1];
}
