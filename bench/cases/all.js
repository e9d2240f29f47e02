// @ts-check
/** The cases, in the order in which they run and are told. */
import { broadcast, idle, join } from './crowds.js';
import { cpu, fanout, flood } from './fanout.js';
import { log } from './log.js';
import { hop, newNode, nodes, outage, stream } from './nodes.js';
import { post } from './post.js';
import { reconnect } from './reconnect.js';
import { replay } from './replay.js';
import { rooms } from './rooms.js';
import { workers } from './workers.js';

export const CASES = [fanout, flood, cpu, idle, join, broadcast, reconnect, replay, rooms, log, post];
/** Several processes. They run when they are named. */
export const MANY = [workers, hop, nodes, outage, newNode, stream];
