/** What a person sets for this browser. Each choice holds at once; there is nothing to confirm. */
import type { Signal } from '@preact/signals';
import type { Desk } from '../desk.js';
import { NOTIFIES, type Notify, THEMES } from '../state/settings.js';
import { browserLanguage, languages, words } from '../words.js';
import type { PanelProps } from './panels.js';

export function SettingsForm({ desk }: PanelProps) {
  const text = words.value.settings;
  const { settings } = desk;
  const notify: Readonly<Record<Notify, string>> = {
    mentions: text.mentions,
    all: text.all,
    none: text.none,
  };
  return (
    <form class="settings scroll" onSubmit={(event) => event.preventDefault()}>
      <section>
        <h3>{text.look}</h3>
        <Choice name={text.theme} values={THEMES} setting={settings.theme} texts={text} />
        <LanguageChoice desk={desk} />
      </section>
      <section>
        <h3>{text.attention}</h3>
        <Permit desk={desk} />
        <Choice name={text.notify} values={NOTIFIES} setting={settings.notify} texts={notify} />
        <HereChoice desk={desk} texts={notify} />
        <Switched name={text.sound} setting={settings.sound} />
        <Switched name={text.quiet} setting={settings.doNotDisturb} how={text.quietHow} />
      </section>
      <section>
        <h3>{text.keyboard}</h3>
        <Switched name={text.singleKeys} setting={settings.singleKeys} how={text.singleKeysHow} />
      </section>
    </form>
  );
}

interface ChoiceProps<T extends string> {
  readonly name: string;
  readonly values: readonly T[];
  readonly setting: Signal<T>;
  readonly texts: Readonly<Record<T, string>>;
}

function Choice<T extends string>({ name, values, setting, texts }: ChoiceProps<T>) {
  return (
    <fieldset class="row">
      <legend class="unseen">{name}</legend>
      <span aria-hidden="true">{name}</span>
      <span class="choice">
        {values.map((value) => (
          <label key={value}>
            <input
              type="radio"
              name={name}
              checked={setting.value === value}
              onChange={() => {
                setting.value = value;
              }}
            />
            <span>{texts[value]}</span>
          </label>
        ))}
      </span>
    </fieldset>
  );
}

function LanguageChoice({ desk }: { desk: Desk }) {
  const { language } = desk.settings;
  const { language: label, asBrowser } = words.value.settings;
  return (
    <label class="row">
      {label}
      <select
        value={language.value}
        onChange={(event) => {
          language.value = event.currentTarget.value;
        }}
      >
        <option value="system">{asBrowser(browserLanguage().name)}</option>
        {languages.map(({ tag, name }) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The rule of the room in view, which may differ. */
function HereChoice({ desk, texts }: { desk: Desk; texts: Readonly<Record<Notify, string>> }) {
  const { settings } = desk;
  const { inRoom, asElsewhere } = words.value.settings;
  const { name } = desk.here.value;
  return (
    <label class="row">
      {inRoom(name)}
      <select
        value={settings.rooms.value.get(name) ?? ''}
        onChange={(event) => {
          const chosen = NOTIFIES.find((one) => one === event.currentTarget.value);
          settings.setNotifyIn(name, chosen);
        }}
      >
        <option value="">{asElsewhere}</option>
        {NOTIFIES.map((one) => (
          <option key={one} value={one}>
            {texts[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

function Switched({ name, setting, how }: { name: string; setting: Signal<boolean>; how?: string }) {
  return (
    <label class="row">
      {name}
      <input
        class="switch"
        type="checkbox"
        role="switch"
        aria-checked={setting.value}
        checked={setting.value}
        onChange={(event) => {
          setting.value = event.currentTarget.checked;
        }}
      />
      {how && <p>{how}</p>}
    </label>
  );
}

/** What the browser allows, and the way to ask it. */
function Permit({ desk }: { desk: Desk }) {
  const { allowed, ask, notAsked, denied, impossible } = words.value.settings;
  const now = desk.attention.permission.value;
  const state = { granted: allowed, default: notAsked, denied, never: impossible }[now];
  return (
    <div class="row">
      <p role="status">{state}</p>
      {now === 'default' && (
        <button class="plain" type="button" onClick={() => void desk.attention.ask()}>
          {ask}
        </button>
      )}
    </div>
  );
}
