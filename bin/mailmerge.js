#!/usr/bin/env node
// Plain JavaScript that any Node.js can read, so that an old one gets a sentence and not a syntax error.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `mailmerge needs Node.js 24 or newer, and this is ${process.version}. Install a newer one from nodejs.org.`,
  )
  process.exitCode = 78
} else {
  const { availableParallelism } = await import('node:os')
  const { enableCompileCache } = await import('node:module')
  // Reading the program's own files again and again is a fifth of its start.
  enableCompileCache()
  // Signing (DKIM) is done on the thread pool, which has four threads by itself; it starts with its first task.
  process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))
  const { main } = await import('../dist/cli/main.js')
  await main(process.argv.slice(2))
}
