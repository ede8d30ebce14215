/**
 * Compressing a trace: piece by piece, so that it is said how far that is. Of a trace of 5 million events 60 MB become 11 in 2 s; the highest level
 * takes 31 s for 4 % less.
 * @module
 */
import { createGzip } from 'node:zlib'
import { Progress } from '../terminal/progress.ts'

const PIECE_BYTES = 1 << 20

export async function gzipped(bytes: Uint8Array, what: string): Promise<Uint8Array> {
  const progress = new Progress(bytes.length)
  const gzip = createGzip()
  const packed: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => packed.push(chunk))
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      await new Promise<void>((resolve, reject) => gzip.write(piece, (error) => (error ? reject(error) : resolve())))
      progress.update(at + piece.length, what)
    }
    await new Promise<void>((resolve, reject) => gzip.once('end', resolve).once('error', reject).end())
    return Buffer.concat(packed)
  } finally {
    progress.stop()
  }
}
