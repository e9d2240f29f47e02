// @ts-check
/**
 * People for the bench: they sign in at the product once, as anybody does, and their cookies and data folder serve every
 * run. So sockets are opened by different people, and no run pays for their sign-in.
 */
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { Server } from './server.js';

const AT_ONCE = 32;

/** @typedef {import('./server.js').Ground} Ground */

/** @param {number} i */
const nameOf = (i) => `p${String(i).padStart(5, '0')}`;

/** @param {Ground} ground @param {number} count */
export async function signInPeople(ground, count) {
  const server = await Server.start({ ...ground, profiles: undefined }, 'oneport');
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  /** @type {string[]} */
  const cookies = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      cookies[i] = await signIn(agent, server.port, nameOf(i));
      if (i % 2000 === 1999) ground.say(`  ${i + 1} of ${count} people have signed in`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    agent.destroy();
    await server.stop({ keep: ground.seed });
  }
  writeFileSync(ground.cookies.oneport, JSON.stringify(cookies));
}

/** The peers' people: the same cookie, and nobody to sign it. @param {Ground} ground @param {number} count */
export function inventPeople(ground, count) {
  const cookies = Array.from({ length: count }, (_, i) => {
    const user = { id: `id${String(i).padStart(10, '0')}`, name: nameOf(i), iat: 0 };
    return `name=${Buffer.from(JSON.stringify(user)).toString('base64')}`;
  });
  writeFileSync(ground.cookies.peers, JSON.stringify(cookies));
}

/** @param {string} folder @returns {Ground['cookies']} */
export function cookieFiles(folder) {
  return { oneport: join(folder, 'cookies.json'), peers: join(folder, 'peers.json') };
}

/** @param {Agent} agent @param {number} port @param {string} name @returns {Promise<string>} the Cookie header */
function signIn(agent, port, name) {
  const body = JSON.stringify({ name });
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const asked = request(
      { agent, port, host: '127.0.0.1', method: 'POST', path: '/signin', headers },
      (response) => {
        response.resume().on('error', reject);
        response.on('end', () => {
          const cookies = (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]);
          if (response.statusCode === 200) resolve(cookies.join('; '));
          else reject(new Error(`sign-in of ${name}: ${response.statusCode}`));
        });
      },
    );
    asked.on('error', reject).end(body);
  });
}
