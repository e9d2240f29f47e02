/** The settings. Each change applies at once. */
import { type Signal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Answer, OneTimeLink } from '../api.js';
import type { App } from '../app.js';
import { browserLanguage, languages, t } from '../i18n.js';
import { type NotifyLevel, notifyLevels, themes } from '../settings.js';
import type { PanelProps } from './dialog.js';
import { LinkWithCode } from './invitation.js';

export function SettingsForm({ app }: PanelProps) {
  const text = t.value.settings;
  const { settings } = app;
  return (
    <div class="settings scroll">
      <section>
        <h3>{text.you}</h3>
        <NameForm app={app} />
        <DeviceLink app={app} />
      </section>
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
      <NotificationSettings app={app} />
      <section>
        <h3>{text.keyboard}</h3>
        <ToggleSwitch name={text.singleKeys} setting={settings.singleKeys} description={text.singleKeysHow} />
      </section>
      <section>
        <h3>{text.connection}</h3>
        <Transport app={app} />
      </section>
    </div>
  );
}

function Transport({ app }: { app: App }) {
  const { transports, notConnected } = t.value.settings;
  const state = app.session.value.connection.state.value;
  return (
    <div class="row">
      <p>{state.state === 'live' ? transports[state.transport] : notConnected}</p>
    </div>
  );
}

function NotificationSettings({ app }: { app: App }) {
  const text = t.value.settings;
  const { settings } = app;
  const { mentions, all, none } = text;
  const notify: Readonly<Record<NotifyLevel, string>> = { mentions, all, none };
  return (
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
  );
}

/** `undefined`: unchanged; `saved`, or the code of an error. */
type NameState = 'saved' | 'saving' | { readonly code: string } | undefined;

function NameForm({ app }: { app: App }) {
  const field = useRef<HTMLInputElement>(null);
  const state = useSignal<NameState>(undefined);
  const { name, nameHow, save, saved } = t.value.settings;
  const problems: Readonly<Record<string, string>> = t.value.problems;
  const { value } = state;
  const submit = async (event: Event) => {
    event.preventDefault();
    state.value = 'saving';
    const code = await app.rename(field.current?.value ?? '');
    state.value = code === undefined ? 'saved' : { code };
  };
  return (
    <form class="row" onSubmit={(event) => void submit(event)}>
      <label class="named">
        {name}
        <input
          ref={field}
          type="text"
          required
          autocomplete="off"
          defaultValue={app.me.value?.name ?? ''}
          onInput={() => {
            state.value = undefined;
          }}
        />
      </label>
      <button class="plain" type="submit" disabled={value === 'saving'} children={save} />
      {typeof value === 'object' ? (
        <p class="caution" role="alert" children={problems[value.code] ?? problems['unknown']} />
      ) : (
        <p role="status" children={value === 'saved' ? saved : nameHow} />
      )}
    </form>
  );
}

function DeviceLink({ app }: { app: App }) {
  const link = useSignal<Answer<OneTimeLink> | undefined>(undefined);
  const { device, deviceHow, deviceCreate, deviceNote } = t.value.settings;
  const problems: Readonly<Record<string, string>> = t.value.problems;
  const creating = useSignal(false);
  const create = async () => {
    if (creating.peek()) return; // a second link would end the first one
    creating.value = true;
    link.value = await app.createLink();
    creating.value = false;
  };
  const { value } = link;
  return (
    <div class="row">
      {device}
      <button class="plain" type="button" onClick={() => void create()} children={deviceCreate} />
      {value?.ok ? (
        <div class="device-link" role="status">
          <p>{deviceNote}</p>
          <LinkWithCode url={value.value.url} />
        </div>
      ) : (
        <p class={value ? 'caution' : undefined} role={value ? 'alert' : undefined}>
          {value ? (problems[value.code] ?? problems['unknown']) : deviceHow}
        </p>
      )}
    </div>
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
