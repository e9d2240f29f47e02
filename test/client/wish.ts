import type { Wish } from '../../src/client/state/letter.js';

export function say(data: string): Wish {
  return { type: 'chat', data };
}
export function textOf(letter: { readonly posting: Wish }): string {
  return letter.posting.type === 'chat' ? letter.posting.data : letter.posting.type;
}
