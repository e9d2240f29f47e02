/** The log against what was sent, acknowledged and shown. */
import { lineOf, type Told, type Witness } from './witness.js';

/** Reads the log to its end. `calm`: the run was not broken off, so everything sent must have been acknowledged. */
export async function judge(log: AsyncIterable<Told>, witness: Witness, calm: boolean): Promise<number> {
  const places = new Map<string, number>();
  const turns = new Map<string, number>();
  let last = 0;
  for await (const told of log) {
    if (told.id !== last + 1) witness.accuse('out of order', `in the log ${told.id} follows ${last}`);
    last = told.id;
    comparePlace(told, places, witness, calm);
    compareTurn(told, turns, witness);
  }
  if (witness.shown.length - 1 > last)
    witness.accuse('lost', `${witness.shown.length - 1} was shown, the log ends at ${last}`);
  for (const [cid, sent] of witness.sent) compareSent(cid, sent.id, places, witness, calm);
  return last;
}

/** Said by who is said to have said it, once, and shown as it is. */
function comparePlace(told: Told, places: Map<string, number>, witness: Witness, calm: boolean): void {
  const cid = cidOf(told);
  const sent = witness.sent.get(cid);
  const shown = witness.shown[told.id];
  if (sent?.data !== told.data || sent.author !== told.author)
    witness.accuse('unsound', `nobody sent ${told.id}: "${lineOf(told)}"`);
  if (places.has(cid))
    witness.accuse('repeated', `${cid} is in the log as ${places.get(cid)} and as ${told.id}`);
  if (shown === undefined && calm) witness.accuse('lost', `${told.id} is in the log and was shown to nobody`);
  if (shown !== undefined && shown !== lineOf(told))
    witness.accuse('different', `${told.id} was shown as "${shown}", in the log it is "${lineOf(told)}"`);
  places.set(cid, told.id);
}

/** What one sender sent over its socket is in the order in which it was sent. */
function compareTurn(told: Told, turns: Map<string, number>, witness: Witness): void {
  const turn = witness.sent.get(cidOf(told))?.turn;
  if (turn === undefined) return;
  const before = turns.get(told.author) ?? 0;
  if (turn < before)
    witness.accuse('out of order', `${cidOf(told)} was sent earlier and kept later than ${before}`);
  turns.set(told.author, Math.max(turn, before));
}

function compareSent(
  cid: string,
  id: number | undefined,
  places: ReadonlyMap<string, number>,
  witness: Witness,
  calm: boolean,
): void {
  const place = places.get(cid);
  if (id === undefined) {
    if (calm) witness.accuse('stuck', `${cid} was never acknowledged`);
  } else if (place === undefined)
    witness.accuse('lost', `${cid} was acknowledged as ${id} and is not in the log`);
  else if (place !== id)
    witness.accuse('different', `${cid} was acknowledged as ${id}, in the log it is ${place}`);
}

/** The proof's texts begin with their cid: the API of the log need not be believed about cids. */
function cidOf({ data }: Told): string {
  return data.slice(0, data.indexOf(' '));
}
