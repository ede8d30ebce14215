/**
 * The header of an arena that was found in memory: is it one, and one that this build understands? What is wrong is named.
 *
 *     another build, another page size     ERR_UNSUPPORTED_OPERATION: the memory is all right, for somebody else
 *     anything else                        ERR_CORRUPTED
 *
 * The figure is in layout.ts.
 * @module
 */
import { CorruptedError, UnsupportedOperationError } from '../../errors.ts'
import { ArenaState, HeaderLength, HeaderWord, type Layout, layoutHash, MAGIC, mostClaims, VERSION } from '../layout.ts'

/** Throws unless the words and lengths are the header of an arena with this layout. */
export function verifyArenaHeader(words: Uint32Array, lengths: Float64Array, layout: Layout, pageSize: number): void {
  corrupted('magic', MAGIC, words[HeaderWord.magic])
  unsupported('version', VERSION, words[HeaderWord.version])
  unsupported('layout hash', layoutHash(), words[HeaderWord.layoutHash])
  unsupported('page size', pageSize, words[HeaderWord.pageSize])
  corrupted('state', ArenaState.open, words[HeaderWord.state])
  corrupted('byteLength', layout.byteLength, lengths[HeaderLength.byteLength])
  corrupted('metadata bytes', layout.metadataBytes, lengths[HeaderLength.metadataBytes])
  const most = mostClaims(layout.directoryBytes)
  for (const field of ['entries', 'openClaims'] as const) {
    const found = words[HeaderWord[field]] as number
    if (found > most) throw new CorruptedError(`arena header: "${field}" expected at most ${most}, got ${found}`)
  }
}

function corrupted(field: string, expected: number, found: number | undefined): void {
  if (found !== expected) throw new CorruptedError(`arena header: "${field}" expected ${expected}, got ${found}`)
}

function unsupported(field: string, expected: number, found: number | undefined): void {
  if (found !== expected)
    throw new UnsupportedOperationError(
      `arena header: "${field}" expected ${expected}, got ${found}: it was written by another build, or on another machine`
    )
}
