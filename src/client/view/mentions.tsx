/** Where others have called me by name, newest first. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { SearchHit } from '../../shared/protocol.js';
import { words } from '../words.js';
import { Finds } from './finds.js';
import type { PanelProps } from './panels.js';

interface Listed {
  readonly messages: readonly SearchHit[];
  readonly next: number | undefined;
}

export function Mentions({ desk, close }: PanelProps) {
  const listed = useSignal<Listed | 'loading' | 'failed'>('loading');
  const load = async (before?: number) => {
    const page = await desk.mentions(before === undefined ? {} : { before });
    const old = listed.peek();
    const earlier = typeof old === 'object' ? old.messages : [];
    if (page) listed.value = { messages: [...earlier, ...page.messages], next: page.next };
    else if (typeof old !== 'object') listed.value = 'failed';
  };
  useEffect(() => void load(), []);
  const now = listed.value;
  const { none, how, failed } = words.value.mentions;
  if (typeof now !== 'object')
    return (
      <p class="say" role="status">
        {now === 'loading' ? words.value.dialog.loading : failed}
      </p>
    );
  if (now.messages.length === 0)
    return (
      <p class="say" role="status">
        {none} {how}
      </p>
    );
  const { next } = now;
  const me = desk.me.value;
  return (
    <Finds
      messages={now.messages}
      terms={me ? [`@${me.name}`] : []}
      close={close}
      more={next === undefined ? undefined : () => void load(next)}
    />
  );
}
