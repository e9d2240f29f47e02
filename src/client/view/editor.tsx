/** What the field is writing when it is not simply something new: an answer, or another text for a message. */
import type { Writing } from '../state/writing.js';
import { words } from '../words.js';
import { EditIcon, ReplyIcon } from './glyphs.js';
import { CloseIcon } from './icons.js';

interface ModeLineProps {
  readonly writing: Writing;
  readonly leave: () => void;
  readonly show: (id: number) => void;
}

export function ModeLine({ writing, leave, show }: ModeLineProps) {
  const { editing, answering, leave: label } = words.value.composer;
  const edits = writing.mode.value.kind === 'edit';
  const message = writing.about.value;
  if (!message) return null;
  const { id, user, data, deleted } = message;
  return (
    <div class="mode">
      {edits ? <EditIcon /> : <ReplyIcon />}
      <button class="what" type="button" onClick={() => show(id)}>
        <span>{edits ? editing(id) : answering(user.name, id)}</span>{' '}
        <bdi>{deleted === undefined ? data.slice(0, 200) : words.value.message.deleted}</bdi>
      </button>
      <button class="tool" type="button" aria-label={label} title={label} onClick={leave}>
        <CloseIcon />
      </button>
    </div>
  );
}
