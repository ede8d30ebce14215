/**
 * Where a heap keeps its metadata: the one place that knows. All of it lies in the claim's metadata, outside every block and every
 * window, and holds offsets and indices only, so a second thread or process can read it as it is.
 *
 *     word 0          64        128      640          1384        1664
 *     | common header | counters | classes | free bins | kept spans | tiles   | page bits  | span records | slab records | roots    |
 *                                                                    1 w/4 KiB 1 bit/page   8 words        16 words       18 words
 *
 * Records are named by the index of their first word. Tables are as long as the claim could ever need, and touched as far as it is
 * used: a heap on 64 GiB starts with a few pages of them.
 *
 * The numbers are const enums, which the compiler writes out as literals: names cost nothing at run time. As module constants they are
 * loaded and checked anew at each use, a malloc and free of 64 bytes take a fifth longer, and V8 needs more memory to compile them.
 * @module
 */

/** Single words, and where tables of fixed length begin. A Float64 takes two words. */
export const enum At {
  /** Always zero: it stands for the bits of a class that has no slab. */
  ZERO = 64,
  /** Committed pages. */
  COMMITTED = 65,
  /** Committed pages at the last high-water mark. */
  PEAK = 66,
  /** Pages that lie wholly in free spans, committed or clean. */
  FREE_PAGES = 80,
  /** Free dirty pages that the last sweep could not purge: parts of pages that live spans share. */
  RESIDUE = 67,
  /** Bytes in live spans and slabs (Float64). */
  SPAN_BYTES = 68,
  /** Windows opened so far, counted from the claim's first. */
  WINDOWS = 70,
  /** First word never used for a span record; head and length of the list of recycled ones. */
  SPAN_TOP = 71,
  SPAN_SPARE = 72,
  SPAN_SPARES = 73,
  /** The same for slab records. */
  SLAB_TOP = 74,
  SLAB_SPARE = 75,
  /** Highest tile ever entered, plus one: how far the tile table has been touched. */
  TILE_TOP = 76,
  /** Highest page ever committed, plus one: how far the bits of pages have been touched. */
  PAGE_TOP = 77,
  /** End of the highest span ever made (Float64). */
  HIGHEST_END = 78,
  /** Largest committed bytes, metadata included, when pages were last committed beyond the peak (Float64). */
  PEAK_BYTES = 82,
  /** Pages that sweeps have given back. */
  SWEPT = 84,
  /** Bytes in live spans and slabs below which the heap is tidied (Float64). */
  LOW_WATER = 86,
  /** Not 0 while the tables are emptied: no span record in use is then no contradiction to the rest. */
  CLEARING = 88,
  /** Roots ever used, counted from the first: how far their table has been touched. */
  ROOT_TOP = 89,
  /** 1 once the bytes in use have fallen to less than an eighth of the peak. */
  FALLEN = 90,
  /** How often kept spans were joined for the sake of a page. */
  FLUSHES = 91,

  /** The states of the classes: 64 of them have room. */
  CLASSES = 128,
  CLASSES_END = 640,

  /** One bit for each doubling that has a non-empty bin; then for each doubling one bit for each non-empty bin. */
  BIN_TOP_MAP = 640,
  BIN_MAP = 641,
  /** For each bin: the first free span in it, or 0. */
  BINS = 664,
  BINS_END = BINS + 22 * 32,

  /** One bit for each bin of kept spans that may not be empty: set with the first, cleared when all are dropped. */
  KEPT_MAP = 1384,
  /** For each bin below `Bin.KEPT_COUNT`: the kept span that was freed last, or 0. */
  KEPT = 1400,
  KEPT_END = KEPT + 256,

  /**
   * The tile table, first of all that grow, so that its place is a constant. A tile's word:
   *
   *     = 0: no span starts in this tile;  < 0: minus the record of the first span that starts in it;
   *     > 0: the record of the slab that covers it
   */
  TILES = 1664,
}

/** Bins of spans by length: 32 a doubling, from 512 bytes to 1 GiB (see `binOf`). */
export const enum Bin {
  /** Shorter free spans hang in no bin. */
  SHORTEST = 512,
  COUNT = 22 * 32,
  /** Shorter spans are not kept when they are freed. They come from an alignment that no slot has. */
  SHORTEST_KEPT = 1024,
  /** Freed spans below this length are kept: bins 32 to 255. Those of slabs hang in bins 1 to 8, by tiles. */
  KEPT_BELOW = 131072,
  KEPT_COUNT = 256,
}

/** Roots: a name of up to `NAME` bytes and an offset each. */
export const enum Root {
  LEAST = 16,
  MOST = 1024,
  /** One for so many bytes of the claim: of a small heap the roots are a small part, too. */
  EACH = 1024,
  NAME = 64,
  NAME_WORDS = 16,
  WORDS = 18,
}

/** Words of a class's state, named by the index of the first. */
export const enum ClassWord {
  WORDS = 8,
  /** Index of the bitmap word that `malloc` takes slots from; `At.ZERO` when the class has no current slab. */
  WORD = 0,
  /** Where the first slot of that word lies in its window; outside window 0 with bit 31 set, so that one sign tells `malloc`. */
  ORIGIN = 1,
  /** The window. */
  WINDOW = 2,
  /** The current slab's record, or 0. */
  CURRENT = 3,
  /** First record in the list of slabs with free slots. */
  PARTIAL = 4,
  /** How many slabs the class has. */
  SLABS = 5,
  /** Slot size in bytes. */
  SIZE = 6,
}

/** Words of a slab record: see slabs.ts. */
export const enum SlabWord {
  WORDS = 16,
  /** The low 32 bits of slot 0's offset in the arena. */
  BASE = 0,
  /** The inverse of the slot size's odd part, modulo 2^32. */
  INVERSE = 1,
  /** Number of slots. Read through `NUMBER` where a loop or an index follows: whatever was stored there, it ends. */
  SLOTS = 2,
  /** The bits of a number of slots: 256 at most. */
  NUMBER = 0x1ff,
  /** The state of the slab's class. */
  CLASS = 3,
  /**
   * Three numbers that a free needs, in one load: the shift of the class (bits 0 to 4), how many slots are known to have been handed out, and
   * the frees until the slab must be looked at (see `settle`).
   */
  COUNTS = 4,
  SHIFT = 0x1f,
  KNOWN_BITS = 5,
  COUNTDOWN_BITS = 14,
  /** One free in the countdown. */
  ONE_FREE = 0x4000,
  NEXT = 5,
  /** The slab's span. */
  SPAN = 6,
  PREVIOUS = 7,
  /** First word of free bits. Slot 0 is bit 31 of it: `Math.clz32` gives the lowest free slot. */
  BITS = 8,
  /** The bit of slot 0; that of slot `i` in its word is `FIRST_BIT >>> i`. */
  FIRST_BIT = -0x80000000,
}

/** Words of a span record: see spans/records.ts. The last one is the concurrent heap's (concurrent/words.ts). */
export const enum SpanWord {
  WORDS = 8,
  /** Bytes from the window's start. */
  START = 0,
  SIZE = 1,
  /** The window, above TAG_BITS; CLEAN; the kind. The last word to be written when a span becomes live. */
  TAG = 2,
  PREVIOUS = 3,
  NEXT = 4,
  BIN_NEXT = 5,
  BIN_PREVIOUS = 6,
  /** Of a slab: its record. Of a huge block: its whole length, low 30 bits, and GiB. Live spans hang in no bin. */
  SLAB = 5,
  HUGE_LOW = 5,
  HUGE_HIGH = 6,
}

export const enum SpanTag {
  KIND = 7,
  FREE = 1,
  LIVE = 2,
  SLAB = 3,
  /** The first part of a block that is longer than its window, and the parts in the windows after it. */
  HUGE = 4,
  PART = 5,
  /** Freed, but kept whole for the next request of its length: see spans/span-cache.ts. */
  KEPT = 6,
  /** Of a free span: some of its pages may be clean. One without it was handed out whole, and its pages are committed. */
  CLEAN = 8,
  WINDOW_BITS = 4,
}

export const enum Window {
  /** Bytes of a window: no span crosses a multiple of it. */
  BYTES = 0x40000000,
  /** An offset within its window: the low 30 bits, of numbers beyond 2^32 too. */
  INSIDE = 0x3fffffff,
  BITS = 30,
  /** Set in a place that does not lie in window 0. */
  OTHER = -0x80000000,
  /** Tiles in a window. */
  TILES = 0x40000,
}
