/**
 * Finds a policy: by the name of one of the house, or by the path of a module. What it is told by is written out, so that it can be loaded
 * again in another process.
 * @module
 */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Failure, UsageError } from '../failure.ts'
import { nearest } from '../nearest.ts'
import { POLICIES } from './policies/index.ts'
import type { PolicyModule } from './policy.ts'

export interface NamedPolicy {
  readonly name: string
  readonly module: PolicyModule
}

/** Loads a policy. A `UsageError` where there is none, a `Failure` where the module is none. */
export async function loadPolicy(word: string): Promise<NamedPolicy> {
  if (Object.hasOwn(POLICIES, word)) return { name: word, module: await POLICIES[word]!() }
  if (!existsSync(word)) {
    const near = nearest(word, Object.keys(POLICIES))
    throw new UsageError(
      `there is no policy "${word}" and no such file${near === undefined ? '' : `; did you mean "${near}"?`} (\`sorites replay --list\` lists them)`
    )
  }
  const module = policyModule(await importModule(word))
  if (module === undefined) throw new Failure(`${word} is no policy: it exports no function \`create\``)
  const { arenaBytes } = module
  if (arenaBytes !== undefined && !(Number.isSafeInteger(arenaBytes) && arenaBytes > 0))
    throw new Failure(`${word} is no policy: \`arenaBytes\` expected a whole number above 0, got ${String(arenaBytes)}`)
  return { name: typeof module.name === 'string' ? module.name : basename(word).replace(/\.[cm]?[jt]s$/, ''), module }
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(resolve(path)).href)
  } catch (error) {
    throw new Failure(`cannot load ${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The module, or its default export: as CommonJS has it. */
function policyModule(exports: Record<string, unknown>): PolicyModule | undefined {
  for (const found of [exports, exports.default] as readonly (Partial<PolicyModule> | undefined)[])
    if (typeof found?.create === 'function') return found as PolicyModule
  return undefined
}
