/**
 * The composer. It is never disabled, because the outbox takes messages at any time. Enter sends, Shift+Enter
 * adds a line.
 */

import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { isGone } from '../../shared/reducer.js';
import { excerpt } from '../../shared/text.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import type { ComposerState } from '../room/composer.js';
import type { RoomSession } from '../room/session.js';
import { parseMessage, plainText } from '../text/markdown.js';
import { Completion, CompletionList, completionListId, optionId } from './completion.js';
import { type ComposerController, useComposerController } from './composer-controller.js';
import { pickEmoji } from './emoji-loader.js';
import { CloseIcon, EditIcon, EmojiIcon, IconButton, ReplyIcon, SendIcon } from './icons.js';
import { handleComposerKey, insertText } from './keyboard.js';

interface ComposerProps {
  readonly session: RoomSession;
  /** completes absent users */
  readonly app: Pick<App, 'people'>;
}

export function Composer({ session, app }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useSignal('');
  const completion = useMemo(
    () =>
      new Completion({
        peopleHere: () => session.room.people.peek().users,
        searchPeople: (query) => app.people(query),
      }),
    [session, app],
  );
  const controller = useComposerController({ session, field, completion, hint });
  const labels = t.value.composer;
  const kind = controller.state.kind.value;
  return (
    <form
      class={`composer ${kind}`}
      onSubmit={(event) => {
        event.preventDefault();
        controller.send();
      }}
    >
      <ModeLine
        composer={controller.state}
        onCancel={() => controller.cancel()}
        onShow={(id) => void session.goTo(id)}
      />
      <CompletionList completion={completion} field={() => field.current} />
      <Field session={session} controller={controller} completion={completion} field={field} />
      <button class="send" type="submit" aria-label={kind === 'edit' ? labels.save : labels.send}>
        <SendIcon />
      </button>
      <p class="hint" role="alert">
        {hint}
      </p>
    </form>
  );
}

interface FieldProps {
  readonly session: RoomSession;
  readonly controller: ComposerController;
  readonly completion: Completion;
  readonly field: { current: HTMLTextAreaElement | null };
}

function Field({ session, controller, completion, field }: FieldProps) {
  const labels = t.value.composer;
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
        aria-label={labels.label}
        placeholder={labels.placeholder(session.name)}
        aria-autocomplete="list"
        aria-controls={open ? completionListId : undefined}
        aria-activedescendant={open ? optionId(completion.selected.value) : undefined}
        autocomplete="off"
        enterkeyhint="send"
        dir="auto"
        onInput={() => controller.onInput()}
        onKeyDown={(event) => handleComposerKey(event, controller, completion)}
        onSelect={() => controller.onCaretMove()}
        onBlur={() => completion.close()}
      />
      <IconButton
        label={labels.emoji}
        aria-haspopup="dialog"
        onClick={({ currentTarget }) => void pick(currentTarget)}
      >
        <EmojiIcon />
      </IconButton>
    </div>
  );
}

interface ModeLineProps {
  readonly composer: ComposerState;
  readonly onCancel: () => void;
  readonly onShow: (id: number) => void;
}

const maxTargetChars = 200;

/** Shows which message is edited or replied to. */
function ModeLine({ composer: state, onCancel, onShow }: ModeLineProps) {
  const { editing, replying, cancel: cancelLabel } = t.value.composer;
  const isEdit = state.kind.value === 'edit';
  const message = state.target.value;
  if (!message) return null;
  const { id, user } = message;
  const text = isGone(message)
    ? t.value.message.deleted
    : excerpt(plainText(parseMessage(message)), maxTargetChars);
  return (
    <div class="mode">
      {isEdit ? <EditIcon /> : <ReplyIcon />}
      <button class="target" type="button" onClick={() => onShow(id)}>
        <span>{isEdit ? editing(id) : replying(user.name, id)}</span> <bdi>{text}</bdi>
      </button>
      <IconButton label={cancelLabel} onClick={onCancel}>
        <CloseIcon />
      </IconButton>
    </div>
  );
}
