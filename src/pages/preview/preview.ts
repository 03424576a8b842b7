/**
 * A preview of a project while it is worked on: the version of it that is good, what is wrong with the one that is saved,
 * and its rows as messages. Owns when a version takes the place of another.
 */
import { resolve } from 'node:path'
import { BoundedMap } from '../../bounded-map.ts'
import type { MergeEvent } from '../../campaign/events.ts'
import type { MergeRequest } from '../../campaign/merge.ts'
import { templatesOf } from '../../campaign/run/content.ts'
import { runMerge } from '../../campaign/run/start.ts'
import { checkClientNames } from '../../check/clients/mail-clients.ts'
import type { Settings } from '../../config/settings.ts'
import { DataError, MailmergeError } from '../../errors.ts'
import { reasonWords } from '../../report/reasons.ts'
import type { EventHub } from '../events.ts'
import type { ReadMessage } from '../message/read.ts'
import { errorFields } from '../server.ts'
import type {
  BrokenView,
  FileView,
  FindingsView,
  ForecastView,
  PreviewView,
  Question,
  RowMessageView,
  SizesView,
  TestView,
} from '../wire.ts'
import { createFindings, mailPrograms } from './findings.ts'
import { forecastOf, limitsNow, measure } from './forecast.ts'
import { LinkFindings } from './links.ts'
import { type MadeRow, makeRow, type RowMaker } from './make-row.ts'
import { linesAround, openPlaces } from './places.ts'
import { openProject, type PlannedList, type PreviewRequest, type Project } from './project.ts'
import type { RowStore } from './row-store.ts'
import { askedFilters } from './spam.ts'
import { type Watcher, watchFiles } from './watch.ts'

export interface PreviewOptions {
  /** The settings as they are saved now. */
  readonly settings: () => Promise<Settings>
  readonly request: PreviewRequest
  /** The command that sends what is shown. */
  readonly command: string
  /** Gets `rows` and `changed`. */
  readonly events: EventHub
}

/** What is shown of a file of a template. */
const MOST_LINES = 10_000
const LONGEST_LINE = 2_000
/** Messages that are kept as they were made, until the next save. */
const KEPT_MESSAGES = 64

/** A good version, and what is known of it. */
interface Version extends RowMaker {
  readonly name: string
  /** Those of the template. */
  readonly files: ReadonlySet<string>
  readonly loadedAt: Date
  readonly made: BoundedMap<number, MadeRow>
  readonly stop: AbortController
  planned: Promise<void>
  list: PlannedList | undefined
  sizes: SizesView | undefined
  isComplete: boolean
}

export class Preview {
  readonly #options: PreviewOptions
  readonly #watcher: Watcher
  readonly #links = new LinkFindings()
  #good: Version | undefined
  /** The version before, whose rows are listed until the good one has read the list. */
  #before: Version | undefined
  #broken: BrokenView | undefined
  #settings: Settings
  #versions = 0
  #reloading: Promise<void> = Promise.resolve()

  private constructor(options: PreviewOptions, settings: Settings) {
    this.#options = options
    this.#settings = settings
    this.#watcher = watchFiles(() => this.reload())
  }

  /**
   * Opens the project; wrong data is shown on the page, where a person is about to fix it.
   * @throws MailmergeError for a command or a configuration that is wrong, and a file that is missing.
   */
  static async open(options: PreviewOptions): Promise<Preview> {
    const preview = new Preview(options, await options.settings())
    try {
      await preview.#load(preview.#settings)
    } catch (error) {
      if (!(error instanceof DataError)) {
        await preview.close()
        throw error
      }
      preview.#break(error)
    }
    return preview
  }

  /** Loads what is saved now, after what is being loaded. */
  reload(): void {
    this.#reloading = this.#reloading.then(() => this.#reload())
  }

  status(): PreviewView {
    const good = this.#good
    const { template, source } = this.#settings
    const inputs = good?.project.inputs
    return {
      template: inputs?.content.template.name ?? template ?? '',
      list: inputs?.source.name ?? listPath(source) ?? '',
      version: good?.name ?? '',
      server: serverOf(this.#settings),
      mailPrograms: good === undefined ? [] : mailPrograms(good.project.settings),
      rowsRead: this.rows?.size ?? 0,
      isComplete: good?.isComplete ?? false,
      counts: this.rows?.counts ?? { all: 0, problems: 0, suppressed: 0, sent: 0, hidden: 0, duplicates: 0 },
      looks: good?.list?.cases ?? [],
      broken: this.#broken,
    }
  }

  /** The rows that are listed; undefined where no list could ever be read. */
  get rows(): RowStore | undefined {
    return (this.#before ?? this.#good)?.project.rows
  }

  /** Hosts of pictures that the texts of the template name; never one that a cell names. */
  trustedHosts(): readonly string[] {
    const text = this.#good?.places.text ?? ''
    return [...text.matchAll(/(?:https?:)?\/\/([\w.-]+(?::\d+)?)(?=[/"'\s)?#])/gi)].map(([, host = '']) =>
      host.toLowerCase(),
    )
  }

  /** A file of the template; undefined for one that is not part of it. */
  file(name: string): FileView | undefined {
    const lines = this.#good?.files.has(name) === true ? this.#good.places.lines(name) : undefined
    return lines && { file: name, lines: lines.slice(0, MOST_LINES).map((line) => line.slice(0, LONGEST_LINE)) }
  }

  /** A row and its message; undefined for a row that is not there. */
  async row(number: number, signal: AbortSignal): Promise<RowMessageView | undefined> {
    return (await this.#made(number, signal))?.view
  }

  async message(number: number, signal: AbortSignal): Promise<ReadMessage | undefined> {
    return (await this.#made(number, signal))?.message
  }

  /** Asks others about the message of a row; undefined where there is none. */
  async ask(what: Question, number: number, signal: AbortSignal): Promise<FindingsView | undefined> {
    const good = this.#good
    const { message, sample } = (await this.#made(number, signal)) ?? {}
    if (good === undefined || message === undefined || sample === undefined) return undefined
    if (what === 'spam') return { findings: await askedFilters(good.project.settings, message.bytes, signal) }
    await this.#links.ask(sample, signal)
    // It is made again, with the answers.
    good.made.delete(number)
    return { findings: this.#links.of(sample, good.places) }
  }

  /** What a run would do now; undefined while the list is being read. */
  async forecast(): Promise<ForecastView | undefined> {
    const { project, list, sizes } = this.#good ?? {}
    if (project === undefined || list === undefined) return undefined
    const { command } = this.#options
    const now = new Date()
    const held = await limitsNow(project.settings, now)
    return forecastOf(project, list, { command, now, server: serverOf(this.#settings), sizes, ...held })
  }

  /** Sends the messages of rows to another address, as `run --test-to` does. @throws MailmergeError */
  async sendTest(asked: readonly number[], to: string): Promise<TestView> {
    // All rows of their messages, where rows are grouped.
    const numbers = [...new Set(asked.flatMap((number) => this.#good?.project.rowsOf(number) ?? [number]))]
    const request: MergeRequest = {
      ...this.#options.request,
      mode: 'test',
      testTo: to,
      rows: numbers.join(','),
      hiddenRows: 'send',
    }
    const { limit: _, where: __, segment: ___, sample: ____, seed: _____, ...one } = request
    let last: MergeEvent | undefined
    const settings = await this.#options.settings()
    const summary = await runMerge(settings, one, {
      onEvent(event) {
        if ('row' in event && event.event !== 'sent' && numbers.includes(event.row)) last = event
      },
    })
    const { sent } = summary.counts
    if (sent === numbers.length) {
      const messages = summary.messages?.sent ?? sent
      return { messages, server: serverOf(settings), address: to, seconds: summary.seconds }
    }
    const why = last !== undefined && 'row' in last ? reasonWords(last) : ''
    const what = sent === 0 ? 'nothing was sent' : `${sent} of ${numbers.length} messages were sent`
    throw new DataError(`${what}${why === '' ? '' : `: ${why}`}`, {
      hint: 'A test goes where a run would: a row that a run leaves out is not sent as a test either.',
    })
  }

  async close(): Promise<void> {
    await this.#watcher.close()
    await this.#reloading
    await this.#end(this.#good)
    await this.#end(this.#before)
  }

  async #reload(): Promise<void> {
    try {
      const settings = await this.#options.settings()
      await this.#load(settings)
      this.#settings = settings
    } catch (error) {
      if (!(error instanceof MailmergeError)) throw error
      this.#break(error)
    }
    this.#options.events.publish('changed', { version: this.#good?.name ?? '' })
  }

  async #load(settings: Settings): Promise<void> {
    this.#follow(settings, undefined)
    checkClientNames(settings.check.clients ?? [])
    const project = await openProject(settings, this.#options.request)
    const { columns } = project.inputs.source
    const files = filesOf(project)
    const places = openPlaces(configFiles(settings, files), settings.root)
    const version: Version = {
      name: `${Date.now().toString(36)}-${++this.#versions}`,
      ...{ project, places, files: new Set(files), loadedAt: new Date() },
      ...{ made: new BoundedMap(KEPT_MESSAGES), stop: new AbortController() },
      findings: createFindings({ columns, emailColumn: project.inputs.emailColumn, project: { places, settings } }),
      links: this.#links,
      planned: Promise.resolve(),
      list: undefined,
      sizes: undefined,
      isComplete: false,
    }
    this.#follow(settings, project)
    await this.#takePlace(version)
  }

  async #takePlace(version: Version): Promise<void> {
    const old = this.#good
    this.#good = version
    this.#broken = undefined
    if (old !== undefined && !old.isComplete) await this.#end(old)
    else {
      await this.#end(this.#before)
      this.#before = old
    }
    version.planned = this.#plan(version)
  }

  /** Reads the list of a version. One that is broken in its middle gives way to the version before. */
  async #plan(version: Version): Promise<void> {
    const publish = (): void => {
      const { rowsRead, isComplete, counts, looks } = this.status()
      this.#options.events.publish('rows', { rowsRead, isComplete, counts, looks })
    }
    try {
      version.list = await version.project.plan(publish, version.stop.signal)
    } catch (error) {
      if (version.stop.signal.aborted) return
      if (!(error instanceof MailmergeError)) throw error
      this.#break(error)
      if (this.#before !== undefined) {
        this.#good = this.#before
        this.#before = version
      }
      this.#options.events.publish('changed', { version: this.#good?.name ?? '' })
    }
    version.isComplete = true
    version.made.clear()
    const before = this.#before
    this.#before = undefined
    // The plan of this very version must be over before the version can end.
    if (before !== undefined) setImmediate(() => void this.#end(before))
    publish()
    version.sizes = await measure(version.project, version.stop.signal)
  }

  async #end(version: Version | undefined): Promise<void> {
    if (version === undefined) return
    version.stop.abort()
    await version.planned
    await version.project[Symbol.asyncDispose]()
  }

  #break(error: MailmergeError): void {
    const [problem] = error.problems
    const file = problem?.file
    const at = file === undefined || problem?.line === undefined ? undefined : resolve(this.#settings.root, file)
    const isList = file !== undefined && file === listPath(this.#settings.source)
    this.#broken = {
      what: error.code === 'config' ? 'config' : isList ? 'list' : 'template',
      error: errorFields(error),
      lines: at === undefined || problem?.line === undefined ? [] : linesAround(at, problem.line),
      goodSince: this.#good?.loadedAt.toISOString(),
    }
  }

  #follow({ root, configFile, source }: Settings, project: Project | undefined): void {
    const own = (project === undefined ? [] : filesOf(project)).map((file) => resolve(root, file))
    const others = [configFile, listPath(source), `${root}/.env`]
    this.#watcher.follow([
      `${root}/templates`,
      ...own.filter((path) => !path.startsWith(`${root}/templates/`)),
      ...others.filter((path) => path !== undefined).map((path) => resolve(path)),
    ])
  }

  async #made(number: number, signal: AbortSignal): Promise<MadeRow | undefined> {
    const version = this.#good
    if (version === undefined) return undefined
    const known = version.made.get(number)
    if (known !== undefined) return known
    // Who holds a key down wants the last row alone.
    await new Promise((done) => setImmediate(done))
    signal.throwIfAborted()
    const { isComplete } = version
    try {
      const own = await rowOf(version, number)
      const found = own ?? (await rowOf(this.#before, number))
      if (found === undefined) return undefined
      // A message that is made again has another version: pages show what they have of a version.
      const name = own === undefined ? `${version.name}-before` : version.name
      const made = await makeRow(version, found.row, { ...found.view, version: name })
      // What was made of the list before, or before all of the list was known, is not kept beyond that.
      if (own !== undefined && version.isComplete === isComplete) version.made.set(number, made)
      return made
    } catch (error) {
      // It was saved again meanwhile, and the version is closed.
      if (version === this.#good) throw error
      return this.#made(number, signal)
    }
  }
}

/** Files of the template and its variants, from the project's root; what is not a file is left out. */
function filesOf({ inputs: { content } }: Project): readonly string[] {
  const files = [content.template, ...templatesOf(content)].flatMap((template) => template.files)
  return [...new Set(files)].filter((file) => !file.startsWith('('))
}

/** The file of the list; undefined for a query or a command. */
function listPath({ from }: Settings['source']): string | undefined {
  return from?.kind === 'file' ? from.path : undefined
}

async function rowOf(version: Version | undefined, number: number) {
  const rows = version?.project.rows
  const [row, view] = await Promise.all([rows?.row(number), rows?.view(number)])
  return row === undefined || view === undefined ? undefined : { row, view }
}

function configFiles({ configFile, root }: Settings, files: readonly string[]): readonly string[] {
  if (configFile === undefined) return files
  const own = configFile.startsWith(`${root}/`) ? configFile.slice(root.length + 1) : configFile
  return [...files, own]
}

function serverOf({ smtp, transport }: Settings): string {
  if (transport !== undefined && transport !== 'smtp')
    return typeof transport === 'string' ? transport : 'the transport of the project'
  return smtp.host
}
