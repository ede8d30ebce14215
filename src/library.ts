/**
 * Everything that can be imported, by entry: what becomes the one file of code in the package (packaging/build.ts). Each public entry
 * is a short file that takes its names from here, so two entries never have two copies of a class.
 *
 *     sorites           index
 *     sorites/trace     trace
 *
 * @module
 */
import * as index from './index.ts'
import { oneInstance } from './instance.ts'
import * as trace from './trace/index.ts'

export const library: { readonly index: typeof index; readonly trace: typeof trace } = oneInstance({ index, trace })
