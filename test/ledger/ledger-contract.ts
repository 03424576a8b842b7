/**
 * What every ledger promises, written once over the seam: each way to keep one is held to it. Nothing here knows how a ledger
 * keeps what it keeps.
 */
import { describe } from 'vitest'
import { campaignsContract } from './campaigns-contract.ts'
import { carbonCopiesContract } from './carbon-copies-contract.ts'
import { deliveryContract } from './delivery-contract.ts'
import { feedbackContract } from './feedback-contract.ts'
import { groupsContract } from './groups-contract.ts'
import { type LedgerBackend, useBackend } from './harness.ts'
import { noticesContract } from './notices-contract.ts'
import { personsContract } from './persons-contract.ts'
import { planContract } from './plan-contract.ts'
import { quotasContract } from './quotas-contract.ts'
import { schedulesContract } from './schedules-contract.ts'

export function ledgerContract(name: string, open: () => Promise<LedgerBackend>): void {
  describe(`${name} as a ledger`, () => {
    useBackend(open)
    campaignsContract()
    planContract()
    deliveryContract()
    groupsContract()
    carbonCopiesContract()
    feedbackContract()
    quotasContract()
    personsContract()
    schedulesContract()
    noticesContract()
  })
}
