/** Mails as mail programs save them, used as templates. The mails are written here in the way of each program. */
import { describe, expect, test } from 'vitest'
import { joinMustaches } from '../../src/template/files/mail-file.ts'
import { load, problems, render } from './project.ts'

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** A draft of Thunderbird: format=flowed text, HTML with a picture in a related part, an attachment. */
const THUNDERBIRD = `Message-ID: <b1@example.org>
Date: Fri, 27 Nov 2026 10:00:00 +0100
MIME-Version: 1.0
X-Mozilla-Draft-Info: internal/draft; vcard=0; receipt=0; DSN=0; uuencode=0
User-Agent: Mozilla Thunderbird
Content-Language: en-US
From: "Guild, The" <guild@example.org>
Reply-To: desk@example.org
To: {{name}} <{{email}}>
Cc: archive@example.org
Subject: =?UTF-8?Q?Einladung_f=C3=BCr_=7B=7Bname=7D=7D?=
Content-Type: multipart/mixed; boundary="m"

--m
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

Dear {{name}},
{{#if vip}}your table waits.{{/if}}

--a
Content-Type: multipart/related; boundary="r"

--r
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: 8bit

<!DOCTYPE html><html><head><meta http-equiv="content-type" content="text/html; charset=UTF-8"></head>
<body><p>Dear {{<b>na</b>me}},</p><p>{{#if vip}}your table waits.{{/if}}</p>
<p><img src="cid:part1.xyz@example.org" alt=""><a href="https://example.org/?n=%7B%7Bname%7D%7D">Come</a></p></body></html>
--r
Content-Type: image/png; name="logo.png"
Content-Disposition: inline; filename="logo.png"
Content-Id: <part1.xyz@example.org>
Content-Transfer-Encoding: base64

${PNG}
--r--
--a--
--m
Content-Type: application/pdf; name="=?UTF-8?Q?Men=C3=BC.pdf?="
Content-Disposition: attachment; filename*=UTF-8''Men%C3%BC.pdf
Content-Transfer-Encoding: base64

JVBERi0xLjcK
--m--
`.replaceAll('\n', '\r\n')

/** As Outlook writes: Word's HTML in quoted-printable and Windows-1252, with proofing marks in the middle of words. */
const OUTLOOK = `From: Guild <guild@example.org>
To: Ada <ada@example.org>
Subject: Your seat, {{first_name}}
MIME-Version: 1.0
Content-Type: text/html; charset="windows-1252"
Content-Transfer-Encoding: quoted-printable

<html xmlns:o=3D"urn:schemas-microsoft-com:office:office"><head><meta http-equiv=3D"Content-Type" content=3D"text/=
html; charset=3Dwindows-1252"><style><!-- p.MsoNormal {margin:0cm;} --></style></head><body>
<p class=3DMsoNormal>Dear {{<span class=3DSpellE>first_name</span>}},<o:p></o:p></p>
<p class=3DMsoNormal>{{#if (eq city =93Paris=94)}}<i>=C0 bient=F4t</i>{{/if}} {{<span style=3D'color:red'>se=
at</span>&nbsp;}}</p></body></html>
`.replaceAll('\n', '\r\n')

/** As Gmail gives "Download message": both parts, divs, a wrapped placeholder. */
const GMAIL = `MIME-Version: 1.0
Date: Fri, 27 Nov 2026 10:00:00 +0000
Message-ID: <CA+x@mail.gmail.com>
Subject: Hello {{name}}
From: Guild <guild@gmail.com>
To: "ada@example.org" <ada@example.org>
Content-Type: multipart/alternative; boundary="000000000000a"

--000000000000a
Content-Type: text/plain; charset="UTF-8"

Hello {{name}}, it costs {{number price
style="decimal"}}.

--000000000000a
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

<div dir=3D"ltr"><div>Hello {{name}}, it costs {{number price style=3D&quot;decim=
al&quot;}}.</div></div>
--000000000000a--
`.replaceAll('\n', '\r\n')

describe('a mail', () => {
  test('of Thunderbird keeps subject, sender, both bodies, its picture and its attachment', async () => {
    const rendered = await render(
      'invite',
      { 'templates/invite.eml': THUNDERBIRD },
      { name: 'Zoë', email: 'zoe@example.com', vip: 'yes' },
    )
    expect(rendered.subject).toBe('Einladung für Zoë')
    expect(String(rendered.from)).toBe('"Guild, The" <guild@example.org>')
    expect(String(rendered.replyTo)).toBe('desk@example.org')
    expect(rendered.text?.trim()).toBe('Dear Zoë,\nyour table waits.')
    expect(rendered.html).toContain('Dear Zoë<b></b>,')
    expect(rendered.html).toContain('your table waits.')
    expect(rendered.html).toContain('src="cid:part1.xyz@example.org"')
    expect(rendered.html).toContain('href="https://example.org/?n=Zo')
    expect(rendered.inline).toMatchObject([{ kind: 'content', cid: 'part1.xyz@example.org', type: 'image/png' }])
    expect(rendered.attachments).toMatchObject([{ kind: 'content', name: 'Menü.pdf', type: 'application/pdf' }])
    expect(Buffer.from((rendered.attachments[0] as { content: Uint8Array }).content).toString()).toBe('%PDF-1.7\n')
  })

  test('goes to the people of the list: its own recipients are not used, unless a row says them, and that is said', async () => {
    const thunderbird = await load('invite', { 'templates/invite.eml': THUNDERBIRD })
    expect([thunderbird.setsTo, thunderbird.notes]).toEqual([
      true,
      ['Cc of templates/invite.eml is not used: the list says who gets it'],
    ])
    const outlook = await load('seat', { 'templates/seat.eml': OUTLOOK })
    expect([outlook.setsTo, outlook.notes]).toEqual([
      false,
      ['To of templates/seat.eml is not used: the list says who gets it'],
    ])
  })

  test('of Outlook is read in its encoding, with placeholders that it marked and dressed up', async () => {
    const cells = { first_name: 'Ada', city: 'Paris', seat: 'A1' }
    const { html, text } = await render('seat', { 'templates/seat.eml': OUTLOOK }, cells)
    expect(html).toContain('Dear Ada<span class="SpellE"></span>,')
    expect(html).toContain('<i>À bientôt</i>')
    expect(html).toContain('A1<span')
    expect(html).toMatch(/charset=utf-8/i)
    expect(text).toMatch(/Dear Ada,[\s\S]*À bientôt A1/)
  })

  test('of Gmail has placeholders over two lines and quotes as entities', async () => {
    const { html, text } = await render('t', { 'templates/t.eml': GMAIL }, { name: 'Ada', price: '1234.5' })
    expect(text?.trim()).toBe('Hello Ada, it costs 1,234.5.')
    expect(html).toContain('it costs 1,234.5.')
  })

  test('can have versions in other languages, each a mail of its own', async () => {
    const files = { 'templates/t.eml': GMAIL, 'templates/t.de.eml': GMAIL.replace('Subject: Hello', 'Subject: Hallo') }
    const subjectFor = async (lang: string) => (await render('t', files, { name: 'A', price: '1', lang })).subject
    expect([await subjectFor('de'), await subjectFor('en')]).toEqual(['Hallo A', 'Hello A'])
  })

  test('is checked like any template: columns that are not there, and files that are not mails', async () => {
    const unknown = render('t', { 'templates/t.eml': GMAIL }, { nam: 'Ada', price: '1' })
    expect(await problems(unknown)).toMatchObject([{ file: 'templates/t.eml' }])
    await expect(load('t', { 'templates/t.eml': 'just some words\n' })).rejects.toThrow(
      /templates\/t\.eml is not a mail/,
    )
  })
})

describe('placeholders in HTML', () => {
  test.each([
    ['{{name}}', '{{name}}'],
    ['{<i>{name}</i>}', '{{name}}<i></i>'],
    ['<p>{{a}}</p><p>{{b}}</p>', '<p>{{a}}</p><p>{{b}}</p>'],
    ['{{name<!-- x -->}}', '{{name}}<!-- x -->'],
    ['{{#if&nbsp;(eq a &quot;x&quot;)}}y{{/if}}', '{{#if (eq a "x")}}y{{/if}}'],
    ['{{#if (eq a &ldquo;x&rdquo;)}}y{{/if}}', '{{#if (eq a "x")}}y{{/if}}'],
    ['{{date d format=„EEEE“}}', '{{date d format="EEEE"}}'],
    ['{{na\u200Bme}}', '{{name}}'],
    ['{{{raw}}}', '{{{raw}}}'],
    // Braces of two paragraphs are not one placeholder.
    ['<p>{{</p><p>x}}</p>', '<p>{{</p><p>x}}</p>'],
    ['<style>a{b:{{c}}}</style>{{d}}', '<style>a{b:{{c}}}</style>{{d}}'],
    ['1 < 2 {{a}}', '1 < 2 {{a}}'],
  ])('%s are %s', (html, joined) => {
    expect(joinMustaches(html)).toBe(joined)
  })

  test('of a hostile mail are looked for in no time', () => {
    for (const hostile of ['{{', '<', '{{<b>', '<style', '<!--', '{{&quot;', '&#'].map((part) => part.repeat(60_000)))
      joinMustaches(`{{${hostile}`)
  })
})
