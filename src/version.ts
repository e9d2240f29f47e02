/** The version of this server, as package.json has it. */
import { readFileSync } from 'node:fs';
import { parseJsonObject } from './shared/parse.js';

const file = parseJsonObject(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export const VERSION = String(file?.['version'] ?? 'unknown');
