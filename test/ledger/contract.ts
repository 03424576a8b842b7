/**
 * What every ledger promises, written once over the seam: SQLite is held to it, and what comes beside it will be. Nothing here
 * knows how a ledger keeps what it keeps.
 */
import { afterEach, beforeEach, describe } from 'vitest'
import { campaignsContract } from './campaigns-contract.ts'
import { deliveryContract } from './delivery-contract.ts'
import { type LedgerHouse, NOW, type OpenHouse } from './house.ts'
import { personsContract } from './persons-contract.ts'
import { planContract } from './plan-contract.ts'
import { quotasContract } from './quotas-contract.ts'

export function ledgerContract(name: string, make: () => Promise<LedgerHouse>): void {
  describe(`${name} as a ledger`, () => {
    const open = {} as OpenHouse

    beforeEach(async () => {
      open.house = await make()
      open.ledger = await open.house.open(() => NOW)
      open.campaign = await open.ledger.campaigns.open('invite-list')
    })
    afterEach(async () => {
      await open.ledger.close()
      await open.house.close()
    })

    campaignsContract(open)
    planContract(open)
    deliveryContract(open)
    quotasContract(open)
    personsContract(open)
  })
}
