/** Runs measures.ts alone: it is no test, but it needs what tests need. */
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['test/measures.ts'], environment: 'node' } });
