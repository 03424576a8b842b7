import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/support/count-reporter.ts'],
    // Many tests start programs; on a busy machine a minute is nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // The program is started thousands of times from its sources: compiled once, it takes half the time of the processor.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/mailmerge-tests') },
    // Most tests wait for servers and processes: a second file goes beside the first also where there are two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
