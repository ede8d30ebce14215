/**
 * A log of every store into a heap's metadata, so that a test can put it back to any moment of a step: what another process finds when
 * the writer is killed there.
 *
 *     stores   s0  s1  s2 … sn-1         undo(): takes the last one back;  redo(): makes all of them again
 *
 * The heap is made while the constructors of typed arrays are replaced by ones that give proxies for arrays over its metadata. A proxy is
 * slow, and is nothing that the library knows of.
 * @module
 */
import { At } from '../../src/allocator/heap/words.ts'

interface Store {
  readonly array: Int32Array | Float64Array
  readonly key: number
  readonly before: number
  readonly after: number
}

export class Journal {
  /** Proxies that log. */
  words!: Int32Array
  numbers!: Float64Array
  /** What has been stored since `stores` was last emptied. */
  stores: Store[] = []

  /** Calls `make`, which makes a heap, with arrays over the heap's metadata logged from then on. */
  watch<T>(make: () => T): T {
    const { Int32Array: Words, Float64Array: Numbers } = globalThis
    globalThis.Int32Array = this.#replaced(Words, (array, given) => {
      // The heap's own: over the whole buffer of its metadata.
      if (!(given[0] instanceof ArrayBuffer) || array.byteLength !== given[0].byteLength) return array
      this.words = this.#logged(array as Int32Array)
      return this.words
    })
    globalThis.Float64Array = this.#replaced(Numbers, (array, given) => {
      if (given[2] !== At.KEPT_END / 2) return array
      this.numbers = this.#logged(array as Float64Array)
      return this.numbers
    })
    try {
      return make()
    } finally {
      globalThis.Int32Array = Words
      globalThis.Float64Array = Numbers
    }
  }

  #replaced<T extends typeof Int32Array | typeof Float64Array>(
    original: T,
    choose: (array: Int32Array | Float64Array, given: unknown[]) => object
  ): T {
    return new Proxy(original, {
      construct: (target, given, self) => choose(Reflect.construct(target, given, self), given),
    })
  }

  #logged<T extends Int32Array | Float64Array>(array: T): T {
    const store = (key: number, value: number) => {
      const before = array[key] as number
      array[key] = value
      const after = array[key] as number
      if (after !== before) this.stores.push({ array, key, before, after })
    }
    const fill = (value: number, from = 0, to = array.length) => {
      for (let key = from; key < to; key++) store(key, value)
    }
    return new Proxy(array, {
      set(_, key, value) {
        store(Number(key), value)
        return true
      },
      get(_, key) {
        if (key === 'fill') return fill
        const value = Reflect.get(array, key)
        return typeof value === 'function' ? value.bind(array) : value
      },
    })
  }

  /** Takes the last store back. */
  undo(): void {
    const store = this.stores.pop()
    if (store !== undefined) store.array[store.key] = store.before
  }

  /** Makes stores again that have been taken back. */
  redo(stores: readonly Store[]): void {
    for (const { array, key, after } of stores) array[key] = after
  }
}
