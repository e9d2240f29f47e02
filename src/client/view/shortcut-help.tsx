/** The list of keyboard shortcuts. */
import { t } from '../i18n.js';
import type { PanelProps } from './dialog.js';

const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
const controlKey = isMac ? '⌘' : 'Ctrl';
const altKey = isMac ? '⌥' : 'Alt';
const shiftKey = isMac ? '⇧' : 'Shift';

/** Alternatives, each of keys pressed together. */
type Keys = readonly (readonly string[])[];

export function Keys({ app }: PanelProps) {
  const hasSingleKeys = app.settings.singleKeys.value;
  const text = t.value.keys;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="keys scroll" tabIndex={0} aria-label={text.title}>
      <ShortcutList
        title={text.anywhere}
        rows={[
          [text.switch, [[controlKey, 'K']]],
          [text.search, [...(hasSingleKeys ? [['/']] : []), [controlKey, shiftKey, 'F']]],
          [text.help, [...(hasSingleKeys ? [['?']] : []), [controlKey, '/']]],
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
            ([key, description]) => [description, key.split(' ').map((one) => [one])] as const,
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
        {rows.map(([description, keys]) => (
          <>
            <dt>{description}</dt>
            <dd>
              {keys.map((combination, n) => (
                <>
                  {n > 0 && ` ${t.value.keys.or} `}
                  {combination.map((key) => (
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
