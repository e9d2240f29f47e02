// @ts-check
/** The peers have no sign-in: they believe the tutorial's cookie, so that their messages name a user as ours do. */

/**
 * @param {string | null | undefined} cookies the Cookie header
 * @returns {{ id: string, name: string }}
 */
export function personOf(cookies) {
  const value = /(?:^|; )name=([^;]+)/.exec(cookies ?? '')?.[1];
  if (value === undefined) return { id: 'nobody', name: 'nobody' };
  const { id, name } = JSON.parse(Buffer.from(value, 'base64').toString());
  return { id, name };
}
