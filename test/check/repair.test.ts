import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { fixedName, repairList } from '../../src/check/repair.ts'
import type { Flags } from '../../src/config/load.ts'
import { OutputError, UsageError } from '../../src/errors.ts'
import { type CheckedProject, makeCheckedProject } from './project.ts'

let project: CheckedProject
afterEach(() => project.remove())

async function repaired(list: string, flags: Flags = {}, config = 'csv: list.csv\n') {
  project = makeCheckedProject({ 'list.csv': list, 'mailmerge.yaml': config })
  const facts = await repairList(await project.settings(flags), project.path('new.csv'))
  return { facts, text: readFileSync(project.path('new.csv'), 'utf8') }
}

describe('a repaired copy', () => {
  test('is trimmed, without empty rows and later rows of one person, and the list is as it was', async () => {
    const list =
      'name,email\n  Ada ,\u00A0ada@mail.test\u200B\n" ",\u200B\n"Bob ""B""",bob@mail.test\nAda again,ADA@mail.test\n'
    const { facts, text } = await repaired(list)
    expect(text).toBe('name,email\r\nAda,ada@mail.test\r\n"Bob ""B""",bob@mail.test\r\n')
    expect(facts).toMatchObject({ rows: 2, trimmed: 4, duplicates: 1, empty: 1, broken: 0 })
    expect(readFileSync(project.path('list.csv'), 'utf8')).toBe(list)
  })

  test('keeps rows that only a person can fix', async () => {
    const { text } = await repaired('name,email\nAda,ada@@mail.test\nBob,ada@@mail.test\n')
    expect(text.split('\r\n')).toHaveLength(4)
  })

  test('goes by the key where there is one, and keeps all rows under duplicates: all', async () => {
    const list = 'id,email\n1,ada@mail.test\n1,bob@mail.test\n2,ada@mail.test\n'
    expect((await repaired(list, { key: 'id' })).facts).toMatchObject({ rows: 2, duplicates: 1 })
    project.remove()
    expect((await repaired(list, { duplicates: 'all' })).facts).toMatchObject({ rows: 3, duplicates: 0 })
  })

  test('keeps the names of columns as the list has them, though the config renames them', async () => {
    const config = 'csv: list.csv\ncolumns:\n  rename: { Mail der Person: email }\n  computed: { twice: "{{email}}" }\n'
    const { text, facts } = await repaired('Mail der Person\nada@mail.test\nada@mail.test\n', {}, config)
    expect(text).toBe('Mail der Person\r\nada@mail.test\r\n')
    expect(facts.duplicates).toBe(1)
  })

  test('folds Gmail mailboxes when asked', async () => {
    const list = 'email\na.da@gmail.com\nada+x@gmail.com\n'
    expect((await repaired(list)).facts.duplicates).toBe(0)
    project.remove()
    expect((await repaired(list, { foldGmail: true })).facts.duplicates).toBe(1)
  })

  test('never takes the place of the list, however its path is written', async () => {
    project = makeCheckedProject({ 'list.csv': 'email\nada@mail.test\n', 'mailmerge.yaml': 'csv: list.csv\n' })
    const settings = await project.settings()
    await expect(repairList(settings, project.path('list.csv'))).rejects.toThrow(UsageError)
    await expect(repairList(settings, `${project.dir}/./list.csv`)).rejects.toThrow(UsageError)
    expect(readFileSync(project.path('list.csv'), 'utf8')).toBe('email\nada@mail.test\n')
  })

  test('that cannot be written is reported, and leaves nothing behind', async () => {
    project = makeCheckedProject({ 'list.csv': 'email\nada@mail.test\n', 'mailmerge.yaml': 'csv: list.csv\n' })
    await expect(repairList(await project.settings(), project.path('no/such/folder.csv'))).rejects.toThrow(OutputError)
    expect(readdirSync(project.dir).sort()).toEqual(['list.csv', 'mailmerge.yaml'])
  })

  test('has a name of its own when none is given; standard input needs one', async () => {
    project = makeCheckedProject({ 'list.csv': 'email\n', 'mailmerge.yaml': '' })
    expect(fixedName(await project.settings({ csv: 'guests.xlsx' }))).toMatch(/guests\.fixed\.csv$/)
    expect(fixedName(await project.settings({ csv: 'guests.csv.gz' }))).toMatch(/guests\.fixed\.csv$/)
    const piped = await project.settings({ csv: '-' })
    expect(() => fixedName(piped)).toThrow(UsageError)
  })
})
