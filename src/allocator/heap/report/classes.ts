/**
 * The proof of the states of a heap's classes: what `malloc` acts on without looking further.
 *
 *     a class without a current slab takes its bits from the word that is always 0
 *     one with takes them from a word of that slab, whose first slot lies where the class says
 *     its list holds, once and linked both ways, its slabs that say that they are in a list;   it counts its slabs
 *
 * The states of classes that do not exist are empty. Cost: 10 ns a slab.
 * @module
 */

import { CLASS_COUNT, CLASS_SIZE, Size } from '../size-classes.ts'
import { At, ClassWord, SlabWord, SpanTag, SpanWord, Window } from '../words.ts'
import { Met, type Proof } from './proof.ts'

const STATES = (At.CLASSES_END - At.CLASSES) / ClassWord.WORDS

export function proveClasses(proof: Proof): string | undefined {
  const { m, space, spans } = proof
  const counts = new Int32Array(STATES)
  const currents = new Int32Array(STATES)
  const listed = new Int32Array(STATES)
  for (let i = 0; i < proof.count; i++) {
    if ((m[spans[i] + SpanWord.TAG] & SpanTag.KIND) !== SpanTag.SLAB) continue
    const slab = m[spans[i] + SpanWord.SLAB]
    const c = (m[slab + SlabWord.CLASS] - At.CLASSES) / ClassWord.WORDS
    counts[c]++
    if (space.slabs.isCurrent(slab)) currents[c]++
    else if (space.slabs.isPartial(slab)) listed[c]++
  }
  for (let c = 0; c < STATES; c++) {
    const state = At.CLASSES + c * ClassWord.WORDS
    const lie =
      (m[state + ClassWord.SIZE] === (CLASS_SIZE[c] ?? 0)
        ? undefined
        : `has slots of ${m[state + ClassWord.SIZE]} bytes`) ??
      proveCurrent(proof, state, c, currents[c]) ??
      proveList(proof, state, listed[c]) ??
      (m[state + ClassWord.SLABS] === counts[c]
        ? undefined
        : `counts ${m[state + ClassWord.SLABS]} slabs of ${counts[c]}`)
    if (lie !== undefined) return `class ${c < CLASS_COUNT ? CLASS_SIZE[c] : 'that is none'} ${lie}`
  }
  return undefined
}

function proveCurrent(proof: Proof, state: number, c: number, currents: number): string | undefined {
  const { m } = proof
  const slab = m[state + ClassWord.CURRENT]
  const word = m[state + ClassWord.WORD]
  if (slab === 0) {
    if (currents !== 0) return 'has a current slab, and does not name it'
    return word === At.ZERO ? undefined : `has no current slab, and takes slots from word ${word}`
  }
  if (currents !== 1 || !proof.meetSlab(slab, Met.TABLE, Met.LIST) || m[slab + SlabWord.CLASS] !== state)
    return 'has a current slab that is not'
  const first = slab + SlabWord.BITS
  if (!(word >= first && word < first + Size.SLAB_WORDS)) return `takes slots from word ${word}`
  const window = m[m[slab + SlabWord.SPAN] + SpanWord.TAG] >> SpanTag.WINDOW_BITS
  const origin = (m[slab + SlabWord.BASE] & Window.INSIDE) + (word - first) * 32 * CLASS_SIZE[c]
  if (m[state + ClassWord.ORIGIN] !== (window === 0 ? origin : origin | Window.OTHER))
    return `takes slots from ${m[state + ClassWord.ORIGIN]} on`
  return m[state + ClassWord.WINDOW] === window ? undefined : `takes slots from window ${m[state + ClassWord.WINDOW]}`
}

function proveList(proof: Proof, state: number, expected: number): string | undefined {
  const { m } = proof
  let previous = 0
  let length = 0
  for (let slab = m[state + ClassWord.PARTIAL]; slab !== 0; slab = m[slab + SlabWord.NEXT]) {
    if (!proof.meetSlab(slab, Met.TABLE, Met.LIST)) return `lists ${slab}`
    if (m[slab + SlabWord.CLASS] !== state) return 'lists a slab of another class'
    if (m[slab + SlabWord.PREVIOUS] !== previous) return 'lists a slab that is not linked both ways'
    previous = slab
    length++
  }
  return length === expected ? undefined : `lists ${length} partial slabs of ${expected}`
}
