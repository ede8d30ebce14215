/**
 * The version of the library: the one in package.json, which a test compares. Here, because a file that is bundled has no
 * package.json beside it.
 * @module
 */
export const version = '0.1.0'
