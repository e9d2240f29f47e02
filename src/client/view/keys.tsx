/** The sheet of keys: all that the keyboard does here. */
import { words } from '../words.js';
import type { PanelProps } from './panels.js';

const MAC = /Mac|iP(hone|ad)/.test(navigator.platform);
const CONTROL = MAC ? '⌘' : 'Ctrl';
const ALT = MAC ? '⌥' : 'Alt';
const SHIFT = MAC ? '⇧' : 'Shift';

/** Keys that are pressed together; several such where there is a choice. */
type Keys = readonly (readonly string[])[];

export function Keys({ desk }: PanelProps) {
  const single = desk.settings.singleKeys.value;
  const text = words.value.keys;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="keys scroll" tabIndex={0} aria-label={text.title}>
      <List
        title={text.anywhere}
        rows={[
          [text.switch, [[CONTROL, 'K']]],
          [text.search, [...(single ? [['/']] : []), [CONTROL, SHIFT, 'F']]],
          [text.sheet, [...(single ? [['?']] : []), [CONTROL, '/']]],
          [
            text.neighbour,
            [
              [ALT, '↑'],
              [ALT, '↓'],
            ],
          ],
          [
            text.unread,
            [
              [ALT, SHIFT, '↑'],
              [ALT, SHIFT, '↓'],
            ],
          ],
          [text.escape, [['Esc']]],
          [text.next, [['Tab']]],
        ]}
      />
      <List
        title={text.writing}
        rows={[
          [text.send, [['Enter']]],
          [text.line, [[SHIFT, 'Enter']]],
          [text.editLast, [['↑']]],
          [text.mention, [['@']]],
          [text.emoji, [[':']]],
          [
            text.bold,
            [
              [CONTROL, 'B'],
              [CONTROL, 'I'],
            ],
          ],
        ]}
      />
      <List
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

function List({ title, rows }: { title: string; rows: readonly (readonly [string, Keys])[] }) {
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
                  {n > 0 && ` ${words.value.keys.or} `}
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
