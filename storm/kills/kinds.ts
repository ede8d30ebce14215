/**
 * What a kill campaign is made of: one that works until it is killed, and the proof that what it left is whole.
 *
 *     writer    shared | named | file      works on a heap and notes each block; killed; the next one attaches and looks
 *     claimer   shared | named             claims and releases; killed; the directory goes on working
 *     reader                               looks at a heap while its writer is killed
 *     worker                               a thread does the writer's work and is terminated
 *     maker     arena | file               makes named arenas and files; killed; nothing half-made is found under the name
 * @module
 */

export const KILL_KINDS = [
  'writer-shared',
  'writer-named',
  'writer-file',
  'claimer-shared',
  'claimer-named',
  'reader',
  'worker',
  'maker-arena',
  'maker-file',
] as const

export type KillKind = (typeof KILL_KINDS)[number]

/** One kill: how it was, and what was wrong. */
export interface Kill {
  readonly kind: KillKind
  /** The runtime or koffi ended the whole process, where the library was not asked. */
  readonly runtime?: boolean
  readonly wrong?: string
}
