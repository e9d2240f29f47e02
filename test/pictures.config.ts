/** Runs what takes pictures: pictures.ts, which is no test but needs what tests need, and the first minute of two people. */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const pictures = fileURLToPath(new URL('./screenshots', import.meta.url));
if (!process.env['ONLY'] && !process.env['VITEST_WORKER_ID'])
  rmSync(pictures, { recursive: true, force: true });

export default defineConfig({
  test: {
    include: ['test/pictures.ts', 'test/page/walk.test.ts'],
    environment: 'node',
    env: { PICTURES: pictures },
    fileParallelism: false,
  },
});
