/** One run as it is: its state, its figures, what needs a person. Owns what of them is shown; what is asked for is the page's. */
import { html, nothing, svg, type TemplateResult } from 'lit'
import { ROW_STATES, STATE_LOOKS, STATE_WORDS } from '../../../report/row-states.ts'
import type { LaneItem, ReasonItem, RowCounts, RunAction, RunView, StuckRow } from '../../wire.ts'
import { clockTime, count, dayAndTime, shortTime, timeOrDay } from '../format.ts'
import { icon } from '../icons.ts'
import { SIGNS } from './run-list.ts'

export interface RunActions {
  /** Whether anything can be asked for: the process of the page is there. */
  readonly acts: boolean
  /** Whether a run can be resumed from this page. */
  readonly resumes: boolean
  readonly act: (action: RunAction) => void
  /** Asks before it cancels. */
  readonly cancel: () => void
  readonly keep: (rows: readonly StuckRow[]) => void
  /** Asks before it sends them again. */
  readonly resend: (rows: readonly StuckRow[]) => void
  readonly showAll: () => void
}

type Progress = NonNullable<RunView['progress']>

export function oneRun(run: RunView, actions: RunActions): TemplateResult {
  return html`${pauseBanner(run, actions)}${head(run, actions)}${numbers(run)}${doubtCard(run, actions)}
      ${run.rate === undefined && run.progress === undefined ? nothing : html`<div class="two">${rateCard(run)}${connectionsCard(run)}</div>`}
      ${waitingCard(run)}
      <div class="two">${domainsCard(run)}${failedCard(run, actions)}</div>`
}

function pauseBanner(run: RunView, { act, resumes }: RunActions): TemplateResult | typeof nothing {
  if (run.sign !== 'paused') return nothing
  const left = run.counts.to_send + run.counts.deferred
  return html`<div class="banner warn">${icon('pause')}<b>${run.words}</b>
      <p>Nothing goes out. ${left === 1 ? '1 row is' : `${count(left)} rows are`} still to send.</p>
      <span class="act">${
        resumes
          ? html`<button type="button" class="btn main" @click=${() => act('resume')}>Go on</button>`
          : html`<code>mailmerge resume ${run.run}</code>`
      }</span></div>`
}

function head(run: RunView, { act, cancel, showAll, acts, resumes }: RunActions): TemplateResult {
  const [look, name] = SIGNS[run.sign]
  const done = run.progress?.doneAt
  const end = run.endedAt === undefined ? '' : `, ended ${dayAndTime(run.endedAt)}`
  const isOpen = canPause(run) || canGoOn(run) || run.sign === 'paused' || run.sign === 'waiting'
  return html`<div class="head"><button type="button" class="btn quiet hide-wide" @click=${showAll}>${icon('back')}All runs</button>
      <h2 class="title"><bdi>${run.campaign}</bdi></h2><span class="st pill ${look}" role="status">${icon(name)}${run.words}</span>
      <span class="grow"></span><span class="acts">
        ${acts && canPause(run) ? html`<button type="button" class="btn" @click=${() => act('pause')}>${icon('pause')}Pause</button>` : nothing}
        ${resumes && canGoOn(run) && run.sign !== 'paused' ? html`<button type="button" class="btn" @click=${() => act('resume')}>${icon('play')}Go on</button>` : nothing}
        ${acts && isOpen ? html`<button type="button" class="btn risk" @click=${cancel}>Cancel the run</button>` : nothing}
      </span>
      <p class="meta num"><bdi>${run.template}</bdi> with <bdi>${run.source}</bdi>, started ${dayAndTime(run.startedAt)}${end}, run ${run.run}.
        ${done === undefined ? nothing : html`<b class="soft">Done at about ${shortTime(new Date(done))}.</b>`}</p></div>`
}

function doubtCard({ inDoubt, counts }: RunView, { keep, resend, acts }: RunActions): TemplateResult | typeof nothing {
  if (counts.in_doubt === 0) return nothing
  const many = counts.in_doubt > 1
  const title = many ? `${count(counts.in_doubt)} rows are in doubt. You decide.` : '1 row is in doubt. You decide.'
  const more = counts.in_doubt - inDoubt.length
  return html`<section class="card doubt-card" aria-labelledby="doubt"><div class="card-h"><span class="st doubt">${icon('doubt')}</span>
        <h2 id="doubt" class="grow" tabindex="-1">${title}</h2>
        ${
          acts && many && more === 0
            ? html`<button type="button" class="btn" @click=${() => keep(inDoubt)}>Keep all ${count(inDoubt.length)}</button>
              <button type="button" class="btn" @click=${() => resend(inDoubt)}>Send all ${count(inDoubt.length)} again</button>`
            : nothing
        }</div>
      <p class="soft letterish">The message was handed over, and the connection broke before the answer. It may have arrived. Ask the reader, or look into the log of the mail server. Nothing is sent again by itself.</p>
      <div class="doubts">${inDoubt.map(
        (row) => html`<div class="doubt-row"><span class="num faint">${count(row.row)}</span>
          <div><bdi class="at">${row.address}</bdi><div class="faint num">${row.at === undefined ? nothing : `${clockTime(new Date(row.at))}, `}${row.why}</div></div>
          ${
            acts
              ? html`<span class="acts"><button type="button" class="btn" aria-label="It arrived: keep, row ${row.row}" @click=${() => keep([row])}>It arrived: keep</button>
            <button type="button" class="btn" aria-label="Send again, row ${row.row}" @click=${() => resend([row])}>Send again</button></span>`
              : nothing
          }</div>`,
      )}</div>
      ${more > 0 ? html`<p class="faint">And ${count(more)} more; the results list them all.</p>` : nothing}</section>`
}

function failedCard({ failed, counts }: RunView, { act, resumes }: RunActions): TemplateResult | typeof nothing {
  if (counts.failed === 0) return nothing
  return html`<section class="card" aria-labelledby="failed"><div class="card-h"><span class="st failed">${icon('failed')}</span>
        <h2 id="failed" class="grow">${count(counts.failed)} failed for good</h2>
        ${resumes ? html`<button type="button" class="btn" @click=${() => act('retry')}>Try again</button>` : nothing}</div>
      ${reasonTable(failed, 'Why rows failed')}</section>`
}

export function canPause({ sign, atWork }: RunView): boolean {
  return atWork || sign === 'sending' || sign === 'waiting'
}

export function canGoOn({ sign, atWork, counts }: RunView): boolean {
  return !atWork && sign !== 'cancelled' && counts.deferred + counts.to_send > 0
}

function stack(counts: RowCounts, look: string): TemplateResult {
  const shown = ROW_STATES.filter((state) => counts[state] > 0)
  const words = shown.map((state) => `${count(counts[state])} ${STATE_WORDS[state].toLowerCase()}`).join(', ')
  return html`<div class="stack ${look}" role="img" aria-label=${words}>${shown.map(
    (state) => html`<i class="m-${STATE_LOOKS[state]}" data-share=${counts[state]}></i>`,
  )}</div>`
}

function numbers(run: RunView): TemplateResult {
  const { counts, rows, percent, source } = run
  return html`<section class="card" aria-label="In numbers"><div class="stats num">${ROW_STATES.map((state) => {
    const look = STATE_LOOKS[state]
    return html`<div class="stat"><b>${count(counts[state])}</b><span class="st ${look === 'todo' ? 'faint' : look}">${icon(look)}${STATE_WORDS[state]}</span></div>`
  })}</div>
    ${stack(counts, '')}
    <p class="legend num"><span>${rows === 1 ? '1 row' : `${count(rows)} rows`} in <bdi>${source}</bdi>, each in one of these</span><span class="grow"></span><span>${percent} % sent</span></p></section>`
}

function rateCard({ rate, progress }: RunView): TemplateResult {
  const now =
    progress === undefined ? nothing : html`<span class="soft num">now <b>${progress.perSecond.toFixed(1)}</b></span>`
  return html`<section class="card" aria-labelledby="rate"><div class="card-h"><h2 id="rate" class="grow">Messages a second</h2>${now}</div>
    ${
      rate === undefined
        ? html`<p class="soft">The line begins after the first seconds.</p>`
        : html`<div class="scroll-x" tabindex="0" role="region" aria-label="Chart: messages a second">
          <svg class="chart" viewBox="-34 -14 920 186" role="img" aria-label="Messages a second over time; the same figures are in the table below">
            ${rate.grid.map(({ y, label }) => svg`<line class="grid" x1="0" x2="860" y1=${y} y2=${y}/><text x="-8" y=${y + 4} text-anchor="end">${label}</text>`)}
            ${rate.limit === undefined ? nothing : svg`<line class="limit" x1="0" x2="860" y1=${rate.limit.y} y2=${rate.limit.y}/><text x="860" y=${rate.limit.y - 5} text-anchor="end">${rate.limit.words}</text>`}
            <path class="area" d=${rate.area}/><path class="line" d=${rate.line}/>
            ${rate.marks.map(({ x, label, anchor }) => svg`<text x=${x} y="164" text-anchor=${anchor}>${label}</text>`)}
          </svg></div>
          <details><summary>The same as a table</summary><table><thead><tr><th>From</th><th class="r">Sent</th><th class="r">A second</th></tr></thead>
            <tbody>${rate.columns.map((one) => html`<tr><td>${one.from}</td><td class="r">${one.sent}</td><td class="r">${one.rate}</td></tr>`)}</tbody></table></details>`
    }</section>`
}

function connectionsCard({ progress, zone }: RunView): TemplateResult {
  if (progress === undefined) {
    return html`<section class="card" aria-labelledby="connections"><div class="card-h"><h2 id="connections">Connections</h2></div>
      <p class="soft">No process sends this run now. Times are those of ${zone}.</p></section>`
  }
  const { pause, connections, most, lanes = [] } = progress
  const of = most === undefined ? '' : ` of ${count(most)}`
  return html`<section class="card" aria-labelledby="connections"><div class="card-h"><h2 id="connections" class="grow">Connections</h2>
      <span class="soft num">${count(connections)}${of} at work</span></div>
    ${lanes.length === 0 ? nothing : html`<ol class="lanes num">${lanes.map(laneLine)}${restingLine(progress)}</ol>`}
    <dl class="facts"><div><dt>Server</dt><dd>${progress.server}</dd></div>${encryptionFact(lanes)}
      ${pause === undefined ? nothing : html`<div><dt>Waits</dt><dd>${pause.words}${pause.until === undefined ? nothing : html`<br>until ${timeOrDay(pause.until)}`}</dd></div>`}
      <div><dt>Times</dt><dd>${zone}</dd></div></dl></section>`
}

/** A connection that its server keeps waiting for this long is said to wait. */
const QUIET_MS = 2_000

function laneLine({ place, row, quietMs, perSecond, encryption, account }: LaneItem): TemplateResult {
  const isQuiet = quietMs >= QUIET_MS
  const [look, words] =
    row === undefined
      ? ['idle', 'Waits for its turn']
      : isQuiet
        ? ['slow', `Row ${count(row)}: no answer for ${count(Math.floor(quietMs / 1000))} s yet`]
        : ['', `Sending row ${count(row)}`]
  return html`<li><span class="faint">${place}</span><span class="dot ${look}" aria-hidden="true"></span><span class="cut grow">${words}</span>
    ${account === undefined ? nothing : html`<span class="faint">${account}</span>`}
    ${encryption === undefined ? nothing : html`<span class="faint" title=${encryption}>${encryption.replace(/,.*/, '')}</span>`}
    <span class="faint">${perSecond.toFixed(1)}/s</span></li>`
}

/** Protocol and cipher in full, once where all connections have the same. */
function encryptionFact(lanes: readonly LaneItem[]): TemplateResult | typeof nothing {
  const places = new Map<string, number[]>()
  for (const { place, encryption } of lanes) {
    if (encryption !== undefined) places.set(encryption, [...(places.get(encryption) ?? []), place])
  }
  if (places.size === 0) return nothing
  const lines = [...places].map(([words, of]) => (places.size === 1 ? words : `${of.join(', ')}: ${words}`))
  return html`<div><dt>Encryption</dt><dd>${lines.map((line, at) => html`${at === 0 ? nothing : html`<br>`}${line}`)}</dd></div>`
}

function restingLine({ connections, most = 0, isHeldBack }: Progress): TemplateResult | typeof nothing {
  const resting = most - connections
  if (!isHeldBack || resting < 1) return nothing
  return html`<li><span class="faint"></span><span class="dot idle" aria-hidden="true"></span>
    <span class="grow">${resting === 1 ? '1 rests' : `${count(resting)} rest`}: the server asked for fewer</span></li>`
}

function waitingCard({ waiting, counts, progress }: RunView): TemplateResult | typeof nothing {
  if (counts.deferred === 0) return nothing
  const one = counts.deferred === 1
  const when = progress === undefined ? 'when the run goes on' : one ? 'by itself' : 'by themselves'
  const title = one
    ? `1 row waits, and is tried again ${when}`
    : `${count(counts.deferred)} rows wait, and are tried again ${when}`
  return html`<section class="card" aria-labelledby="waiting"><div class="card-h"><span class="st waiting">${icon('waiting')}</span><h2 id="waiting" class="grow">${title}</h2></div>
    <div class="scroll-x" tabindex="0" role="region" aria-label="Why rows wait"><table>
      <thead><tr><th>Why</th><th>Where</th><th class="r">Rows</th><th class="r">Next try</th><th class="only-wide">What the server said</th></tr></thead>
      <tbody>${waiting.map(
        ({ words, where, rows, nextAt, code, said }) =>
          html`<tr><td>${words}</td><td><bdi>${where}</bdi></td><td class="r">${count(rows)}</td><td class="r">${nextTry(nextAt)}</td>
            <td class="only-wide faint said">${code} ${said}</td></tr>`,
      )}</tbody></table></div></section>`
}

function nextTry(at: string | undefined): string {
  if (at === undefined) return 'when it goes on'
  return new Date(at) <= new Date() ? 'now' : timeOrDay(at)
}

function reasonTable(reasons: readonly ReasonItem[], label: string): TemplateResult {
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label=${label}><table><thead><tr><th>Why</th><th class="r">Rows</th></tr></thead>
    <tbody>${reasons.map(
      ({ words, code, rows }) =>
        html`<tr><td>${words}${code === '' ? nothing : html`<br><span class="faint">${code}</span>`}</td><td class="r">${count(rows)}</td></tr>`,
    )}</tbody></table></div>`
}

function domainsCard({ domains, otherDomains }: RunView): TemplateResult | typeof nothing {
  if (domains.length === 0) return nothing
  return html`<section class="card" aria-labelledby="domains"><div class="card-h"><h2 id="domains" class="grow">By domain</h2>
      ${otherDomains > 0 ? html`<span class="soft num">and ${count(otherDomains)} more</span>` : nothing}</div>
    <div class="scroll-x" tabindex="0" role="region" aria-label="Outcomes by domain"><table>
      <thead><tr><th>Domain</th><th><span class="vh">Shares</span></th><th class="r">Sent</th><th class="r">Waiting</th><th class="r">Failed</th><th class="r">To send</th></tr></thead>
      <tbody>${domains.map(
        ({
          domain,
          counts,
        }) => html`<tr><td><bdi>${domain === '' ? 'forgotten' : domain}</bdi></td><td>${stack(counts, 'thin')}</td>
          ${(['sent', 'deferred', 'failed', 'to_send'] as const).map((state) => html`<td class="r ${counts[state] === 0 ? 'faint' : ''}">${count(counts[state])}</td>`)}</tr>`,
      )}</tbody></table></div></section>`
}
