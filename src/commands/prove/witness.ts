/**
 * What was said, what was acknowledged and what was shown, kept beside the server so that nothing it claims is believed
 * twice. All readers of a number are held to what the first of them was told: that makes their transcripts equal, and
 * costs the memory of one.
 */

/** How the promise was broken. */
export type Kind = 'lost' | 'repeated' | 'out of order' | 'different' | 'refused' | 'stuck' | 'unsound';

export interface Violation {
  readonly kind: Kind;
  readonly evidence: string;
}

export interface Sent {
  readonly author: string;
  readonly data: string;
  /** sent over one socket only, in the order of `turn`: it must be kept in that order */
  readonly turn: number | undefined;
  /** the number it was acknowledged with */
  id: number | undefined;
}

/** A chat event as somebody was told it. */
export interface Told {
  readonly id: number;
  readonly author: string;
  readonly data: string;
}

export class Witness {
  /** by cid; the proof's cids are unique over all its clients */
  readonly sent = new Map<string, Sent>();
  /** by number: the author and the text that the first reader saw */
  readonly shown: string[] = [''];
  readonly violations: Violation[] = [];
  /** milliseconds from losing the connection to the first frame after it, by kills */
  readonly gaps: number[] = [];
  acknowledged = 0;
  resent = 0;
  cuts = 0;

  accuse(kind: Kind, evidence: string): void {
    this.violations.push({ kind, evidence });
  }

  count(...kinds: readonly Kind[]): number {
    return this.violations.filter(({ kind }) => kinds.includes(kind)).length;
  }

  /** Somebody who was at `last` is told the next event. */
  show(reader: string, last: number, told: Told): void {
    if (told.id !== last + 1) {
      this.accuse(
        told.id <= last ? 'repeated' : 'out of order',
        `${reader} was told ${told.id} right after ${last}`,
      );
    }
    const line = lineOf(told);
    const known = this.shown[told.id];
    if (known === undefined) this.shown[told.id] = line;
    else if (known !== line)
      this.accuse('different', `${told.id} was once "${known}", ${reader} was told "${line}"`);
  }

  acknowledge(cid: string, id: number): void {
    const sent = this.sent.get(cid);
    if (!sent) this.accuse('unsound', `${cid} was acknowledged but never sent`);
    else if (sent.id === undefined) {
      sent.id = id;
      this.acknowledged++;
    } else if (sent.id !== id) {
      this.accuse('repeated', `${cid} was acknowledged as ${sent.id}, then as ${id}`);
    }
  }
}

/** Author and text as one string, to compare. */
export function lineOf({ author, data }: Told): string {
  return `${author} ${data}`;
}
