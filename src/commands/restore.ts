/** `oneport restore FILE`: a checked backup in the database's place, with a new epoch. The former one is kept. */
import { resolve } from 'node:path';
import { readConfig } from '../config.js';
import { restore as putBack } from '../store/restore.js';
import { type Command, EXIT, onlyArgument } from './command.js';
import { stepsOn } from './progress.js';

export const restore: Command = {
  name: 'restore',
  args: 'FILE',
  does: 'put a backup in the place of the database of DATA_DIR; stop the server first',
  help: `While a server runs on DATA_DIR nothing is done (exit 75). FILE is checked as "verify" does; a faulty one is
refused. It gets a new epoch, so that clients who saw more than it holds load their rooms again. The former database is
kept beside it as oneport.db.before-restore-TIME; delete it when you no longer want it.`,
  async run(args, { out, err, env, now }) {
    const file = resolve(onlyArgument(args, restore));
    const mark = `before-restore-${new Date(now()).toISOString().replace(/[:.]/g, '-')}`;
    const { rooms, events, epoch, former } = putBack(
      file,
      readConfig(env).dataDir,
      mark,
      stepsOn(err, now, 'events'),
    );
    if (former !== undefined) out.write(`the former database is kept as ${former}\n`);
    out.write(`restored: ${events} events in ${rooms} rooms, new epoch ${epoch}\n`);
    return EXIT.ok;
  },
};
