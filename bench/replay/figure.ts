/**
 * The figure of a comparison: net time against peak RSS, relative to glibc.
 * @module
 */
import { drawTimeMemory, type Point } from '../report/time-memory.ts'
import type { Comparison } from './comparison.ts'

export function timeMemoryFigure(comparison: Comparison): string {
  const glibc = comparison.natives.find(({ name }) => name === 'glibc')
  if (glibc === undefined) throw new Error('there are no rows of glibc, to which the figure is relative')
  const points = comparison.data.subjects.flatMap((subject): Point[] => {
    const time = comparison.overall('net', subject, glibc)
    const memory = comparison.overall('peak', subject, glibc)
    if (time === undefined || memory === undefined) return []
    return [{ name: subject.name, time: time.mean, memory: memory.mean, ours: subject.kind === 'heap' }]
  })
  const { rounds, machine, date } = comparison.data
  const counts = `${comparison.tracesFor('net').length} traces, ${rounds} interleaved round${rounds === 1 ? '' : 's'}`
  return drawTimeMemory(points, {
    title: 'Malloc traces of real programs: time against memory',
    subtitle: `geometric means over ${counts}; ${machine.replaceAll(/\(\w+\)| Processor|, Linux.*/g, '')}; ${date}`,
    time: 'time of a call, net of the replaying loop, relative to glibc: left is faster',
    memory: 'peak RSS, relative to glibc: low is small',
  })
}
