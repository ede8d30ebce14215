/**
 * Where the JavaScript of a process is that does not end: Node's inspector is started by a signal, which works in an endless loop too,
 * and is asked to pause.
 *
 *     SIGUSR1 ─▶ listens on a port ─▶ /json/list ─▶ WebSocket: Debugger.enable, Debugger.pause ─▶ Debugger.paused: the frames
 *
 * A process that waits in its event loop, or in a native call, does not pause: then there is no stack to show. Up to five seconds each.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'

const PATIENCE_MS = 5000
const LOOK_MS = 50
/** State of a socket in /proc/net/tcp. */
const LISTENING = '0A'

interface Frame {
  readonly functionName: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number }
}

/** The JavaScript stack of a Node process, or why there is none. */
export async function javascriptStack(pid: number): Promise<string> {
  const deadline = AbortSignal.timeout(PATIENCE_MS)
  try {
    process.kill(pid, 'SIGUSR1')
    const port = await portOf(pid, deadline)
    const list = (await (await fetch(`http://127.0.0.1:${port}/json/list`, { signal: deadline })).json()) as {
      webSocketDebuggerUrl: string
    }[]
    const { pathname } = new URL(list[0]?.webSocketDebuggerUrl as string)
    return await pause(port, pathname, deadline)
  } catch {
    return '  no JavaScript runs: it waits in its event loop, or is inside a native call'
  }
}

function describe({ functionName, location }: Frame, urls: ReadonlyMap<string, string>): string {
  const place = `${urls.get(location.scriptId)}:${location.lineNumber + 1}:${location.columnNumber + 1}`
  return `  at ${functionName || '(anonymous)'} (${place})`
}

/** The port on which a process listens, once it does. */
async function portOf(pid: number, deadline: AbortSignal): Promise<number> {
  for (;;) {
    deadline.throwIfAborted()
    const sockets = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)))
    for (const line of readFileSync(`/proc/${pid}/net/tcp`, 'latin1').split('\n')) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === LISTENING && sockets.has(`socket:[${inode}]`))
        return Number.parseInt((local as string).split(':')[1] as string, 16)
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Asks for a pause, waits for it, and gives the frames. */
function pause(port: number, path: string, deadline: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', signal: deadline })
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
    )
    // What is sent before the answer to the upgrade is lost.
    socket.once('data', () => {
      for (const [id, method] of ['Debugger.enable', 'Debugger.pause'].entries())
        socket.write(frameOf(JSON.stringify({ id: id + 1, method })))
    })
    let received = Buffer.alloc(0)
    const urls = new Map<string, string>()
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      for (const text of textsIn(received)) {
        const { method, params } = JSON.parse(text)
        if (method === 'Debugger.scriptParsed') urls.set(params.scriptId, params.url)
        if (method !== 'Debugger.paused') continue
        socket.destroy()
        resolve((params.callFrames as Frame[]).map((frame) => describe(frame, urls)).join('\n'))
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
  })
}

/** A client's frame with a short text: masked, by zeros. */
function frameOf(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** The texts of the frames that a server has sent whole, behind its answer to the upgrade. */
function* textsIn(received: Buffer): Generator<string> {
  const head = received.indexOf('\r\n\r\n')
  if (head < 0) return
  for (let at = head + 4; at + 10 <= received.length; ) {
    const short = (received[at + 1] as number) & 127
    const [start, length] =
      short < 126
        ? [at + 2, short]
        : short === 126
          ? [at + 4, received.readUInt16BE(at + 2)]
          : [at + 10, Number(received.readBigUInt64BE(at + 2))]
    if (start + length > received.length) return
    yield received.toString('utf8', start, start + length)
    at = start + length
  }
}
