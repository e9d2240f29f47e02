/** What can be done with a room: from the list, and from the title of the room in view. */
import type { App } from '../app.js';
import { t } from '../i18n.js';
import { setMember } from '../settings.js';
import { copyText } from './clipboard.js';
import { BellIcon, CopyIcon, LeaveIcon, PlusIcon, StarIcon } from './icons.js';
import { roomUrl } from './invitation.js';
import { type MenuItem, PopoverMenu } from './menu.js';

interface RoomMenuProps {
  readonly app: App;
  readonly id: string;
  readonly room: string;
  readonly opener: () => Element | null;
}

export function RoomMenu({ app, id, room, opener }: RoomMenuProps) {
  return (
    <PopoverMenu id={id} label={t.value.roomMenu.label(room)} items={itemsFor(app, room)} opener={opener} />
  );
}

function itemsFor(app: App, room: string): readonly MenuItem[] {
  const { settings } = app;
  const text = t.value.roomMenu;
  const isStarred = settings.starred.value.has(room);
  const isMuted = settings.roomRules.value.get(room) === 'none';
  const joined = app.rooms.list.value.filter((entry) => entry.joined);
  const invite = { text: text.invite, icon: <PlusIcon />, act: () => app.showDialog('invite') };
  const leave = { text: text.leave, icon: <LeaveIcon />, act: () => app.leaveRoom(room) };
  return [
    {
      text: isStarred ? text.unstar : text.star,
      icon: <StarIcon />,
      act: () => setMember(settings.starred, room, !isStarred),
    },
    {
      text: isMuted ? text.unmute : text.mute,
      icon: <BellIcon />,
      act: () => settings.setNotifyLevelIn(room, isMuted ? undefined : 'none'),
    },
    { text: text.copyLink, icon: <CopyIcon />, act: () => void copyText(roomUrl(room)) },
    ...(room === app.session.value.name ? [invite] : []),
    ...(joined.length > 1 && joined.some((entry) => entry.room === room) ? [leave] : []),
  ];
}
