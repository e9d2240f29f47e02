/** What can be seen of this page when another one is in front: its title and its icon say that something is unread. */
import { effect } from '@preact/signals';

const ICON = '/icon.svg';
const MARKED = '/icon-unread.svg';
const MANY = 99;

/** `now`: reads signals. */
export function keepTitle(now: () => { readonly room: string; readonly unread: number }): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  effect(() => {
    const { room, unread } = now();
    const count = unread > MANY ? `${MANY}+` : String(unread);
    document.title = `${unread > 0 ? `(${count}) ` : ''}${room} · Oneport`;
    const href = unread > 0 ? MARKED : ICON;
    if (icon && icon.getAttribute('href') !== href) icon.href = href;
  });
}
