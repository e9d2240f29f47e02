// @ts-check
/** The command line of the bench. */
import { parseArgs } from 'node:util';
import { CASES, MANY } from './cases/all.js';
import { SUBJECTS } from './server.js';

const ALL = [...CASES, ...MANY];

export const HELP = `Measures Oneport beside the tutorial's loop on ws, Socket.IO and Bun's publish, on this machine.

  node bench/run.js                 every case, 3 rounds (about half an hour)
  node bench/run.js --quick         every case once, smaller crowds (some minutes)
  node bench/run.js nodes           this case; the same as --case nodes
  node bench/run.js million [N]     opens N sockets to one server [1000000] and says something to all of them

  --case NAME[,NAME]     only these: ${CASES.map(({ name }) => name).join(', ')};
                         with several processes, run only when named: ${MANY.map(({ name }) => name).join(', ')}
  --only NAME[,NAME]     only these servers: ${SUBJECTS.join(', ')}
  --rounds N             how often each is run, in turn [3; quick: 1]
  --seconds N            how long each is measured [8; quick: 4]
  --people N             size of the large crowds [18000; quick: 6000]
  --no-wait              do not wait for a quiet machine, and play no run again
  --no-pin               do not give the server and the load a core each
  --profile              write CPU profiles of Oneport (with --only oneport)
  --merge FILE[,FILE]    measure nothing: one report of these bench.json, run case by case
  --out FOLDER           for the JSON, the drawing and the profiles [bench/results]
  --help
`;

const OPTIONS = /** @type {const} */ ({
  case: { type: 'string' },
  only: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  people: { type: 'string' },
  merge: { type: 'string' },
  out: { type: 'string' },
  quick: { type: 'boolean', default: false },
  'no-wait': { type: 'boolean', default: false },
  'no-pin': { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
});

/** @throws Error naming what cannot be used @param {string[]} args @param {string} results default of --out */
export function readOptions(args, results) {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const named = values.case ?? (positionals.length > 0 ? positionals.join(',') : undefined);
  const { quick } = values;
  return {
    help: values.help,
    quick,
    pin: !values['no-pin'],
    wait: !values['no-wait'],
    profile: values.profile,
    merge: values.merge?.split(','),
    out: values.out ?? results,
    rounds: whole('rounds', values.rounds, quick ? 1 : 3, 1, 50),
    seconds: whole('seconds', values.seconds, quick ? 4 : 8, 1, 120),
    people: whole('people', values.people, quick ? 6000 : 18_000, 1000, 25_000),
    cases:
      named === undefined
        ? CASES
        : chosen(
            'case',
            named,
            ALL.map(({ name }) => name),
          ).flatMap((name) => ALL.filter((one) => one.name === name)),
    only: chosen('only', values.only, SUBJECTS),
  };
}

/** @param {string} name @param {string | undefined} raw @param {number} fallback @param {number} least @param {number} most */
function whole(name, raw, fallback, least, most) {
  const value = Number(raw ?? fallback);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`--${name} is ${raw}: give a whole number from ${least} to ${most}.`);
}

/** @template {string} T @param {string} name @param {string | undefined} raw @param {readonly T[]} known @returns {readonly T[]} */
function chosen(name, raw, known) {
  if (raw === undefined) return known;
  const names = raw.split(',');
  const stranger = names.find((one) => !known.some((other) => other === one));
  if (stranger !== undefined) throw new Error(`--${name} has ${stranger}: it knows ${known.join(', ')}.`);
  return known.filter((one) => names.includes(one));
}
