/**
 * Makes a program that fails shorter: parts of it are left out, first halves, then smaller and smaller ones, as long as it fails in the
 * same way. Every attempt runs in a child, so crashes and hangs shrink as well. Last, numbers are made smaller.
 * @module
 */
import type { Command } from './commands/picks.ts'

/** What a failure is about, without its numbers. */
export function signature(wrong: string): string {
  const [first = ''] = wrong.split('\n')
  return first
    .replace(/\(.*\) (threw|gave)/, ' $1')
    .replaceAll(/-?\d+(\.\d+)?(e\+?\d+)?/g, 'N')
    .replaceAll(/expected .*$/g, '')
    .slice(0, 160)
}

/** `fails` says how a program fails, undefined when it does not. */
export async function shrink(
  commands: readonly Command[],
  fails: (commands: readonly Command[]) => Promise<string | undefined>,
  wrong: string,
  patienceMs: number
): Promise<readonly Command[]> {
  const end = performance.now() + patienceMs
  const wanted = signature(wrong)
  const same = async (candidate: readonly Command[]): Promise<boolean> => {
    const found = await fails(candidate)
    return found !== undefined && signature(found) === wanted
  }
  let best = commands
  for (let size = Math.ceil(best.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = best.length - size; from > -size; from -= size) {
      if (performance.now() > end) return best
      const candidate = [...best.slice(0, Math.max(0, from)), ...best.slice(from + size)]
      if (candidate.length < best.length && (await same(candidate))) best = candidate
    }
  }
  for (let index = 0; index < best.length; index++)
    for (const key of ['a', 'b', 'c'] as const)
      for (const value of [0, 1, 2]) {
        const command = best[index] as Command
        if (performance.now() > end) return best
        if (command[key] <= value) break
        const candidate = best.with(index, { ...command, [key]: value })
        if (await same(candidate)) {
          best = candidate
          break
        }
      }
  return best
}
