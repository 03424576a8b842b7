/** Taking a sign-in back at the provider (RFC 7009), so that its tokens are worth nothing to whoever has them. */
import * as oauth from 'oauth4webapi'
import { type OAuthClient, requestOptions } from './client.ts'
import type { Tokens } from './token-file.ts'

/** False where the provider cannot do it, or does not answer: the tokens then end by themselves. */
export async function revoke(client: OAuthClient, tokens: Tokens): Promise<boolean> {
  const { server, authentication } = client
  if (server.revocation_endpoint === undefined) return false
  const token = (tokens.refresh ?? tokens.access).reveal()
  try {
    const response = await oauth.revocationRequest(server, client.client, authentication, token, requestOptions(client))
    await oauth.processRevocationResponse(response)
    return true
  } catch {
    return false
  }
}
