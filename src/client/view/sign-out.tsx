/** Asks before signing out, because it ends what only this browser proves: who the user is. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n.js';
import { publicPath } from '../site.js';
import type { PanelProps } from './dialog.js';
import { LinkWithCode } from './invitation.js';

/** `link`: signed out, with a link to come back. */
type State =
  | { readonly kind: 'asking' | 'working' | 'failed' }
  | { readonly kind: 'link'; readonly url: string };

export function SignOut({ app, close }: PanelProps) {
  const state = useSignal<State>({ kind: 'asking' });
  const unsent = useSignal<number | undefined>(undefined);
  useEffect(() => {
    void app.countUnsent().then((count) => {
      unsent.value = count;
    });
  }, []);
  const name = app.me.value?.name ?? '';
  const signOut = async (wantsLink: boolean) => {
    state.value = { kind: 'working' };
    const answer = await app.signOut(wantsLink);
    if (!answer.ok) state.value = { kind: 'failed' };
    else if (answer.value) state.value = { kind: 'link', url: answer.value.url };
  };
  const { lead, discards, failed } = t.value.signOut;
  const { kind } = state.value;
  // A line that came later would move the buttons under the pointer.
  if (unsent.value === undefined)
    return <p class="status-text" role="status" children={t.value.dialog.loading} />;
  if (state.value.kind === 'link') return <ReturnLink url={state.value.url} name={name} />;
  return (
    <div class="body sign-out">
      <p>{lead(name)}</p>
      {unsent.value > 0 && <p class="caution">{discards(unsent.value)}</p>}
      {kind === 'failed' && <p class="caution" role="alert" children={failed} />}
      <Choices isBusy={kind === 'working'} close={close} signOut={(wantsLink) => void signOut(wantsLink)} />
    </div>
  );
}

interface ChoicesProps {
  readonly isBusy: boolean;
  readonly close: () => void;
  readonly signOut: (wantsLink: boolean) => void;
}

function Choices({ isBusy, close, signOut }: ChoicesProps) {
  const cancel = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => cancel.current?.focus(), []);
  const { withLink, withoutLink } = t.value.signOut;
  return (
    <p class="choices-row">
      <button
        class="primary"
        type="button"
        disabled={isBusy}
        onClick={() => signOut(true)}
        children={withLink}
      />
      <button
        class="plain"
        type="button"
        disabled={isBusy}
        onClick={() => signOut(false)}
        children={withoutLink}
      />
      <button class="plain" type="button" ref={cancel} onClick={close} children={t.value.message.cancel} />
    </p>
  );
}

/** The page shows nothing else any more: closing leads to the sign-in form. */
function ReturnLink({ url, name }: { url: string; name: string }) {
  const leave = () => location.assign(publicPath('/signin'));
  useEffect(() => leave, []);
  return (
    <div class="body sign-out">
      <p role="status">{t.value.link.back(name)}</p>
      <LinkWithCode url={url} />
      <button class="plain" type="button" onClick={leave} children={t.value.signOut.done} />
    </div>
  );
}
