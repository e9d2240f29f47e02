/** What is being written, kept for a reload of this tab. Storage may be forbidden or full: then it is not kept. */
export function readDraft(room: string): string {
  try {
    return sessionStorage.getItem(key(room)) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(room: string, text: string): void {
  try {
    if (text === '') sessionStorage.removeItem(key(room));
    else sessionStorage.setItem(key(room), text);
  } catch {}
}

function key(room: string): string {
  return `oneport.draft ${room}`;
}
