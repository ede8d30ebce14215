/**
 * The sample files of the readers' tests. `small.mtrace` was written by glibc 2.36 for a C program that made each kind of call; the other two
 * were written by hand as the formats are documented.
 * @module
 */
import { readFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'

/** The bytes of a file of test/trace/files. */
export function sampleFile(name: string): Buffer {
  // The sources stand in the repository, not beside the compiled files.
  return readFileSync(new URL(`../../../../test/trace/files/${name}`, import.meta.url))
}

export const SAMPLES: readonly string[] = ['small.mtrace', 'small-memory-replay.txt', 'small.rep']

/** A zip archive of these files, as Info-ZIP writes it. */
export function zipOf(files: Readonly<Record<string, Uint8Array>>, method: 0 | 8 = 8): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const [name, bytes] of Object.entries(files)) {
    const data = method === 8 ? deflateRawSync(bytes) : Buffer.from(bytes)
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50, 0)
    head.writeUInt16LE(method, 8)
    head.writeUInt32LE(data.length, 18)
    head.writeUInt32LE(bytes.length, 22)
    head.writeUInt16LE(name.length, 26)
    const record = Buffer.alloc(46)
    record.writeUInt32LE(0x02014b50, 0)
    record.writeUInt16LE(method, 10)
    record.writeUInt32LE(data.length, 20)
    record.writeUInt32LE(bytes.length, 24)
    record.writeUInt16LE(name.length, 28)
    record.writeUInt32LE(at, 42)
    local.push(head, Buffer.from(name), data)
    central.push(record, Buffer.from(name))
    at += 30 + name.length + data.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Object.keys(files).length, 8)
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...local, directory, end])
}
