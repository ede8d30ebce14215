/**
 * A small trace with every operation in it, the same in every run.
 * @module
 */
import { TraceBuilder } from '../../src/trace/builder.ts'
import { FLAG_SYNTHETIC, type Trace } from '../../src/trace/trace.ts'

/** About `events` events; some blocks live at the end. */
export function sampleTrace(events: number, largest = 2000): Trace {
  const builder = new TraceBuilder()
  const live: number[] = []
  let state = 12345
  const draw = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  while (builder.length < events) {
    const choice = draw(10)
    if (choice < 3 || live.length === 0) live.push(builder.malloc(draw(largest)))
    else if (choice < 5) live.push(builder.calloc(draw(largest)))
    else if (choice < 6) live.push(builder.memalign(2 ** draw(9), draw(largest)))
    else if (choice < 7) builder.realloc(live[draw(live.length)]!, 1 + draw(largest))
    else builder.free(live.splice(draw(live.length), 1)[0]!)
  }
  return builder.build(FLAG_SYNTHETIC)
}
