import { expect, test } from 'vitest'
import { withUsers } from './room.ts'

test('a user of the room takes the place of one that the machine has by that name or number', () => {
  const passwd =
    'root:x:0:0::/root:/bin/sh\nDebian-exim:x:104:110::/var/spool/exim4:/bin/false\nother:x:60001:60001::/:/bin/false\n'
  const own = withUsers(
    passwd,
    [{ name: 'Debian-exim', id: 60_001 }],
    ({ name, id }) => `${name}:x:${id}:${id}::/:/bin/false`,
  )
  expect(own).toBe('Debian-exim:x:60001:60001::/:/bin/false\nroot:x:0:0::/root:/bin/sh\n')
})
