/** The page's layout. */
import { type Signal, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo } from 'preact/hooks';
import { systemClock } from '../../connect/clock.js';
import type { ChatEvent } from '../../shared/protocol.js';
import { excerpt } from '../../shared/text.js';
import type { App } from '../app.js';
import { t } from '../i18n.js';
import type { RoomStore } from '../room/store.js';
import { LiveAnnouncer } from '../rooms/announcer.js';
import { parseMessage, plainText } from '../text/markdown.js';
import { Composer } from './composer.js';
import { Drawer, Panels } from './dialog.js';
import { Header } from './header.js';
import { CloseIcon, IconButton } from './icons.js';
import { focusComposer, listenToKeys } from './keyboard.js';
import { classNames, peopleBeside, roomsBeside } from './layout.js';
import { People } from './people.js';
import { RoomList } from './room-list.js';
import { hasOpenedResult } from './search.js';
import { Status } from './status.js';
import { Timeline } from './timeline.js';

/** A column that opens over the page, because it does not fit beside the others. */
type DrawerName = 'rooms' | 'people';

export function AppView({ app }: { app: App }) {
  const drawer = useSignal<DrawerName | undefined>(undefined);
  const wantsPeople = useSignal(true);
  useLayoutEffect(() => listenToKeys(app), [app]); // before the first key
  const session = app.session.value;
  const showPeople = peopleBeside.value && wantsPeople.value;
  const togglePeople = () => {
    if (peopleBeside.value) wantsPeople.value = !wantsPeople.value;
    else drawer.value = 'people';
  };
  return (
    <div class={pageClass(app, showPeople)}>
      <button class="skip" type="button" onClick={skipToLog} children={t.value.header.skip} />
      {roomsBeside.value && <RoomList app={app} />}
      <Header
        app={app}
        open={peopleBeside.value ? wantsPeople.value : drawer.value === 'people'}
        showRooms={() => {
          drawer.value = 'rooms';
        }}
        togglePeople={togglePeople}
      />
      <main>
        <Status app={app} />
        <Timeline app={app} />
        <Notice app={app} />
        <Composer session={session} app={app} />
      </main>
      {showPeople && <People app={app} />}
      <Drawers app={app} open={drawer} />
      <Panels app={app} />
      <LiveRegion key={session.name} room={session.room} />
    </div>
  );
}

function pageClass(app: App, showPeople: boolean): string {
  return classNames({
    page: true,
    'no-people': !showPeople,
    disconnected: app.session.value.connection.state.value.state !== 'live',
    'show-numbers': app.settings.showNumbers.value,
  });
}

function Drawers({ app, open }: { app: App; open: Signal<DrawerName | undefined> }) {
  const close = () => {
    open.value = undefined;
  };
  const name = open.value;
  const isRedundant = name === 'rooms' ? roomsBeside.value : name === 'people' && peopleBeside.value;
  useLayoutEffect(() => {
    if (isRedundant) close(); // else it would open again when the window narrows
  }, [isRedundant]);
  if (name === undefined || isRedundant) return null;
  return name === 'rooms' ? (
    <Drawer kind="drawer" label={t.value.header.rooms} close={close}>
      <RoomList app={app} onChoose={close} />
    </Drawer>
  ) : (
    <Drawer kind="drawer right" label={t.value.people.title} close={close}>
      <People app={app} onChoose={close} />
    </Drawer>
  );
}

/** A button, because a link would change the address, which may name a message. */
function skipToLog(): void {
  document.querySelector<HTMLElement>('.log')?.focus();
}

/** How long it is said that files cannot be sent. */
const fileNoticeMs = 8_000;

/** A file that is dropped or pasted would replace the page, or vanish. */
function refuseFiles(onFile: () => void): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const refuseDrag = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'none';
    if (event.type === 'drop') onFile();
  };
  for (const name of ['dragenter', 'dragover', 'drop'] as const)
    document.addEventListener(name, refuseDrag, { signal });
  const onPaste = ({ clipboardData }: ClipboardEvent) => {
    const hasFile = (clipboardData?.files.length ?? 0) > 0;
    if (hasFile && clipboardData?.getData('text/plain') === '') onFile();
  };
  document.addEventListener('paste', onPaste, { signal });
  return () => stop.abort();
}

/** Returns whether a file was just refused. */
function useFileNotice(): boolean {
  const refusals = useSignal(0);
  useLayoutEffect(() => refuseFiles(() => refusals.value++), []); // before the first file
  useEffect(() => {
    const timer = setTimeout(() => {
      refusals.value = 0;
    }, fileNoticeMs);
    return () => clearTimeout(timer);
  }, [refusals.value]);
  return refusals.value > 0;
}

/** An error that belongs to no message, or what became of a link to a number. */
function Notice({ app }: { app: App }) {
  const session = app.session.value;
  const problem = session.room.notice.value;
  const hasFile = useFileNotice();
  const target = session.targetNotice.value;
  const { noNumber, changeOf } = t.value.message;
  if (hasFile) return <p class="notice info" role="status" children={t.value.composer.noFiles} />;
  if (problem) return <p class="notice" role="alert" children={t.value.problems[problem.code]} />;
  if (hasOpenedResult.value && !target) return <BackToResults app={app} />;
  if (!target) return null;
  const { id, of } = target;
  return (
    <p class="notice info" role="status" children={of === undefined ? noNumber(id) : changeOf(id, of)} />
  );
}

function BackToResults({ app }: { app: App }) {
  const dismiss = () => {
    hasOpenedResult.value = false;
    focusComposer();
  };
  return (
    <p class="notice info back">
      <button
        class="pill"
        type="button"
        onClick={() => app.showDialog('search')}
        children={t.value.search.back}
      />
      <IconButton class="quiet" label={t.value.dialog.close} onClick={dismiss}>
        <CloseIcon />
      </IconButton>
    </p>
  );
}

/** The rest can be read in the timeline. */
const maxSpokenChars = 300;

function spokenText(message: ChatEvent): string {
  return excerpt(plainText(parseMessage(message)).trim(), maxSpokenChars);
}

/** Announces new messages of others to screen readers. */
function LiveRegion({ room }: { room: RoomStore }) {
  const announcer = useMemo(() => new LiveAnnouncer(systemClock), []);
  useSignalEffect(() => {
    const { events, seen, last } = room.timeline.value;
    const messages = events.filter((event): event is ChatEvent => event.type === 'chat');
    if (seen === undefined) announcer.reset();
    else announcer.update(last, messages, room.me.peek()?.id);
  });
  const announcement = announcer.announcement.value;
  const { message: messageText, count: countText } = t.value.announcer;
  return (
    <div class="visually-hidden" aria-live="polite">
      {announcement && (
        <div key={announcement.sequence}>
          {announcement.messages.map((message) => (
            <p key={message.id}>{messageText(message.user.name, spokenText(message))}</p>
          ))}
          {announcement.messages.length === 0 && <p>{countText(announcement.count)}</p>}
        </div>
      )}
    </div>
  );
}
