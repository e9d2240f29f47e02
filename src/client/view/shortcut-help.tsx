/** The list of keyboard shortcuts. */
import { t } from '../i18n.js';
import type { PanelProps } from './dialog.js';

const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
const keyNames: Readonly<Record<string, string>> = isMac
  ? { Ctrl: '⌘', Alt: '⌥', Shift: '⇧', PageUp: 'Page Up', PageDown: 'Page Down' }
  : { PageUp: 'Page Up', PageDown: 'Page Down' };

/** What a shortcut does, and its alternatives; `+` joins keys that are pressed together. */
type Shortcut = readonly [description: string, ...keys: string[]];

export function Keys({ app }: PanelProps) {
  const text = t.value.keys;
  const single = app.settings.singleKeys.value;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="keys scroll" tabIndex={0} aria-label={text.title}>
      <ShortcutList title={text.anywhere} shortcuts={generalShortcuts(single)} />
      <ShortcutList title={text.writing} shortcuts={composerShortcuts()} />
      <ShortcutList
        title={text.reading}
        shortcuts={[
          [text.scroll, '↑', '↓', 'PageUp', 'PageDown'],
          [text.ends, 'Home', 'End'],
          ...Object.entries(text.message).map(
            ([keys, description]): Shortcut => [description, ...keys.split(' ')],
          ),
        ]}
      />
    </section>
  );
}

function generalShortcuts(single: boolean): readonly Shortcut[] {
  const text = t.value.keys;
  return [
    [text.switch, 'Ctrl+K'],
    [text.search, ...(single ? ['/'] : []), 'Ctrl+Shift+F'],
    [text.help, ...(single ? ['?'] : []), 'Ctrl+/'],
    [text.adjacentRoom, 'Alt+↑', 'Alt+↓'],
    [text.unread, 'Alt+Shift+↑', 'Alt+Shift+↓'],
    [text.escape, 'Esc'],
    [text.nextSection, 'Tab'],
  ];
}

function composerShortcuts(): readonly Shortcut[] {
  const text = t.value.keys;
  return [
    [text.send, 'Enter'],
    [text.line, 'Shift+Enter'],
    [text.editLast, '↑'],
    [text.mention, '@'],
    [text.emoji, ':'],
    [text.bold, 'Ctrl+B', 'Ctrl+I'],
  ];
}

function ShortcutList({ title, shortcuts }: { title: string; shortcuts: readonly Shortcut[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {shortcuts.map(([description, ...keys]) => (
          <>
            <dt>{description}</dt>
            <dd>
              {keys.map((combination, n) => (
                <>
                  {n > 0 && ` ${t.value.keys.or} `}
                  {(combination === '+' ? ['+'] : combination.split('+')).map((key) => (
                    <kbd key={key}>{keyNames[key] ?? key}</kbd>
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
