/** What a person sets for this browser. Each choice holds at once; there is nothing to confirm. */
import type { Signal } from '@preact/signals';
import type { App } from '../app.js';
import { browserLanguage, languages, t } from '../i18n.js';
import { type NotifyLevel, notifyLevels, themes } from '../settings.js';
import type { PanelProps } from './dialog.js';

export function SettingsForm({ desk }: PanelProps) {
  const text = t.value.settings;
  const { settings } = desk;
  const notify: Readonly<Record<NotifyLevel, string>> = {
    mentions: text.mentions,
    all: text.all,
    none: text.none,
  };
  return (
    <form class="settings scroll" onSubmit={(event) => event.preventDefault()}>
      <section>
        <h3>{text.appearance}</h3>
        <RadioChoice name={text.theme} values={themes} setting={settings.theme} texts={text} />
        <LanguageChoice desk={desk} />
      </section>
      <section>
        <h3>{text.notifications}</h3>
        <PermissionRow desk={desk} />
        <RadioChoice name={text.notify} values={notifyLevels} setting={settings.notify} texts={notify} />
        <RoomNotifyChoice desk={desk} texts={notify} />
        <ToggleSwitch name={text.sound} setting={settings.sound} />
        <ToggleSwitch name={text.doNotDisturb} setting={settings.doNotDisturb} how={text.doNotDisturbHow} />
      </section>
      <section>
        <h3>{text.keyboard}</h3>
        <ToggleSwitch name={text.singleKeys} setting={settings.singleKeys} how={text.singleKeysHow} />
      </section>
    </form>
  );
}

interface RadioChoiceProps<T extends string> {
  readonly name: string;
  readonly values: readonly T[];
  readonly setting: Signal<T>;
  readonly texts: Readonly<Record<T, string>>;
}

function RadioChoice<T extends string>({ name, values, setting, texts }: RadioChoiceProps<T>) {
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

function LanguageChoice({ desk }: { desk: App }) {
  const { language } = desk.settings;
  const { language: label, asBrowser } = t.value.settings;
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
function RoomNotifyChoice({ desk, texts }: { desk: App; texts: Readonly<Record<NotifyLevel, string>> }) {
  const { settings } = desk;
  const { inRoom, sameAsOthers } = t.value.settings;
  const { name } = desk.session.value;
  return (
    <label class="row">
      {inRoom(name)}
      <select
        value={settings.roomRules.value.get(name) ?? ''}
        onChange={(event) => {
          const chosen = notifyLevels.find((one) => one === event.currentTarget.value);
          settings.setNotifyLevelIn(name, chosen);
        }}
      >
        <option value="">{sameAsOthers}</option>
        {notifyLevels.map((one) => (
          <option key={one} value={one}>
            {texts[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

function ToggleSwitch({ name, setting, how }: { name: string; setting: Signal<boolean>; how?: string }) {
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
function PermissionRow({ desk }: { desk: App }) {
  const { allowed, ask, notAsked, denied, unsupported } = t.value.settings;
  const now = desk.notifications.permission.value;
  const state = { granted: allowed, default: notAsked, denied, never: unsupported }[now];
  return (
    <div class="row">
      <p role="status">{state}</p>
      {now === 'default' && (
        <button class="plain" type="button" onClick={() => void desk.notifications.requestPermission()}>
          {ask}
        </button>
      )}
    </div>
  );
}
