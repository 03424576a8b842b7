/** A browser for a person who sits at this machine. Owns opening it, and knowing when there is none to open. */
import type { Io } from './io.ts'

/** False on a server without a screen and in a session from elsewhere. */
export function hasBrowser({ env }: Io): boolean {
  if (env['SSH_CONNECTION'] !== undefined || env['SSH_TTY'] !== undefined) return false
  if (process.platform === 'win32' || process.platform === 'darwin') return true
  return (env['DISPLAY'] ?? '') !== '' || (env['WAYLAND_DISPLAY'] ?? '') !== ''
}

/** Opens an address; when that fails nothing is said, since the address is always shown too. */
export async function openBrowser(url: string): Promise<void> {
  try {
    const { default: open } = await import('open')
    const child = await open(url)
    child.on('error', () => {})
  } catch {
    // The person opens it by hand.
  }
}
