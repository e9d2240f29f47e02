/** The log against what was sent, acknowledged, refused and shown. */
import type { RoomEvent } from '../../shared/protocol.js';
import { Ledger } from './ledger.js';
import { cidOf, lineOf, type Refusal, type Sent, type Witness } from './witness.js';

/** What is known of the log while it is read. */
interface Reading {
  readonly witness: Witness;
  /** the run was not broken off: everything sent must have been answered, everything kept must have been shown */
  readonly calm: boolean;
  readonly ledger: Ledger;
  /** numbers by cid, and moments of sending by number */
  readonly places: Map<string, number>;
  readonly moments: number[];
  readonly turns: Map<string, number>;
}

/** Reads the log to its end. Resolves with what it comes to. */
export async function judge(log: AsyncIterable<RoomEvent>, witness: Witness, calm: boolean): Promise<Ledger> {
  const reading: Reading = {
    ...{ witness, calm, ledger: new Ledger() },
    ...{ places: new Map(), moments: [0], turns: new Map() },
  };
  const { ledger } = reading;
  for await (const event of log) {
    if (event.id !== ledger.last + 1)
      witness.accuse('out of order', `in the log ${event.id} follows ${ledger.last}`);
    enter(event, reading);
  }
  if (witness.last > ledger.last)
    witness.accuse('lost', `${witness.last} was shown, the log ends at ${ledger.last}`);
  for (const [cid, sent] of witness.sent) compareSent(cid, sent, reading);
  for (const refusal of witness.refusals) compareRefusal(refusal, reading);
  return ledger;
}

function enter(event: RoomEvent, reading: Reading): void {
  const { witness, ledger, moments } = reading;
  const sent = witness.sent.get(cidOf(event));
  ledger.last = event.id;
  moments[event.id] = sent?.moment ?? 0;
  comparePlace(event, sent, reading);
  if (!sent) return;
  compareTurn(event, sent, reading);
  const code = ledger.enter(event.id, sent.author, sent.posting);
  if (code !== undefined) witness.accuse('unsound', `${event.id} was kept, though it is "${code}"`);
}

/** Asked by who is said to have asked it, once, and shown as it is. */
function comparePlace(event: RoomEvent, sent: Sent | undefined, { witness, places, calm }: Reading): void {
  const { id } = event;
  const [cid, line, shown] = [cidOf(event), lineOf(event), witness.shown[id]];
  if (!sent || !isOf(event, sent)) witness.accuse('unsound', `nobody sent ${id}: ${line}`);
  if (places.has(cid)) witness.accuse('repeated', `${cid} is in the log as ${places.get(cid)} and as ${id}`);
  if (shown === undefined && calm) witness.accuse('lost', `${id} is in the log and was shown to nobody`);
  if (shown !== undefined && shown !== line)
    witness.accuse('different', `${id} was shown as "${shown}", in the log it is "${line}"`);
  places.set(cid, id);
}

/** Texts are compared elsewhere: they change. */
function isOf(event: RoomEvent, { author, posting }: Sent): boolean {
  if (event.user.id !== author || event.type !== posting.type) return false;
  if (event.type === 'chat' || posting.type === 'chat') return true;
  if (event.target !== posting.target) return false;
  if (posting.type !== 'react' && posting.type !== 'unreact') return true;
  return 'data' in event && event.data === posting.data;
}

/**
 * What one sender sent over its socket is in the order in which it was sent. Not reactions: one that was refused, and
 * whose refusal got lost, is sent again after later ones, and may be allowed by then.
 */
function compareTurn(event: RoomEvent, { turn, author }: Sent, { turns, witness }: Reading): void {
  if (turn === undefined || event.type === 'react' || event.type === 'unreact') return;
  const before = turns.get(author) ?? 0;
  if (turn < before)
    witness.accuse('out of order', `${cidOf(event)} was sent earlier and kept later than ${before}`);
  turns.set(author, Math.max(turn, before));
}

function compareSent(cid: string, { id, refused }: Sent, { witness, places, calm }: Reading): void {
  const place = places.get(cid);
  if (id === undefined) {
    if (!calm) return;
    if (place !== undefined) witness.accuse('stuck', `${cid} is in the log as ${place}, unacknowledged`);
    else if (!refused) witness.accuse('stuck', `${cid} was never answered`);
  } else if (place === undefined)
    witness.accuse('lost', `${cid} was acknowledged as ${id} and is not in the log`);
  else if (place !== id)
    witness.accuse('different', `${cid} was acknowledged as ${id}, in the log it is ${place}`);
}

/**
 * A refusal has no number. It was given after what was known when the command was sent, before whatever was sent when
 * the refusal had come, and before the command's own number, if another copy of it was kept: somewhere between them
 * the rules must say the same.
 */
function compareRefusal({ cid, code, after, moment }: Refusal, reading: Reading): void {
  const { witness, places, moments, ledger } = reading;
  const sent = witness.sent.get(cid);
  if (!sent) {
    witness.accuse('unsound', `${cid} was refused but never sent`);
    return;
  }
  const end = Math.min(places.get(cid) ?? Number.POSITIVE_INFINITY, ledger.last + 1);
  for (let place = after; place < end; place++) {
    if (place > after && (moments[place] ?? 0) > moment) break;
    if (ledger.refusal(sent.posting, sent.author, place) === code) return;
  }
  const { type } = sent.posting;
  witness.accuse('refused', `${cid}, ${type}, was refused as "${code}" after ${after}; no rule says so`);
}
