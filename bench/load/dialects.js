// @ts-check
/**
 * What the four servers say on the wire, as far as a load client must know it: how to enter a room, how to say
 * something, and of what kind a frame is by its first bytes alone. Nothing here decodes a message.
 */

/** Kinds of frame. */
export const KIND = { other: 0, message: 1, ready: 2, ping: 3, error: 4, knock: 5 };
/** Payload bytes that `kind` may look at. */
export const PEEK = 12;

/**
 * @typedef {object} Dialect
 * @property {(room: string, resume?: { after: number, epoch: string | undefined }) => string} path of the upgrade
 * @property {string} protocol subprotocol to ask for; '' for none
 * @property {boolean} readyAtOpen the 101 means that the room was entered
 * @property {(bytes: Buffer, at: number) => number} kind
 * @property {number} digits where a message's number begins, in its payload
 * @property {(text: string, cid: string) => string} say a message, as payload
 */

const [QUOTE, BRACE] = ['"'.charCodeAt(0), '{'.charCodeAt(0)];
const [I, E, H] = ['i'.charCodeAt(0), 'e'.charCodeAt(0), 'h'.charCodeAt(0)];
const [ZERO, TWO, FOUR] = ['0'.charCodeAt(0), '2'.charCodeAt(0), '4'.charCodeAt(0)];
const NUMBERED = '{"id":'.length;
const TYPED = '{"type":"'.length;

/** `{"id":…` is numbered; `{"type":"hello"…` and the others are not. @type {Dialect['kind']} */
function kindOfObject(bytes, at) {
  if (bytes[at] !== BRACE || bytes[at + 1] !== QUOTE) return KIND.other;
  if (bytes[at + 2] === I) return KIND.message;
  const type = bytes[at + TYPED];
  if (type === H) return KIND.ready;
  return type === E ? KIND.error : KIND.other;
}

/** Engine.IO 4 and Socket.IO 5: `0{…` open, `40{…` in, `42[…` event, `44{…` refused, `2` ping. @type {Dialect['kind']} */
function kindOfPacket(bytes, at) {
  if (bytes[at] === TWO) return KIND.ping;
  if (bytes[at] === ZERO) return KIND.knock;
  if (bytes[at] !== FOUR) return KIND.other;
  if (bytes[at + 1] === TWO) return KIND.message;
  if (bytes[at + 1] === ZERO) return KIND.ready;
  return bytes[at + 1] === FOUR ? KIND.error : KIND.other;
}

/** @type {Record<string, Dialect>} */
export const DIALECTS = {
  oneport: {
    path: (room, resume) =>
      resume
        ? `/ws/${room}?after=${resume.after}${resume.epoch === undefined ? '' : `&epoch=${resume.epoch}`}`
        : `/ws/${room}?history=0`,
    protocol: 'superchat',
    readyAtOpen: false,
    kind: kindOfObject,
    digits: NUMBERED,
    say: (text, cid) => `{"type":"chat","data":"${text}","cid":"${cid}"}`,
  },
  tutorial: {
    path: () => '/ws/chat',
    protocol: '',
    readyAtOpen: true,
    kind: kindOfObject,
    digits: NUMBERED,
    say: (text) => text,
  },
  bun: {
    path: (room) => `/ws/${room}`,
    protocol: '',
    readyAtOpen: true,
    kind: kindOfObject,
    digits: NUMBERED,
    say: (text) => text,
  },
  socketio: {
    path: (room) => `/socket.io/?EIO=4&transport=websocket&room=${room}`,
    protocol: '',
    readyAtOpen: false,
    kind: kindOfPacket,
    digits: '42["m",'.length + NUMBERED,
    say: (text) => `42["m","${text}"]`,
  },
};
