/** The panels over the page. Each is loaded when it is used for the first time; its frame is there at once. */
import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Desk, DialogName } from '../desk.js';
import { checkVersion } from '../version.js';
import { words } from '../words.js';
import { Panel } from './dialog.js';

export interface PanelProps {
  readonly desk: Desk;
  readonly close: () => void;
}

type Part = FunctionComponent<PanelProps>;

const PARTS: Readonly<Record<DialogName, () => Promise<Part>>> = {
  search: async () => (await import('./search.js')).Search,
  mentions: async () => (await import('./mentions.js')).Mentions,
  switch: async () => (await import('./switch.js')).Switch,
  keys: async () => (await import('./keys.js')).Keys,
  settings: async () => (await import('./settings.js')).SettingsForm,
};

export function Panels({ desk }: { desk: Desk }) {
  const name = desk.dialog.value;
  if (name === undefined) return null;
  const close = () => {
    desk.dialog.value = undefined;
  };
  return (
    <Panel key={name} kind="panel" title={words.value[name].title} close={close}>
      <Loaded name={name} desk={desk} close={close} />
    </Panel>
  );
}

function Loaded({ name, ...props }: PanelProps & { name: DialogName }) {
  const part = useSignal<Part | 'loading' | 'failed'>('loading');
  const load = async () => {
    part.value = 'loading';
    try {
      const loaded = await PARTS[name]();
      part.value = loaded;
    } catch {
      part.value = 'failed'; // offline, or a deploy took the file away
      void checkVersion();
    }
  };
  useEffect(() => void load(), []);
  const Shown = part.value;
  if (typeof Shown === 'function') return <Shown {...props} />;
  const { loading, failed, again } = words.value.dialog;
  return (
    <p class="say" role="status">
      {Shown === 'loading' ? loading : failed}{' '}
      {Shown === 'failed' && (
        <button class="pill" type="button" onClick={() => void load()}>
          {again}
        </button>
      )}
    </p>
  );
}
