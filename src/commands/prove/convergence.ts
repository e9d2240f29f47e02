/** When all is calm: every way to read the room must come to what the log comes to, and nothing deleted may be in it. */
import type { ChatEvent, EditEvent, RoomEvent } from '../../shared/protocol.js';
import type { Ledger } from './ledger.js';
import { type Story, stateOf } from './story.js';
import { cidOf, type Witness } from './witness.js';

/** What a reader was told over all its connections, folded. */
export function compareStory(reader: string, story: Story, ledger: Ledger, witness: Witness): void {
  for (const [id] of ledger.lives()) compareMessage(reader, id, story.message(id), ledger, witness);
}

/** Pages of the log as it is now, from its end to its beginning: nothing is left to fold. */
export async function comparePages(
  pages: AsyncIterable<RoomEvent>,
  ledger: Ledger,
  witness: Witness,
): Promise<void> {
  let next = ledger.last;
  for await (const event of pages) {
    if (event.id !== next) witness.accuse('out of order', `a page has ${event.id} where ${next} belongs`);
    next = event.id - 1;
    compareNow('a page', event, ledger, witness);
  }
  if (next > 0) witness.accuse('lost', `the pages begin with ${next + 1}`);
}

/** An event that was read when all had happened. */
function compareNow(reader: string, event: RoomEvent, ledger: Ledger, witness: Witness): void {
  if (event.type === 'chat') compareMessage(reader, event.id, event, ledger, witness);
  if (event.type === 'edit') compareEdit(reader, event, ledger, witness);
}

function compareEdit(reader: string, event: EditEvent, ledger: Ledger, witness: Witness): void {
  const [blank, gone] = [event.data === '', ledger.isDeleted(event.target)];
  if (gone && !blank)
    witness.accuse('undeleted', `${reader} has "${event.data}", of deleted ${event.target}`);
  const posting = witness.sent.get(cidOf(event))?.posting;
  if (!gone && (posting?.type !== 'edit' || posting.data !== event.data))
    witness.accuse('diverged', `${reader} has "${event.data}" for edit ${event.id}`);
}

function compareMessage(
  reader: string,
  id: number,
  message: ChatEvent | undefined,
  ledger: Ledger,
  witness: Witness,
): void {
  const end = ledger.end(id);
  const expected = end ? stateOf(end) : 'not there';
  const found = message ? stateOf(message) : 'not there';
  if (found === expected) return;
  const kind = end?.deleted !== undefined && message?.data ? 'undeleted' : 'diverged';
  witness.accuse(kind, `${reader} has ${id} as ${found}; by the log it is ${expected}`);
}

/** Whatever a message was told as, at any time, it was at some place of the log. */
export function compareTellings(ledger: Ledger, witness: Witness): void {
  for (const [id, { states }] of ledger.lives()) {
    const possible = new Set(states.map(stateOf));
    for (const told of witness.tellings.of(id))
      if (!possible.has(stateOf(told)))
        witness.accuse('diverged', `${id} was told as ${stateOf(told)}, which it never was`);
  }
  compareBlank(ledger, witness);
}

/** An edit loses its text with its message, never else. */
function compareBlank(ledger: Ledger, witness: Witness): void {
  for (const [edit, target] of witness.blank)
    if (!ledger.isDeleted(target))
      witness.accuse('diverged', `edit ${edit} was told without its text, and ${target} is not deleted`);
}
