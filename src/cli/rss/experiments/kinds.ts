/** Which kind of memory a mapping is counted as. @module */
import { type Experiment, SLACK } from '../experiment.ts'

const SPAN = 2 ** 25
/** Pages of a kind that do not move. */
const none = { atLeast: -SLACK, atMost: SLACK }
const all = { atLeast: SPAN - SLACK, atMost: SPAN + SLACK }

export const experiment: Experiment = {
  name: 'kinds',
  title: 'Anonymous, file and shared memory',
  hypothesis:
    'Pages of a file count as file memory, read or written; a private copy that is written turns into anonymous memory; memory that is shared without a file counts as shared.',
  steps: (lab) => {
    const path = lab.file(SPAN)
    const open = (mode: 'copy' | 'write') => lab.keep(lab.mapFile(path, { mode }))
    const [read, write, copy] = [lab.keep(lab.mapFile(path, { mode: 'read' })), open('write'), open('copy')]
    const bytes = (file: typeof write) => file.bytes as Uint8Array
    const shared = lab.keep(lab.arena(SPAN, { shared: true }))
    const anonymous = lab.keep(lab.arena(SPAN))
    return {
      'anonymous: write': () => lab.touch(anonymous.view(Uint8Array, 0, SPAN)),
      'file, to read: populate': () => read.populate(),
      'file, shared: write': () => lab.touch(bytes(write)),
      'file, private: read': () => lab.note('sum', lab.read(bytes(copy))),
      'file, private: write': () => lab.touch(bytes(copy)),
      'memfd: write': () => lab.touch(shared.view(Uint8Array, 0, SPAN)),
    }
  },
  expect: [
    { step: 'anonymous: write', figure: 'anonymous', ...all },
    { step: 'file, to read: populate', figure: 'file', ...all },
    { step: 'file, to read: populate', figure: 'anonymous', ...none },
    { step: 'file, shared: write', figure: 'file', ...all },
    { step: 'file, shared: write', figure: 'anonymous', ...none },
    { step: 'file, private: read', figure: 'file', ...all },
    { step: 'file, private: write', figure: 'anonymous', ...all },
    { step: 'file, private: write', figure: 'file', atLeast: -SPAN - SLACK, atMost: SLACK - SPAN },
    { step: 'memfd: write', figure: 'shared', ...all },
    { step: 'memfd: write', figure: 'anonymous', ...none },
  ],
}
