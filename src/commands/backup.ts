/** `oneport backup FILE`: a consistent copy of the database, also while the server runs. */
import { resolve } from 'node:path';
import { readConfig } from '../config.js';
import { backUp, ExistsError } from '../store/backup.js';
import { databaseFile } from '../store/open.js';
import { type Command, CommandError, EXIT, onlyArgument } from './command.js';
import { progressOn, share } from './progress.js';

export const backup: Command = {
  name: 'backup',
  args: 'FILE',
  does: 'copy the database of DATA_DIR to FILE, also while the server runs',
  help: `FILE must not exist. It becomes the database as it was when the command started, and it is on the disk when
the command ends with 0. It holds the signing keys: whoever reads it can be anyone. Check it with "verify FILE".`,
  async run(args, { out, err, env, now }) {
    const file = resolve(onlyArgument(args, backup));
    const progress = progressOn(err, now);
    const { bytes, epoch } = await backUp(databaseFile(readConfig(env).dataDir), file, (done, total) =>
      progress(() => share(done, total, 'pages copied')),
    ).catch(explain);
    out.write(`${file}: ${bytes.toLocaleString('en')} bytes, epoch ${epoch}\n`);
    return EXIT.ok;
  },
};

function explain(error: unknown): never {
  if (error instanceof ExistsError) throw new CommandError(EXIT.cannotCreate, error.message);
  throw error;
}
