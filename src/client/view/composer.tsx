/**
 * Where one writes. Never disabled: what is said while nothing can be sent waits in the outbox. Enter sends,
 * Shift+Enter breaks the line, the Enter that ends an input method's composition does neither.
 */
import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import type { ComposerState } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { Completion, CompletionList, completionListId, optionId } from './completion.js';
import { type ComposerController, useComposerController } from './composer-controller.js';
import { pickEmoji } from './emoji-loader.js';
import { CloseIcon, EditIcon, EmojiIcon, ReplyIcon, SendIcon } from './icons.js';
import { handleComposerKey, insertText } from './keyboard.js';

interface ComposerProps {
  readonly place: RoomSession;
  /** for completion of people who are not here now */
  readonly desk: Pick<App, 'people'>;
}

export function Composer({ place, desk }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useSignal('');
  const completion = useMemo(
    () =>
      new Completion({
        peopleHere: () => place.room.people.peek().users,
        searchPeople: (query) => desk.people(query),
      }),
    [place, desk],
  );
  const pen = useComposerController(place, field, completion, hint);
  const w = t.value.composer;
  const mode = pen.state.mode.value;
  return (
    <form
      class={`composer ${mode.kind}`}
      onSubmit={(event) => {
        event.preventDefault();
        pen.send();
      }}
    >
      <ModeLine composer={pen.state} onCancel={() => pen.cancel()} onShow={(id) => void place.goTo(id)} />
      <CompletionList completion={completion} field={() => field.current} />
      <Field place={place} pen={pen} completion={completion} field={field} />
      <button class="send" type="submit" aria-label={mode.kind === 'edit' ? w.save : w.send}>
        <SendIcon />
      </button>
      <p class="hint" role="alert">
        {hint}
      </p>
    </form>
  );
}

interface FieldProps {
  readonly place: RoomSession;
  readonly pen: ComposerController;
  readonly completion: Completion;
  readonly field: { current: HTMLTextAreaElement | null };
}

function Field({ place, pen, completion, field }: FieldProps) {
  const w = t.value.composer;
  const open = completion.open;
  const pick = async (opener: Element) => {
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined && field.current) insertText(field.current, emoji);
    field.current?.focus();
  };
  return (
    <div class="field">
      <textarea
        ref={field}
        rows={1}
        name="text"
        aria-label={w.label}
        placeholder={w.placeholder(place.name)}
        aria-autocomplete="list"
        aria-controls={open ? completionListId : undefined}
        aria-activedescendant={open ? optionId(completion.selected.value) : undefined}
        autocomplete="off"
        enterkeyhint="send"
        dir="auto"
        onInput={() => pen.onInput()}
        onKeyDown={(event) => handleComposerKey(event, pen, completion)}
        onSelect={() => pen.onCaretMove()}
        onBlur={() => completion.close()}
      />
      <button
        class="tool"
        type="button"
        aria-label={w.emoji}
        aria-haspopup="dialog"
        title={w.emoji}
        onClick={({ currentTarget }) => void pick(currentTarget)}
      >
        <EmojiIcon />
      </button>
    </div>
  );
}

/** What the field is writing when it is not simply something new: an answer, or another text for a message. */

interface ModeLineProps {
  readonly composer: ComposerState;
  readonly onCancel: () => void;
  readonly onShow: (id: number) => void;
}

export function ModeLine({ composer: writing, onCancel: leave, onShow: show }: ModeLineProps) {
  const { editing, replying, cancel: label } = t.value.composer;
  const edits = writing.mode.value.kind === 'edit';
  const message = writing.subject.value;
  if (!message) return null;
  const { id, user, data, deleted } = message;
  return (
    <div class="mode">
      {edits ? <EditIcon /> : <ReplyIcon />}
      <button class="what" type="button" onClick={() => show(id)}>
        <span>{edits ? editing(id) : replying(user.name, id)}</span>{' '}
        <bdi>{deleted === undefined ? data.slice(0, 200) : t.value.message.deleted}</bdi>
      </button>
      <button class="tool" type="button" aria-label={label} title={label} onClick={leave}>
        <CloseIcon />
      </button>
    </div>
  );
}
