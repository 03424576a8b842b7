/** Certificates for servers of tests, made on the spot. */
import { generate } from 'selfsigned'

export interface TestCertificate {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for `name`, valid a day; `expired` is one that no longer is. */
export async function makeCertificate(
  name: string,
  options: { readonly expired?: boolean } = {},
): Promise<TestCertificate> {
  const day = 86_400_000
  const from = options.expired ? Date.now() - 10 * day : Date.now() - day / 24
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm: 'sha256',
    notBeforeDate: new Date(from),
    notAfterDate: new Date(from + day),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: /^[\d.]+$/.test(name) ? [{ type: 7, ip: name }] : [{ type: 2, value: name }],
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}
