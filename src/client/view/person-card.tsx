/** What is known of a user, and what can be done, in a popover beside their name. */
import { type Signal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { User } from '../../shared/protocol.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { Avatar } from './avatar.js';
import { composerField, insertText } from './keyboard.js';
import { placePopover } from './layout.js';
import { searchFor } from './search.js';
import { shortDate } from './timestamp.js';

export interface ShownPerson {
  readonly user: User;
  readonly opener: Element;
}

interface PersonCardProps {
  readonly app: App;
  readonly shown: Signal<ShownPerson | undefined>;
  /** after a choice; closes a drawer */
  readonly onChoose?: (() => void) | undefined;
}

export function PersonCard({ app, shown, onChoose }: PersonCardProps) {
  const popover = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    const element = popover.current;
    if (!shown.value || !element) return;
    element.showPopover();
    placePopover(element, shown.value.opener, 'start');
    element.querySelector('button')?.focus();
  });
  const user = shown.value?.user;
  const choose = (act: () => void) => () => {
    popover.current?.hidePopover();
    onChoose?.();
    act();
  };
  return (
    <div
      class="card"
      popover="auto"
      ref={popover}
      role="dialog"
      aria-label={user?.name}
      onToggle={({ newState }) => {
        if (newState === 'closed') shown.value = undefined;
      }}
    >
      {user && <CardContent app={app} user={user} choose={choose} />}
    </div>
  );
}

interface CardContentProps {
  readonly app: App;
  readonly user: User;
  readonly choose: (act: () => void) => () => void;
}

function CardContent({ app, user, choose }: CardContentProps) {
  const { mention, messages, rename } = t.value.person;
  const isMe = user.id === app.me.value?.id;
  return (
    <>
      <div class="who">
        <Avatar user={user} />
        <p>
          <bdi class="name">{user.name}</bdi>
          <span class="when">{presenceText(app, user)}</span>
        </p>
      </div>
      {isMe ? (
        <button
          class="plain"
          type="button"
          onClick={choose(() => app.showDialog('settings'))}
          children={rename}
        />
      ) : (
        <button class="plain" type="button" onClick={choose(() => mentionUser(user))} children={mention} />
      )}
      <button
        class="plain"
        type="button"
        onClick={choose(() => searchFor(app, `from:"${user.name}"`))}
        children={messages}
      />
    </>
  );
}

/** Whether the user is in the room, or when they last wrote as far as the window shows. */
function presenceText(app: App, { id }: User): string {
  const { here, lastMessage } = t.value.person;
  const { room } = app.session.value;
  if (room.people.value.users.some((user) => user.id === id)) return here;
  const last = room.timeline.value.events.findLast((event) => event.type === 'chat' && event.user.id === id);
  return last?.type === 'chat' ? lastMessage(shortDate(last.at)) : '';
}

function mentionUser({ name }: User): void {
  const field = composerField();
  if (!field) return;
  const needsSpace = /\S$/.test(field.value.slice(0, field.selectionStart));
  insertText(field, `${needsSpace ? ' ' : ''}@${name} `);
}
