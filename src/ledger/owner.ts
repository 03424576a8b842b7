/**
 * The identity of a process, which no other has after its number is used again or the machine restarts. Owns what it is
 * made of; never decides what happens to a dead owner's campaign.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Owner } from './records.ts'

/** This process as the owner of a campaign. Where there is no /proc, what cannot be known is empty. */
export function ownerOfThisProcess(): Owner {
  return { pid: process.pid, host: hostname(), bootId: bootId(), processStart: startOf(process.pid) ?? '' }
}

/** Whether the owner still runs; undefined when that cannot be known from here (another host or container). */
export function isAlive(owner: Owner): boolean | undefined {
  if (owner.host !== hostname()) return undefined
  const here = bootId()
  if (owner.bootId !== here) return namespaceOf(owner.bootId) === namespaceOf(here) ? false : undefined
  if (!exists(owner.pid)) return false
  const start = startOf(owner.pid)
  return start === undefined || owner.processStart === '' || start === owner.processStart
}

/** The kernel's id of this boot and, behind a slash, the set of process numbers that we live in (containers). */
function bootId(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id')
  if (boot === undefined) return ''
  try {
    return `${boot.trim()}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return boot.trim()
  }
}

function namespaceOf(boot: string): string {
  return boot.slice(boot.indexOf('/') + 1 || boot.length)
}

/**
 * Start of a process in clock ticks since boot: field 22 of proc(5)'s stat, counted behind the name in brackets. A
 * process that has ended and waits to be collected by its parent (state Z) gives `ended`.
 */
function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields?.at(0) === 'Z' ? 'ended' : fields?.at(19)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
