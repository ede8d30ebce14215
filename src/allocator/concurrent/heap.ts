/**
 * The general heap for several threads and processes at once: `new Heap(arena, { concurrent: true })` and `Heap.attach` give one of these.
 * docs/threads.md has the model and the steps.
 *
 *     malloc(n)   as a plain heap's, from the home shard; a slot's remote bit is looked at before it is handed out
 *     free(p)     in the home   as a plain heap's; the remote bit must be 0
 *                 elsewhere     another shard of ours, or one CAS on a word that its owner collects            (blocks.ts, steps.ts)
 *
 * Hot paths are written out, as in heap.ts of the plain heap: those of slots are the steps `takeSlot` and `freeOwnSlot` of steps.ts once more,
 * and those of spans call them. Cost: see docs/threads.md; 64 bytes of metadata a slab more than a plain heap has.
 *
 * Longer than other files: it is one class, with all of the contract.
 * @module
 */
import { insideOf } from '../../arena/arena.ts'
import { isDetached } from '../../arena/buffer-range.ts'
import { afterwards } from '../../arena/ending.ts'
import { wholeNumber } from '../../arguments.ts'
import { ArenaBusyError, BlockPinnedError, CorruptedError } from '../../errors.ts'
import { showAs } from '../../inspection.ts'
import type { BlockMemory } from '../base/block-memory.ts'
import { Freeing, type FreeingHooks } from '../base/freeing.ts'
import { STATE_WORD, State } from '../base/header.ts'
import { CLOSED, INNER, type Lifecycle, PINNED } from '../base/lifecycle.ts'
import type { Requests } from '../base/requests.ts'
import type { Views } from '../base/views.ts'
import type { AllocatorStats, FreeingAllocator } from '../contract.ts'
import { AllocatorFacade, factsOf, type Parts, partsOf } from '../facade.ts'
import { Decay, type Decaying, unasked } from '../heap/decay.ts'
import { tileOf } from '../heap/find-block.ts'
import type { HeapRole } from '../heap/options.ts'
import { Roots } from '../heap/roots.ts'
import { CLASS_OF, Size } from '../heap/size-classes.ts'
import type { Notices } from '../heap/spans/notices.ts'
import { binOf } from '../heap/spans/records.ts'
import { At, Bin, ClassWord, SlabWord, SpanTag, SpanWord, Window } from '../heap/words.ts'
import { proveConcurrent } from './check.ts'
import { destroyClaim, type OpenedPeer, verifyFound } from './open.ts'
import { FOR_ALLOCATOR } from './pins.ts'
import type { Shard } from './shard/shard.ts'
import type { ShardSpace } from './shard/shard-space.ts'
import type { SpaceHost } from './space/host.ts'
import { Space } from './space/space.ts'
import { concurrentClasses, concurrentStats, liveBlocksOf } from './stats.ts'
import { freeOwnSpan, takeKept } from './steps.ts'
import { ShardWord } from './words.ts'

/** As in heap.ts. */
const STATE_OF: Int32Array = Int32Array.from(CLASS_OF, (sizeClass) => At.CLASSES + sizeClass * ClassWord.WORDS)

const NO_WORDS = new Int32Array(0)

/** What the constructor was called with: the initialisers of the fields need it, and they run before the constructor's own statements. */
let opening: OpenedPeer | undefined

function takeOpening(): OpenedPeer {
  const taken = opening as OpenedPeer
  opening = undefined
  return taken
}

function remoteOf(home: Shard | undefined): number {
  return home === undefined ? 0 : home.layout.remote - SlabWord.BITS
}

export class ConcurrentHeap extends AllocatorFacade implements FreeingAllocator {
  readonly #parts: Parts<FreeingHooks> = partsOf(this)
  readonly #life: Lifecycle = this.#parts.life
  readonly #requests: Requests = this.#parts.requests
  readonly #memory: BlockMemory = this.#parts.memory
  readonly #views: Views = this.#parts.views
  readonly #freeing: Freeing = new Freeing(this.#parts)
  readonly #opened: OpenedPeer = takeOpening()
  readonly #space: Space = new Space(this.#host())
  readonly #roots: Roots = this.#makeRoots()
  /** Blocks that an allocator may have been put into, and whether they are pinned for it. */
  readonly #low: number = this.#life.claim.offset
  readonly #end: number = this.#low + this.#life.claim.byteLength
  readonly #around: Map<number, { byteLength: number; pinned: boolean }> = new Map()
  readonly #recovered: boolean = this.#join()
  #watching = false
  #left = false

  // The home: its words and places. Written when the peer comes, and again only when it gets another home: until then V8 takes them for
  // constants, which makes a malloc and free of 64 bytes a third faster.
  #m: Int32Array = this.#space.room.home?.m ?? NO_WORDS
  #shard: Shard | undefined = this.#space.room.home
  #home: ShardSpace = this.#space.room.home?.space as ShardSpace
  #notices: Notices = this.#space.room.home?.space.notices as Notices
  #firstTile: number = this.#space.room.home?.layout.firstTile ?? 0
  /** From a word of bits to the remote bits of its upper half. */
  #remote: number = remoteOf(this.#space.room.home)
  #most: number = this.#space.room.home === undefined ? -1 : Size.SMALL_MAX
  #reach: number = this.#space.room.home?.layout.tileCount ?? 0
  readonly #decay: Decay = new Decay(this.#decaying(), this.#opened.decayMs, this.#opened.schedule)

  /**
   * Whether what a peer left that died was rebuilt when this one attached. Set by the constructor: with an initialiser here the compiler would
   * write all fields twice, and V8 take none for a constant.
   */
  readonly recovered: boolean

  static #hooksOf(self: ConcurrentHeap): FreeingHooks {
    return {
      malloc: (byteLength) => self.malloc(byteLength),
      tryCalloc: (byteLength) => self.#allocate(byteLength, 8, true),
      tryMemalign: (alignment, byteLength, zero) => self.#allocate(byteLength, alignment, zero),
      undo: (offset) => self.#space.blocks.free(offset),
      forget: () => self.#forget(),
      freeAll: () => {
        self.#space.freeAll()
        self.#roots.clear()
      },
      blockAround: (offset, byteLength) => self.#blockAround(offset, byteLength),
      sizeAt: (offset) => self.#space.blocks.sizeAt(offset),
      totals: () => self.#totals(),
      sizeClasses: () => concurrentClasses(self.#space),
      glance: () => ({
        usedBytes: self.#space.shards.used().reduce((sum, { index }) => sum + index.usedBytes, 0),
        committedBytes: self.#space.shards.committed.bytes,
      }),
      guarded: () => self.#guarded(),
      hold: ({ offset }) => self.#hold(offset),
      assertUnpinned: (offset) => self.#space.blocks.assertUnpinned(offset),
      freeAt: (offset) => {
        if (self.#life.guard !== 0) self.#freeing.assertFree(offset)
        self.#space.blocks.free(offset)
        self.#tell()
      },
      resizeAt: (offset, _usable, byteLength) => self.#resizeAt(offset, byteLength),
    }
  }

  static {
    showAs(ConcurrentHeap.prototype, 'Heap', factsOf)
  }

  constructor(opened: OpenedPeer) {
    opening = opened
    super(opened.claimed, ConcurrentHeap.#hooksOf)
    this.recovered = this.#recovered
  }

  /** Becomes a peer, the first one of a new heap or of one that is there, and takes a home if it can. */
  #join(): boolean {
    const { claim } = this.#life
    const { found, takeOver } = this.#opened
    const { peers } = this.#space
    let recovered = false
    try {
      if (!found && !claim.zeroed) claim.clear(claim.offset, claim.byteLength)
      peers.join(takeOver, () => {
        if (found) recovered = verifyFound(this.#space)
      })
    } catch (error) {
      if (found) claim.leave()
      else claim.release()
      throw error
    }
    if (!found) Atomics.store(this.#space.all, STATE_WORD, State.open)
    claim.storeOnLeave({ store: () => this.#leave(), restore: () => this.#rejoin() })
    this.#space.room.ensureHome()
    return recovered
  }

  #host(): SpaceHost {
    const { claim, arena, inside, limit } = this.#life
    const { news } = this.#requests
    return {
      inside,
      claim,
      limit,
      pageSize: arena.pageSize,
      homeChanged: (home) => this.#useHome(home),
      zero: (offset, byteLength) => {
        this.#life.assertInside(offset, byteLength)
        this.#memory.zero(offset, byteLength)
      },
      grew: (length) => {
        news.grew(length)
        return news.pending
      },
      gave: (length) => {
        news.gave(length)
        return news.pending
      },
      tellPages: () => this.#requests.tellPages(),
      onFreed: () => afterwards(() => this.#decay.start()),
      onSlabSwitched: () => afterwards(() => this.#decay.startLater()),
    }
  }

  #makeRoots(): Roots {
    const { layout, all } = this.#space
    return new Roots(all, layout, () => this.#space.shards.committed.bytes <= this.#life.limit)
  }

  get role(): HeapRole {
    return 'peer'
  }

  // ---- the fast paths ----

  override malloc(byteLength: number): number {
    if (typeof byteLength === 'number') {
      const size = byteLength >>> 0
      if (size === byteLength && size <= this.#most) {
        const m = this.#m
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[state + ClassWord.WORD]
        const bits = m[word]
        if (bits !== 0) {
          const place = Math.clz32(bits)
          if (m[(word + this.#remote + ((place & 16) >>> 1)) | 0] << place >= 0) {
            // Written out: take a slot.
            m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
            const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
            return start >= 0 ? start : m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
          }
        }
      }
    }
    return +this.#mallocSlow(byteLength)
  }

  free(block: number | ArrayBufferView): void {
    const offset = typeof block === 'number' ? block : this.#views.locate(block)
    const low = offset >>> 0
    const tile = (low === offset ? low >>> Size.TILE_BITS : tileOf(offset)) - this.#firstTile
    let entry = 0
    if (tile >>> 0 < this.#reach) {
      const m = this.#m
      entry = m[At.TILES + tile]
      if (entry > 0 && m[ShardWord.PINNED] === 0) {
        // Written out: find a slot.
        const product = Math.imul(low - m[entry + SlabWord.BASE], m[entry + SlabWord.INVERSE])
        const counts = m[entry + SlabWord.COUNTS]
        const slot = ((product >>> counts) | (product << (32 - counts))) >>> 0
        if (slot < ((counts >>> SlabWord.KNOWN_BITS) & SlabWord.NUMBER)) {
          const word = entry + SlabWord.BITS + (slot >>> 5)
          const bits = m[word]
          const bit = SlabWord.FIRST_BIT >>> slot
          if (((bits | m[(word + this.#remote + ((slot & 16) >>> 1)) | 0]) & bit) === 0) {
            m[word] = bits | bit
            const left = (counts - SlabWord.ONE_FREE) | 0
            m[entry + SlabWord.COUNTS] = left
            if (left >>> SlabWord.COUNTDOWN_BITS === 0) this.#home.slabs.settle(entry)
            return
          }
        }
      }
    }
    this.#freeOther(offset, entry)
  }

  override tryMalloc(byteLength: number): number {
    const offset = this.#allocate(byteLength, 8, false)
    return offset === 0 ? this.#requests.again(byteLength) : offset
  }

  /** The next word of the class, or the span that was kept last. Written out, and so too long for V8 to inline. */
  #mallocSlow(byteLength: number): number {
    if (typeof byteLength === 'number' && this.#most >= 0) {
      const m = this.#m
      const size = byteLength >>> 0
      const shard = this.#shard as Shard
      if (size === byteLength && size <= Size.SMALL_MAX) {
        const state = STATE_OF[(size + 7) >>> 3]
        const word = m[m[state + ClassWord.WORD]] === 0 ? this.#home.refill(state) : 0
        if (word !== 0) {
          const bits = m[word]
          const place = Math.clz32(bits)
          if (m[(word + this.#remote + ((place & 16) >>> 1)) | 0] << place >= 0) {
            // Written out: take a slot.
            m[word] = bits ^ (SlabWord.FIRST_BIT >>> place)
            const start = (m[state + ClassWord.ORIGIN] + Math.imul(place, m[state + ClassWord.SIZE])) | 0
            if (this.#notices.pending !== 0) this.#notices.tell()
            const offset = start >= 0 ? start : m[state + ClassWord.WINDOW] * Window.BYTES + (start & Window.INSIDE)
            if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
            return offset
          }
        }
      } else if (size === byteLength && size <= Bin.KEPT_BELOW - 8) {
        const length = (size + 7) & -8
        const at = At.KEPT + binOf(length)
        for (let turn = 0; turn < 2; turn++) {
          const span = m[at]
          if (span !== 0 && m[span + SpanWord.SIZE] >= length) {
            const tag = m[span + SpanWord.TAG]
            if ((tag & SpanTag.KIND) !== SpanTag.KEPT) throw shard.index.corrupted(span)
            m[at] = m[span + SpanWord.BIN_NEXT]
            if (takeKept(m, span)) m[ShardWord.LATE]++
            const start = m[span + SpanWord.START]
            const window = tag >> SpanTag.WINDOW_BITS
            const offset = window === 0 ? start : window * Window.BYTES + start
            if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
            return offset
          }
          if (m[ShardWord.HINTED] === 0) break
          shard.collectHinted()
        }
        const span = shard.takeFree(length, at - At.KEPT) || shard.cut(length, 8, false)
        if (span !== 0) {
          const window = m[span + SpanWord.TAG] >> SpanTag.WINDOW_BITS
          const offset = window * Window.BYTES + m[span + SpanWord.START]
          if (this.#notices.pending !== 0) this.#notices.tell()
          if (!(offset >= this.#low && offset < this.#end)) throw this.#life.outside(offset)
          return offset
        }
      }
    }
    const offset = this.#allocate(byteLength, 8, false)
    if (offset !== 0) return offset
    const found = this.#requests.again(byteLength)
    if (found === 0) throw this.#requests.outOfMemory(byteLength)
    return found
  }

  /** Any request; 0 when full. */
  #allocate(byteLength: number, alignment: number, zero: boolean): number {
    if (this.#life.guard !== 0) this.#life.assertWritable()
    wholeNumber('byteLength', byteLength)
    if (byteLength > this.#life.claim.byteLength) return 0
    const offset = this.#space.room.allocate(byteLength, alignment, zero)
    this.#tell()
    if (offset !== 0) this.#life.assertInside(offset, byteLength)
    return offset
  }

  #tell(): void {
    if (this.#shard !== undefined && this.#notices.pending !== 0) this.#notices.tell()
    this.#requests.tellPages()
  }

  /** The frees that `free` hands on: of spans, and all that is not in the home or must be refused. */
  #freeOther(offset: number, entry: number): void {
    const m = this.#m
    if (entry < 0 && m[ShardWord.PINNED] === 0) {
      const start = (offset | 0) & Window.INSIDE
      let span = -entry
      let last = -1
      while (m[span + SpanWord.START] < start) {
        // Spans lie in address order: a list that does not might have no end.
        if (m[span + SpanWord.START] <= last) throw (this.#shard as Shard).index.corrupted(span)
        last = m[span + SpanWord.START]
        span = m[span + SpanWord.NEXT]
        if (span === 0) break
      }
      if (span !== 0 && m[span + SpanWord.START] === start) {
        const tag = m[span + SpanWord.TAG]
        const live =
          (tag & SpanTag.KIND) === SpanTag.LIVE && (tag >> SpanTag.WINDOW_BITS) * Window.BYTES + start === offset
        if (live && freeOwnSpan(m, span)) {
          const home = this.#home
          const size = m[span + SpanWord.SIZE]
          if (size < home.keptBelow && size >= Bin.SHORTEST_KEPT) {
            // As `HeapSpace.freeSpan`.
            const at = At.KEPT + binOf(size)
            const head = m[at]
            m[span + SpanWord.BIN_NEXT] = head
            m[at] = span
            if (head === 0) home.noteFirstKept(at - At.KEPT)
          } else home.freeTagged(span)
          if (this.#notices.pending !== 0) this.#notices.tell()
          return
        }
      }
    }
    if (this.#life.guard !== 0) this.#freeing.assertFree(offset)
    this.#space.blocks.free(offset)
    this.#tell()
  }

  realloc(offset: number, byteLength: number): number {
    return this.#freeing.realloc(offset, byteLength)
  }

  mallocMany(byteLength: number, offsets: Float64Array): number {
    if (this.#life.guard !== 0) this.#life.assertWritable()
    return this.#freeing.mallocMany(byteLength, offsets)
  }

  freeMany(offsets: Float64Array, count?: number): void {
    this.#freeing.freeMany(offsets, count)
  }

  usableSize(block: number | ArrayBufferView): number {
    return this.#freeing.usableSize(block)
  }

  #resizeAt(offset: number, byteLength: number): boolean {
    wholeNumber('byteLength', byteLength)
    this.#space.blocks.assertUnpinned(offset)
    const resized = this.#space.blocks.resize(offset, byteLength)
    this.#tell()
    return resized
  }

  // ---- pins ----

  #hold(offset: number): () => void {
    const { peers, pins } = this.#space
    const { me } = peers
    peers.locked(() => pins.add(offset, me))
    const release = (): void => {
      if (this.#life.isClosed || this.#left) return
      peers.locked(() => pins.remove(offset, me))
    }
    try {
      // Another may have freed it before the pin was there.
      this.#space.blocks.sizeAt(offset)
    } catch (error) {
      release()
      throw error
    }
    return release
  }

  #blockAround(offset: number, byteLength: number): { offset: number; byteLength: number } | undefined {
    const block = this.#space.blocks.blockAround(offset, byteLength)
    if (block !== undefined && !this.#around.has(block.offset))
      this.#around.set(block.offset, { byteLength: block.byteLength, pinned: false })
    return block && { offset: block.offset, byteLength: block.byteLength }
  }

  /** A block that an allocator lies in is pinned for it against the other peers. */
  #guarded(): void {
    const { claim, guard } = this.#life
    const { peers, pins } = this.#space
    if (guard !== CLOSED && !this.#left)
      for (const [offset, around] of this.#around) {
        const inner = (guard & INNER) !== 0 && claim.overlapsInner(offset, around.byteLength)
        if (inner && !around.pinned) peers.locked(() => pins.add(offset, peers.me, FOR_ALLOCATOR))
        if (!inner && around.pinned) peers.locked(() => pins.remove(offset, peers.me, FOR_ALLOCATOR))
        if (inner) around.pinned = true
        else this.#around.delete(offset)
      }
    this.#useHome(this.#space.room.home)
  }

  // ---- the home ----

  /** Points the fast paths at the home; at nothing where there is none, or where what holds forbids them. */
  #useHome(home: Shard | undefined): void {
    // The fields are not there yet: their initialisers take the home themselves.
    if (!(#reach in this)) return
    const { guard } = this.#life
    if (home !== undefined && home !== this.#shard) {
      this.#shard = home
      this.#m = home.m
      this.#home = home.space
      this.#notices = home.space.notices
      this.#firstTile = home.layout.firstTile
      this.#remote = remoteOf(home)
    }
    this.#reach = home !== undefined && (guard & ~PINNED) === 0 ? home.layout.tileCount : 0
    this.#most = home !== undefined && (guard & CLOSED) === 0 ? Size.SMALL_MAX : -1
    if (home !== undefined && this.#watching) home.space.notices.notifyOnce = true
  }

  /**
   * Leaves everything that this peer holds for others: its free slots, its kept spans, its shards. For before a thread sleeps for long.
   * The next request takes a shard again.
   */
  rest(): void {
    this.#life.assertWritable()
    this.#space.room.rest()
    this.#requests.tellPages()
  }

  // ---- figures, roots, the whole ----

  #totals(): AllocatorStats {
    return concurrentStats(this.#space, this.#life.claim.byteLength)
  }

  *blocks(): Generator<{ offset: number; byteLength: number }> {
    this.#life.assertOpen()
    for (const block of liveBlocksOf(this.#space)) {
      yield block
      this.#life.assertOpen()
    }
  }

  setRoot(name: string, offset: number): void {
    this.#life.assertWritable()
    wholeNumber('offset', offset)
    if (offset !== 0) this.#space.blocks.sizeAt(offset)
    this.#space.peers.locked(() => this.#roots.set(name, offset))
  }

  root(name: string): number {
    this.#life.assertOpen()
    return this.#space.peers.locked(() => this.#roots.get(name))
  }

  purge(): number {
    this.#life.assertWritable()
    const given = this.#space.purge(Number.POSITIVE_INFINITY)
    this.#tell()
    return given
  }

  override reset(): void {
    this.#life.assertWritable()
    this.#assertAlone('reset')
    super.reset()
    this.#tell()
  }

  override check(): void {
    this.#life.assertOpen()
    this.#life.checkHeader()
    // Shards of those that have died have no owner then.
    const others = this.#space.peers.others()
    const { lie, elsewhere } = proveConcurrent(this.#space)
    if (lie !== undefined) throw new CorruptedError(`Heap: ${lie}`)
    if (elsewhere > 0)
      throw new ArenaBusyError(
        `Heap: ${elsewhere} of its shards are in use by other peers, and only the rest was proved: all are when those have called rest()`
      )
    if (others.length === 0) this.#life.checkTotals()
  }

  #decaying(): Decaying {
    const space = this.#space
    const each = (run: (shard: Shard) => void): void => {
      for (const shard of space.shards.owned()) unasked(() => run(shard))
    }
    return {
      freeDirtyBytes: () => {
        let free = 0
        each((shard) => {
          shard.collectAll()
          shard.within(() => {
            free += shard.space.freeDirtyBytes()
          })
        })
        return free
      },
      purgeSome: (bytes) => {
        unasked(() => void space.purge(bytes))
        this.#requests.tellPages()
      },
      onIdle: () => {
        this.#watching = true
        each((shard) => {
          shard.tidy()
          shard.space.notices.notifyOnce = true
        })
      },
    }
  }

  // ---- the end ----

  /** Throws where others use the heap as well. */
  #assertAlone(call: string): void {
    const { peers, pins } = this.#space
    const [other] = peers.others()
    if (other !== undefined)
      throw new ArenaBusyError(`Heap cannot be ${call} while others use it: ${peers.describe(other)} does`)
    if (pins.any() !== 0 && (this.#life.guard & (PINNED | INNER)) === 0)
      throw new BlockPinnedError(`Heap cannot be ${call}: a block is pinned`)
  }

  /** Ends this peer's part in the heap. Where others use it, can have it, or can find it again, the rest goes on; elsewhere it is gone. */
  override close(): void {
    const { claim } = this.#life
    this.#life.close(() => {
      if (claim.stays || this.#space.peers.others().length > 0) claim.leave()
      else {
        this.#leave()
        claim.release()
      }
    })
  }

  /** Ends the heap itself: its blocks, its metadata, its claim. Only the last peer may. */
  destroy(): void {
    this.#life.assertWritable()
    this.#assertAlone('destroyed')
    this.#life.assertUnpinned('cannot be destroyed')
    const { claim, arena } = this.#life
    this.#life.close(() => {
      this.#leave()
      destroyClaim(insideOf(arena), claim, arena.pageSize)
    })
  }

  /** Leaves shards and number for others, in the metadata. Throws nothing: what cannot be left is found when this thread has ended. */
  #leave(): void {
    if (this.#left) return
    try {
      if (isDetached(this.#life.claim.metadata)) return
      this.#space.room.rest()
      this.#space.peers.leave()
    } catch {}
    this.#left = true
  }

  #rejoin(): void {
    if (!this.#left) return
    this.#left = false
    this.#space.peers.join()
  }

  #forget(): void {
    this.#left = true
    this.#decay.forget()
    this.#around.clear()
    this.#space.room.forget()
    this.#useHome(undefined)
    // Lets go of the metadata.
    this.#shard = undefined
    this.#m = NO_WORDS
  }
}
