/** What the field is writing when it is not simply something new: an answer, or another text for a message. */
import type { Mode } from '../state/writing.js';
import { words } from '../words.js';
import { EditIcon, ReplyIcon } from './glyphs.js';
import { CloseIcon } from './icons.js';

export function ModeLine({
  mode,
  leave,
  show,
}: {
  mode: Mode;
  leave: () => void;
  show: (id: number) => void;
}) {
  const { editing, answering, leave: label } = words.value.composer;
  if (mode.kind === 'new') return null;
  const message = mode.kind === 'edit' ? mode.of : mode.to;
  const text = mode.kind === 'edit' ? editing(message.id) : answering(message.user.name, message.id);
  return (
    <div class="mode">
      {mode.kind === 'edit' ? <EditIcon /> : <ReplyIcon />}
      <button class="what" type="button" onClick={() => show(message.id)}>
        <span>{text}</span> <bdi>{message.data.slice(0, 200)}</bdi>
      </button>
      <button class="tool" type="button" aria-label={label} title={label} onClick={leave}>
        <CloseIcon />
      </button>
    </div>
  );
}
