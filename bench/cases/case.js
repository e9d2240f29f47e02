// @ts-check
/**
 * What a case is. A goal compares medians of one metric: with a fixed number, or as a ratio of each round with another
 * server in the same round.
 *
 * @typedef {Record<string, number>} Metrics
 * @typedef {{ people: number, seconds: number, quick: boolean }} Scale people: size of the large crowds
 * @typedef {{ metric: string, against?: import('../server.js').Subject, most?: number, least?: number, text: string }} Goal
 * @typedef {object} Case
 * @property {string} name
 * @property {(scale: Scale) => string} title
 * @property {readonly import('../server.js').Subject[]} subjects
 * @property {(scale: Scale) => number} people how many have to be signed in
 * @property {readonly (readonly [key: string, label: string])[]} columns
 * @property {string} [ratio] the metric that is compared with each peer
 * @property {readonly Goal[]} goals
 * @property {(ground: import('../server.js').Ground, subject: import('../server.js').Subject, scale: Scale) => Promise<Metrics>} run
 */

import { Stage } from '../stage.js';

/**
 * A run on a stage that is closed whatever happens.
 * @param {(stage: Stage, scale: Scale) => Promise<Metrics>} play
 * @param {import('../stage.js').StageOptions} [options]
 * @returns {Case['run']}
 */
export function onStage(play, options) {
  return async (ground, subject, scale) => {
    const stage = await Stage.open(ground, subject, options);
    try {
      const metrics = await play(stage, scale);
      return { ...metrics, noise: stage.noise };
    } finally {
      await stage.close();
    }
  };
}

export const FOUR = /** @type {const} */ (['oneport', 'bun', 'tutorial', 'socketio']);
