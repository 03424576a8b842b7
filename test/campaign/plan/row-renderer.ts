/** A row renderer over a template of a test's project. */
import { createRowRenderer, type RowRenderer, type RowRendererOptions } from '../../../src/campaign/plan/render-row.ts'
import type { Template } from '../../../src/template/template.ts'

export function rowRenderer(
  root: string,
  template: Template | undefined,
  more: Partial<RowRendererOptions> = {},
): RowRenderer {
  return createRowRenderer({
    template,
    from: undefined,
    split: undefined,
    campaign: { name: 'letter', token: 'token' },
    recipients: { emailColumn: 'email', key: undefined, foldGmail: false },
    testTo: undefined,
    bodies: false,
    unsubscribeLinks: undefined,
    locale: undefined,
    timeZone: undefined,
    rates: [],
    returnPath: undefined,
    fixedSender: undefined,
    dkim: [],
    files: { root, roots: [], never: [] },
    ...more,
  })
}
