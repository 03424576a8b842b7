/**
 * A server program in a room of its own: its own /var/spool, /var/lib, /run, users and library paths, in a mount and process
 * namespace. A program that was built to live at fixed places runs there without touching those of the machine, and all of
 * its processes end with it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface RoomUser {
  readonly name: string
  readonly id: number
}

export interface RoomOptions {
  /** The folder of the room. */
  readonly dir: string
  /** Users that the program must find, each with a group of its name. */
  readonly users: readonly RoomUser[]
  /** Folders of the machine that must look empty: settings of a server that is installed there. */
  readonly hidden?: readonly string[]
  /** Where its packages were unpacked. */
  readonly packages: string
}

export interface Room {
  /** Runs a program in it; what it says goes to the file `output`. */
  start(command: readonly string[], output: string): ChildProcess
}

/** Why no room can be had here, if so. */
export function noRoom(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can give a server a room of its own'
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', 'true'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'this system gives no namespaces of its own (unshare)'
  }
}

/** Makes the room; what is to be in `spool`, `lib` and `run` beforehand can be written into these folders. */
export function makeRoom({ dir, users, packages, hidden = [] }: RoomOptions): Room {
  for (const folder of ['spool', 'lib', 'run']) mkdirSync(join(dir, folder), { recursive: true })
  chmodSync(dir, 0o755)
  const own = (file: string, line: (user: RoomUser) => string): void =>
    writeFileSync(join(dir, file), withUsers(readFileSync(`/etc/${file}`, 'utf8'), users, line))
  own('passwd', ({ name, id }) => `${name}:x:${id}:${id}::/nonexistent:/bin/false`)
  own('group', ({ name, id }) => `${name}:x:${id}:`)
  const libraries = readdirSync(join(packages, 'usr/lib')).map((name) => join(packages, 'usr/lib', name))
  writeFileSync(join(dir, 'ld.so.conf'), `include /etc/ld.so.conf\n${libraries.join('\n')}\n`)
  execFileSync('ldconfig', ['-X', '-f', join(dir, 'ld.so.conf'), '-C', join(dir, 'ld.so.cache')], { stdio: 'ignore' })
  const places = [
    ['spool', '/var/spool'],
    ['lib', '/var/lib'],
    ['run', '/run'],
    ['passwd', '/etc/passwd'],
    ['group', '/etc/group'],
    ['ld.so.cache', '/etc/ld.so.cache'],
  ].map(([own, place]) => `mount --bind '${join(dir, own ?? '')}' ${place}`)
  mkdirSync(join(dir, 'empty'), { recursive: true })
  for (const place of hidden) if (existsSync(place)) places.push(`mount --bind '${join(dir, 'empty')}' ${place}`)
  const enter = ['mount --make-rprivate /', ...places, 'exec "$@"'].join(' && ')
  return {
    start(command, output) {
      const inside = `{ ${enter}; } >'${output}' 2>&1`
      const args = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', inside, 'room', ...command]
      return spawn('unshare', args, { stdio: 'ignore' })
    },
  }
}

/**
 * A file of users or groups with these in place of those of the same name or number: the machine may have, or once have had, a
 * user of the same server, and the first line with a name counts.
 */
export function withUsers(file: string, users: readonly RoomUser[], line: (user: RoomUser) => string): string {
  const others = file.split('\n').filter((entry) => {
    const [name, , id] = entry.split(':')
    return entry !== '' && !users.some((user) => user.name === name || String(user.id) === id)
  })
  return [...users.map(line), ...others, ''].join('\n')
}
