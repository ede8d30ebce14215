/** The address of a compiled file of this project, from the project's root without an ending: `src/arena/arena`. */
export function compiled(path: string): string {
  return new URL(`../../${path}.js`, import.meta.url).href
}
