/** `oneport verify [FILE]`: is the promise kept in this database? Exit 1 and the first fault when it is not. */
import { resolve } from 'node:path';
import { readConfig } from '../config.js';
import { databaseFile } from '../store/open.js';
import { verify as check } from '../store/verify.js';
import { type Command, CommandError, EXIT, onlyArgument } from './command.js';
import { stepsOn } from './progress.js';

export const verify: Command = {
  name: 'verify',
  args: '[FILE]',
  does: 'check the database of DATA_DIR, or a backup: no number missing, no message twice',
  help: `Reads one snapshot, also while the server runs: every room counts 1, 2, 3 … to its last without a hole, times
never go back, every cid of a person is there once, each message is what its changes made of it, deleted text is gone,
references and indexes are sound. Names the first fault and ends
with 1 when there is one. The write-ahead log cannot shrink meanwhile: on a large database choose a quiet hour.`,
  async run(args, terminal) {
    const { out, err, env, now } = terminal;
    const file =
      args.length === 0 ? databaseFile(readConfig(env).dataDir) : resolve(onlyArgument(args, verify));
    const { fault, rooms, people, events } = check(file, stepsOn(err, now, 'events'));
    if (fault !== undefined) throw new CommandError(EXIT.fault, `${file}: ${fault}`);
    out.write(`sound: ${events} events in ${rooms} rooms, ${people} people\n`);
    return EXIT.ok;
  },
};
