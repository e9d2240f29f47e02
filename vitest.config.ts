import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type Reporter, type TestModule, type TestSpecification } from 'vitest/node';

/** The last line: how many passed, failed and were left out. */
class Closing implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const failed = count('failed') + broken + unhandled.length; // a worker that crashed is unhandled
    const notRun = count('pending') === 0 ? '' : `, ${count('pending')} not run`;
    process.stdout.write(
      `\n${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped${notRun}\n`,
    );
  }
}

/** Files of half a minute and more come first, so that none of them runs alone at the end. */
class LongFirst extends BaseSequencer {
  static readonly #long =
    /test\/(a11y|prove|deploy|nginx|connect\/proxies|page\/(clumsy|long-room)|browser[\w-]*)\.test\.ts$/;

  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => LongFirst.#long.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

// Tests of the process and the browser run what is built; building it once here keeps them from doing it at the same time.
if (!process.env['VITEST_WORKER_ID']) {
  const build = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('build.js', import.meta.url)), '--if-needed'],
    { stdio: 'inherit' },
  );
  if (build.status !== 0) process.exit(1);
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    // far more than a test takes: they end one that hangs, and a busy machine must not end another
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    reporters: ['default', new Closing()],
  },
});
