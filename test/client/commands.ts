import type { NewCommand } from '../../src/connect/outbox.js';

export function say(data: string): NewCommand {
  return { type: 'chat', data };
}
export function textOf(letter: { readonly posting: NewCommand }): string {
  return letter.posting.type === 'chat' ? letter.posting.data : letter.posting.type;
}
