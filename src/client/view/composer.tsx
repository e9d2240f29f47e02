/**
 * Where one writes. Never disabled: what is said while nothing can be sent waits in the outbox. Enter sends,
 * Shift+Enter breaks the line, the Enter that ends an input method's composition does neither.
 */
import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { Desk } from '../desk.js';
import type { Place } from '../place.js';
import { words } from '../words.js';
import { Choices, Completion, LIST_ID, optionId } from './completion.js';
import { ModeLine } from './editor.js';
import { pickEmoji } from './emoji.js';
import { insert } from './field.js';
import { EmojiIcon } from './glyphs.js';
import { SendIcon } from './icons.js';
import { type Pen, usePen } from './pen.js';
import { keysOf } from './strokes.js';

interface ComposerProps {
  readonly place: Place;
  /** for completion of people who are not here now */
  readonly desk: Pick<Desk, 'people'>;
}

export function Composer({ place, desk }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useSignal('');
  const completion = useMemo(
    () =>
      new Completion({ here: () => place.room.people.peek().users, people: (query) => desk.people(query) }),
    [place, desk],
  );
  const pen = usePen(place, field, completion, hint);
  const w = words.value.composer;
  const mode = pen.writing.mode.value;
  return (
    <form
      class={`composer ${mode.kind}`}
      onSubmit={(event) => {
        event.preventDefault();
        pen.send();
      }}
    >
      <ModeLine writing={pen.writing} leave={() => pen.leave()} show={(id) => void place.goTo(id)} />
      <Choices completion={completion} field={() => field.current} />
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
  readonly place: Place;
  readonly pen: Pen;
  readonly completion: Completion;
  readonly field: { current: HTMLTextAreaElement | null };
}

function Field({ place, pen, completion, field }: FieldProps) {
  const w = words.value.composer;
  const open = completion.open;
  const pick = async (opener: Element) => {
    const emoji = await pickEmoji(opener);
    if (emoji !== undefined && field.current) insert(field.current, emoji);
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
        aria-controls={open ? LIST_ID : undefined}
        aria-activedescendant={open ? optionId(completion.at.value) : undefined}
        autocomplete="off"
        enterkeyhint="send"
        dir="auto"
        onInput={() => pen.changed()}
        onKeyDown={(event) => keysOf(event, pen, completion)}
        onSelect={() => pen.caretMoved()}
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
