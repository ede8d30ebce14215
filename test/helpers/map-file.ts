/**
 * What children that map files start with: `mapFile`, node:fs, and files made for them.
 * @module
 */
import { compiled } from './child.ts'

export const MAP_FILE: string = `
import { mapFile } from ${JSON.stringify(compiled('src/arena/file/map-file'))}
import * as fs from 'node:fs'
`
