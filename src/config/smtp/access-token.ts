/** Access tokens of a sign-in (`mailmerge login`). Owns that the code for it is loaded when a login needs it. */

import { once, type Secret } from '../../secret.ts'
import { type OAuthProvider, oauthProvider } from '../oauth-provider.ts'

/**
 * A source of fresh tokens for an account; each call may refresh.
 * @throws ConfigError for a provider that is not known.
 */
export function signedInToken(
  name: string,
  providers: Readonly<Record<string, OAuthProvider>>,
  user: string,
): () => Promise<Secret> {
  const provider = oauthProvider(name, providers)
  // Loaded when a login needs it: most projects have a password.
  const source = once(async () => (await import('../../oauth/access-token.ts')).accessTokens(provider, user))
  return async () => (await source())()
}
