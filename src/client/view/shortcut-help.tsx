/** The sheet of keys: all that the keyboard does here. */
import { t } from '../i18n.js';
import type { PanelProps } from './dialog.js';

const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
const controlKey = isMac ? '⌘' : 'Ctrl';
const altKey = isMac ? '⌥' : 'Alt';
const shiftKey = isMac ? '⇧' : 'Shift';

/** Keys that are pressed together; several such where there is a choice. */
type Keys = readonly (readonly string[])[];

export function Keys({ desk }: PanelProps) {
  const single = desk.settings.singleKeys.value;
  const text = t.value.keys;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="keys scroll" tabIndex={0} aria-label={text.title}>
      <ShortcutList
        title={text.anywhere}
        rows={[
          [text.switch, [[controlKey, 'K']]],
          [text.search, [...(single ? [['/']] : []), [controlKey, shiftKey, 'F']]],
          [text.help, [...(single ? [['?']] : []), [controlKey, '/']]],
          [
            text.adjacentRoom,
            [
              [altKey, '↑'],
              [altKey, '↓'],
            ],
          ],
          [
            text.unread,
            [
              [altKey, shiftKey, '↑'],
              [altKey, shiftKey, '↓'],
            ],
          ],
          [text.escape, [['Esc']]],
          [text.nextSection, [['Tab']]],
        ]}
      />
      <ShortcutList
        title={text.writing}
        rows={[
          [text.send, [['Enter']]],
          [text.line, [[shiftKey, 'Enter']]],
          [text.editLast, [['↑']]],
          [text.mention, [['@']]],
          [text.emoji, [[':']]],
          [
            text.bold,
            [
              [controlKey, 'B'],
              [controlKey, 'I'],
            ],
          ],
        ]}
      />
      <ShortcutList
        title={text.reading}
        rows={[
          [text.scroll, [['↑'], ['↓'], ['Page Up'], ['Page Down']]],
          [text.ends, [['Home'], ['End']]],
          ...Object.entries(text.message).map(
            ([key, what]) => [what, key.split(' ').map((one) => [one])] as const,
          ),
        ]}
      />
    </section>
  );
}

function ShortcutList({ title, rows }: { title: string; rows: readonly (readonly [string, Keys])[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {rows.map(([what, keys]) => (
          <>
            <dt>{what}</dt>
            <dd>
              {keys.map((together, n) => (
                <>
                  {n > 0 && ` ${t.value.keys.or} `}
                  {together.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </>
              ))}
            </dd>
          </>
        ))}
      </dl>
    </section>
  );
}
