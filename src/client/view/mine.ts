/** The message that the Up-arrow in an empty field means. */
import type { ChatEvent } from '../../shared/protocol.js';
import type { Place } from '../place.js';

export function lastOfMine({ room }: Place): ChatEvent | undefined {
  const me = room.me.peek()?.id;
  return room.transcript
    .peek()
    .events.findLast(
      (event): event is ChatEvent =>
        event.type === 'chat' && event.user.id === me && event.deleted === undefined,
    );
}
