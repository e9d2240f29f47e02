// @ts-check
/** The two servers' words, and what each one's own client waits before it tries again. */

/** @typedef {import('./client.js').Tongue} Tongue */

/** @type {Tongue} docs/protocol.md; src/client/state/backoff.ts */
export const oneport = {
  protocol: 'superchat',
  wait: (tries) => Math.random() * Math.min(15_000, 500 * 2 ** tries),
  path: ({ place }) => `/ws/gap?after=${place.after}${place.epoch && `&epoch=${place.epoch}`}`,
  hear({ place, prefix }, frame) {
    const { type, id, epoch, data, cid } = JSON.parse(frame);
    const own = cid?.startsWith(prefix) ? Number(cid.slice(prefix.length)) : undefined;
    if (type === 'hello') {
      place.epoch = epoch;
      return { entered: true };
    }
    if (type === 'error' && own !== undefined) return { refused: own };
    const acknowledged = own === undefined ? {} : { acknowledged: own };
    if (type === 'ack') return acknowledged;
    if (type !== 'chat') return {};
    place.after = id;
    return { shown: data, ...acknowledged };
  },
  say: (text) => JSON.stringify({ type: 'chat', data: text, cid: text }),
};

/**
 * Engine.IO 4 and Socket.IO 5. The waits are the defaults of its client: reconnectionDelay 1000, reconnectionDelayMax
 * 5000, randomizationFactor 0.5. A recoverable session sends its pid and the offset of the last packet.
 * @type {Tongue}
 */
export const socketio = {
  protocol: '',
  wait: (tries) => Math.min(5000, 1000 * 2 ** tries * (0.5 + Math.random())),
  path: () => '/socket.io/?EIO=4&transport=websocket',
  hear(client, frame) {
    const { place } = client;
    if (frame.startsWith('0{')) client.send(place.pid ? `40${session(place)}` : '40');
    else if (frame === '2') client.send('3');
    else if (frame.startsWith('40')) {
      place.pid = JSON.parse(frame.slice(2)).pid;
      return { entered: true };
    } else if (frame.startsWith('42')) {
      const [, text, offset] = JSON.parse(frame.slice(2));
      place.offset = offset ?? place.offset;
      return { shown: text };
    } else if (frame.startsWith('43')) return { acknowledged: Number(/^43(\d+)/.exec(frame)?.[1]) };
    return {};
  },
  say: (text, n) => `42${n}${JSON.stringify(['say', text])}`,
};

/** @param {{ pid: string, offset: string }} place */
function session({ pid, offset }) {
  return JSON.stringify({ pid, offset });
}
