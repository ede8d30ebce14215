/**
 * The package managers: an empty project, one command, one run.
 * @module
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { BOTH_PROGRAM, type Cell, ESM_PROGRAM, fail, folderApart, succeed, tool, type Workshop, write } from './cell.ts'

/** A project that is not in the workshop: it must have what it needs by itself. */
function apart(workshop: Workshop, name: string, files: Readonly<Record<string, string>> = {}): string {
  return write(folderApart(name), {
    'package.json': JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { sorites: `file:${workshop.tarball}` },
    }),
    'main.mjs': ESM_PROGRAM,
    'both.mjs': BOTH_PROGRAM,
    ...files,
  })
}

function installing(
  name: string,
  run: (folder: string, workshop: Workshop) => void,
  files?: Readonly<Record<string, string>>
): Cell {
  return {
    name: `install: ${name}`,
    run(workshop) {
      const folder = apart(workshop, name.replaceAll(/\W+/g, '-'), files)
      try {
        run(folder, workshop)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}

const runs = (folder: string, ...flags: string[]): void => {
  succeed(folder, [process.execPath, ...flags, 'main.mjs'], 'works')
  succeed(folder, [process.execPath, ...flags, 'both.mjs'], 'works')
}

/** What the README says to write for pnpm. */
const PNPM = { 'pnpm-workspace.yaml': 'allowBuilds:\n  koffi: false\n' }

export function installCells(): Cell[] {
  return [
    installing('npm', (folder) => {
      succeed(folder, ['npm', 'install', '--no-audit'])
      runs(folder)
    }),
    installing('npm --ignore-scripts', (folder) => {
      succeed(folder, ['npm', 'install', '--no-audit', '--ignore-scripts'])
      runs(folder)
    }),
    installing('npm --omit=optional says what is missing', (folder) => {
      succeed(folder, ['npm', 'install', '--no-audit', '--ignore-scripts', '--omit=optional'])
      fail(folder, [process.execPath, 'main.mjs'], `@koromix/koffi-linux-${process.arch}, is not installed`)
    }),
    installing(
      'pnpm, with the lines of the README',
      (folder, workshop) => {
        succeed(folder, [pnpm(workshop), 'install', '--no-frozen-lockfile'])
        runs(folder)
      },
      PNPM
    ),
    installing('pnpm, without them, works all the same', (folder, workshop) => {
      // pnpm installs everything and exits 1, because it has not been told what to do with a script of koffi's.
      fail(folder, [pnpm(workshop), 'install', '--no-frozen-lockfile'], 'koffi')
      runs(folder)
    }),
    installing('yarn 1', (folder, workshop) => {
      succeed(folder, [process.execPath, yarn1(workshop), 'install', '--no-lockfile', '--ignore-scripts'])
      runs(folder)
    }),
    installing(
      'yarn 4, node_modules',
      (folder, workshop) => {
        succeed(folder, [process.execPath, yarn4(workshop), 'install'], '', YARN)
        runs(folder)
      },
      { '.yarnrc.yml': 'nodeLinker: node-modules\nenableScripts: false\nenableTelemetry: false\n', 'yarn.lock': '' }
    ),
    installing(
      "yarn 4, Plug'n'Play",
      (folder, workshop) => {
        succeed(folder, [process.execPath, yarn4(workshop), 'install'], '', YARN)
        succeed(folder, [process.execPath, yarn4(workshop), 'node', 'main.mjs'], 'works', YARN)
      },
      {
        '.yarnrc.yml': 'nodeLinker: pnp\nenableScripts: false\nenableTelemetry: false\nenableGlobalCache: false\n',
        'yarn.lock': '',
      }
    ),
  ]
}

/** In CI yarn 4 refuses to write the lock file that is not there yet. */
const YARN = { YARN_ENABLE_IMMUTABLE_INSTALLS: 'false', YARN_ENABLE_HARDENED_MODE: 'false' }

const yarn4 = (workshop: Workshop): string =>
  join(workshop.folder, 'node_modules', '@yarnpkg', 'cli-dist', 'bin', 'yarn.js')
const yarn1 = (workshop: Workshop): string => join(workshop.folder, 'node_modules', 'yarn', 'bin', 'yarn.js')
const pnpm = (workshop: Workshop): string => tool(workshop, 'pnpm')
