/**
 * Where one writes. Never disabled: what is said while nothing can be sent waits in the outbox. Enter sends,
 * Shift+Enter breaks the line, the Enter that ends an input method's composition does neither.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { parseText } from '../../parse.js';
import { LIMITS } from '../../protocol.js';
import type { Place } from '../place.js';
import { SendIcon } from './icons.js';

/** From here on it is said how much room is left. */
const WARN_AT = LIMITS.text - 500;

export function Composer({ place }: { place: Place }) {
  const { field, hint, changed, send } = useWriting(place);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="field">
        <textarea
          ref={field}
          rows={1}
          name="text"
          aria-label="Message"
          placeholder="Write a message"
          autocomplete="off"
          enterkeyhint="send"
          dir="auto"
          onInput={(event) => changed(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (!isSend(event)) return;
            event.preventDefault();
            send();
          }}
        />
      </div>
      <button class="send" type="submit" aria-label="Send">
        <SendIcon />
      </button>
      <p class="hint" role="alert">
        {hint}
      </p>
    </form>
  );
}

/** The field keeps its own text: a busy room redraws nothing of what is being written. */
function useWriting(place: Place) {
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useSignal('');
  const changed = (text: string) => {
    // The mirror behind the field takes the text and makes it as tall as it needs (chat.css).
    if (field.current?.parentElement) field.current.parentElement.dataset['mirror'] = text;
    place.draft.keep(text);
    hint.value = text.length > WARN_AT ? roomLeft([...text].length) : '';
  };
  const write = (text: string) => {
    if (field.current) field.current.value = text;
    changed(text);
  };
  const send = () => {
    const text = parseText(field.current?.value ?? '');
    if (text.ok) {
      place.say(text.value);
      write('');
    } else if (text.problem.code !== 'empty_text') hint.value = text.problem.message;
    field.current?.focus();
  };
  useEffect(() => write(place.draft.read()), [place]);
  return { field, hint, changed, send };
}

function roomLeft(length: number): string {
  const left = LIMITS.text - length;
  if (left > LIMITS.text - WARN_AT) return '';
  return left < 0 ? `${-left} characters too many` : `${left} characters left`;
}

/** 229: Safari reports the Enter that ends a composition after `compositionend`, with this key code only. */
function isSend(event: KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}
