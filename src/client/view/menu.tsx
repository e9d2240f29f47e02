/** The menu under the picture of oneself: by the browser's own popover, which Esc and a click beside it close. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { App, DialogName } from '../app.js';
import { t } from '../i18n.js';
import { AtIcon, KeysIcon, LeaveIcon, MoreIcon, SettingsIcon } from './icons.js';
import { Avatar } from './people.js';

export function Menu({ desk }: { desk: App }) {
  const box = useRef<HTMLDivElement>(null);
  const me = desk.me.value;
  const { header, keys, settings } = t.value;
  const show = (panel: DialogName) => () => {
    box.current?.hidePopover(); // gives the focus back to the button, where the panel will give it back to
    desk.dialog.value = panel;
  };
  return (
    <>
      <button class="quiet" type="button" popovertarget="menu" aria-label={header.menu} title={header.menu}>
        {me ? <Avatar user={me} /> : <MoreIcon />}
      </button>
      <div class="menu" id="menu" popover="auto" ref={box}>
        {me && <p class="who">{header.signedIn(me.name)}</p>}
        <MenuItem act={show('mentions')} icon={<AtIcon />} text={header.mentions} />
        <MenuItem act={show('settings')} icon={<SettingsIcon />} text={settings.title} />
        <MenuItem act={show('keys')} icon={<KeysIcon />} text={keys.title} hint="?" />
        <SignOut desk={desk} />
      </div>
    </>
  );
}

interface MenuItemProps {
  readonly act: () => void;
  readonly icon: ComponentChildren;
  readonly text: string;
  readonly hint?: string;
}

function MenuItem({ act, icon, text, hint }: MenuItemProps) {
  return (
    <button class="quiet" type="button" onClick={act}>
      {icon}
      {text}
      {hint && (
        <span class="key" aria-hidden="true">
          {hint}
        </span>
      )}
    </button>
  );
}

/** Leaving drops what was not sent, in any room, for nobody could send it later: so it asks first if there is anything. */
function SignOut({ desk }: { desk: App }) {
  /** how many it has asked about */
  const asked = useSignal(0);
  const { signOut, discardAndSignOut } = t.value.header;
  const leave = async () => {
    const unsent = await desk.countUnsent();
    if (unsent > asked.value) asked.value = unsent;
    else await desk.signOut();
  };
  return (
    <button
      class={asked.value > 0 ? 'quiet sure' : 'quiet'}
      type="button"
      onClick={() => void leave()}
      onBlur={() => {
        asked.value = 0;
      }}
    >
      <LeaveIcon />
      {asked.value > 0 ? discardAndSignOut(asked.value) : signOut}
    </button>
  );
}
