/**
 * The policies of the house, by name, each loaded when it is wanted.
 * @module
 */
import type { PolicyModule } from '../policy.ts'

export const POLICIES: Readonly<Record<string, () => Promise<PolicyModule>>> = {
  heap: () => import('./heap.ts'),
  'best-fit': () => import('./best-fit.ts'),
  'segregated-fit': () => import('./segregated-fit.ts'),
  'first-fit': () => import('./first-fit.ts'),
  'next-fit': () => import('./next-fit.ts'),
  buddy: () => import('./buddy.ts'),
  bump: () => import('./bump.ts'),
}
