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
  completion: {
    summary: 'a script by which bash, zsh or fish completes commands and options',
    example: 'source <(sorites completion bash)    # in ~/.bashrc',
    load: async () => (await import('./completion/command.ts')).completionOf(COMMANDS),
  },
}
