/**
 * The commands by name, each with the line that `sorites --help` shows and the import that loads it.
 * @module
 */
import type { CommandEntry } from './command.ts'

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  map: {
    summary: 'where the memory of a process is, by owner',
    example: 'sorites map 1234                     # bars and a table of process 1234',
    load: async () => (await import('./map/command.ts')).command,
  },
  watch: {
    summary: 'the memory of a process over time, with findings at the end',
    example: 'sorites watch -- node app.js         # the same over time, while app.js runs',
    load: async () => (await import('./watch/command.ts')).command,
  },
  rss: {
    summary: 'experiments: what makes resident memory grow and fall',
    example: 'sorites rss                          # all experiments, each with its hypothesis and verdict',
    load: async () => (await import('./rss/command.ts')).command,
  },
  replay: {
    summary: 'runs malloc traces through allocation policies, and compares time and memory',
    example: 'sorites replay --html p.html ls.mtrc # what each allocation policy makes of a trace',
    load: async () => (await import('./replay/command.ts')).command,
  },
  record: {
    summary: 'records the Buffers, ArrayBuffers and typed arrays of a Node program as a trace',
    example: 'sorites record -- node app.js        # what the program asks for, as a trace to replay',
    load: async () => (await import('./record/command.ts')).command,
  },
  convert: {
    summary: 'writes a malloc trace of another format as MTRC',
    example: 'sorites convert ls.log ls.mtrc.gz    # what mtrace() wrote, as a trace to replay',
    load: async () => (await import('./convert/command.ts')).command,
  },
  completion: {
    summary: 'a script by which bash, zsh or fish completes commands and options',
    example: 'source <(sorites completion bash)    # in ~/.bashrc',
    load: async () => (await import('./completion/command.ts')).completionOf(COMMANDS),
  },
}
