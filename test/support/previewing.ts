/** `mailmerge preview` or `inbox` as a process of its own, and what its page says when it is asked. */
import type { Project, Running } from './program.ts'

export interface Previewing {
  /** With the token. */
  readonly link: string
  /** `http://127.0.0.1:40000` */
  readonly address: string
  readonly token: string
  readonly running: Running
  /** The JSON of a path, as a program with the token gets it. */
  get<T>(path: string): Promise<T>
  stop(): Promise<number | null>
}

/** Resolves once the page can be opened. */
export async function startPreview(
  project: Project,
  args: readonly string[] = [],
  env: NodeJS.Dict<string> = {},
): Promise<Previewing> {
  return startPage(project, ['preview', ...args], env)
}

/** The same of any command that opens a page. */
export async function startPage(
  project: Project,
  args: readonly string[],
  env: NodeJS.Dict<string> = {},
): Promise<Previewing> {
  const running = project.start([...args, '--no-open'], env)
  const link = await new Promise<string>((done, fail) => {
    let text = ''
    running.child.stdout?.on('data', (piece: string) => {
      text += piece
      const end = text.indexOf('\n')
      if (end >= 0) done(text.slice(0, end))
    })
    void running.ended.then(({ code, stderr }) => fail(new Error(`${args[0]} ended with ${code}: ${stderr}`)))
  })
  const { origin: address, searchParams } = new URL(link)
  const token = searchParams.get('token') ?? ''
  return {
    ...{ link, address, token, running },
    async get(path) {
      const response = await fetch(`${address}${path}`, { headers: { authorization: `Bearer ${token}` } })
      return (await response.json()) as never
    },
    async stop() {
      running.child.kill('SIGINT')
      return (await running.ended).code
    },
  }
}
