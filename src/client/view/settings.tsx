/** The settings. Each change applies at once. */
import type { Signal } from '@preact/signals';
import type { App } from '../app.js';
import { browserLanguage, languages, t } from '../i18n.js';
import { type NotifyLevel, notifyLevels, themes } from '../settings.js';
import type { PanelProps } from './dialog.js';

export function SettingsForm({ app }: PanelProps) {
  const text = t.value.settings;
  const { settings } = app;
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
        <LanguageChoice app={app} />
        <ToggleSwitch
          name={text.showNumbers}
          setting={settings.showNumbers}
          description={text.showNumbersHow}
        />
      </section>
      <section>
        <h3>{text.notifications}</h3>
        <PermissionRow app={app} />
        <RadioChoice name={text.notify} values={notifyLevels} setting={settings.notify} texts={notify} />
        <RoomNotifyChoice app={app} texts={notify} />
        <ToggleSwitch name={text.sound} setting={settings.sound} />
        <ToggleSwitch
          name={text.doNotDisturb}
          setting={settings.doNotDisturb}
          description={text.doNotDisturbHow}
        />
      </section>
      <section>
        <h3>{text.keyboard}</h3>
        <ToggleSwitch name={text.singleKeys} setting={settings.singleKeys} description={text.singleKeysHow} />
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
      <legend class="visually-hidden">{name}</legend>
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

function LanguageChoice({ app }: { app: App }) {
  const { language } = app.settings;
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

/** The current room's own level. */
function RoomNotifyChoice({ app, texts }: { app: App; texts: Readonly<Record<NotifyLevel, string>> }) {
  const { settings } = app;
  const { inRoom, sameAsOthers } = t.value.settings;
  const { name } = app.session.value;
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

function ToggleSwitch({
  name,
  setting,
  description,
}: {
  name: string;
  setting: Signal<boolean>;
  description?: string;
}) {
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
      {description && <p>{description}</p>}
    </label>
  );
}

function PermissionRow({ app }: { app: App }) {
  const { allowed, ask, notAsked, denied, unsupported } = t.value.settings;
  const now = app.notifications.permission.value;
  const state = { granted: allowed, default: notAsked, denied, never: unsupported }[now];
  return (
    <div class="row">
      <p role="status">{state}</p>
      {now === 'default' && (
        <button class="plain" type="button" onClick={() => void app.notifications.requestPermission()}>
          {ask}
        </button>
      )}
    </div>
  );
}
