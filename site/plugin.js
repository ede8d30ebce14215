/**
 * What TypeDoc does not do by itself for these sources:
 *
 *     a call of an allocator     says what the interface `Allocator` or `FreeingAllocator` says of it, where it says nothing of its own. The
 *                                classes extend a base that is not public, so TypeDoc does not see that they implement the interfaces
 *     an overload                says what the first of its kind says
 *     an error                   loses its constructor, which only the library calls, and its `code` says where all codes are
 *     a base that is not public  is not named
 *     a page of docs             has its heading as its name; code in a heading is plain text, or the heading could not be linked to
 *
 * @module
 */
import { Comment, Converter, ReflectionKind } from 'typedoc'

const INTERFACES = ['Allocator', 'FreeingAllocator']
const TAGS = ['@param', '@returns', '@throws', '@example']

/** Gives a signature what another says and it does not. */
function complete(signature, model) {
  if (model?.comment === undefined) return
  signature.comment ??= new Comment()
  const { comment } = signature
  if (!comment.hasVisibleComponent() || comment.summary.length === 0)
    comment.summary = Comment.cloneDisplayParts(model.comment.summary)
  for (const tag of TAGS)
    if (comment.getTag(tag) === undefined)
      comment.blockTags.push(...model.comment.getTags(tag).map((found) => found.clone()))
}

function extendsError({ extendedTypes = [] }) {
  return extendedTypes.some((type) => /Error$/.test(type.name))
}

function completeCalls(project) {
  const signatures = project.getReflectionsByKind(ReflectionKind.Method | ReflectionKind.Constructor)
  for (const { signatures: all = [] } of signatures) for (const other of all.slice(1)) complete(other, all[0])
  const models = project
    .getReflectionsByKind(ReflectionKind.Interface)
    .filter(({ name }) => INTERFACES.includes(name))
    .flatMap(({ children }) => children)
    .filter(({ inheritedFrom }) => inheritedFrom === undefined)
  for (const type of project.getReflectionsByKind(ReflectionKind.Class)) {
    if (type.getChildByName('malloc') === undefined || type.getChildByName('check') === undefined) continue
    for (const method of type.children) {
      const model = models.find(({ name }) => name === method.name)
      for (const [at, signature] of (method.signatures ?? []).entries())
        complete(signature, model?.signatures?.[at] ?? model?.signatures?.[0])
    }
  }
}

function completeErrors(project) {
  for (const type of project.getReflectionsByKind(ReflectionKind.Class).filter(extendsError)) {
    const maker = type.children?.find(({ kind }) => kind === ReflectionKind.Constructor)
    if (maker !== undefined) project.removeReflection(maker)
    const code = type.getChildByName('code')
    if (code !== undefined && !code.hasComment())
      code.comment = new Comment([
        { kind: 'text', text: 'Stays the same in later versions. The page of errors says which calls throw it.' },
      ])
  }
}

function nameDocuments(project) {
  for (const document of project.getReflectionsByKind(ReflectionKind.Document)) {
    for (const [at, part] of document.content.entries())
      if (part.kind === 'code' && /(^|\n)#+ [^\n]*$/.test(document.content[at - 1]?.text ?? ''))
        document.content[at] = { kind: 'text', text: part.text.replaceAll('`', '').replaceAll('<', '&lt;') }
    const first = document.content.find(({ text }) => text.trim() !== '')
    document.name = /^\s*# (.+)\n/.exec(first?.text ?? '')?.[1] ?? document.name
  }
}

/** What is said of classes that have no page: bases that are not public. */
function forgetBases(project) {
  for (const type of project.getReflectionsByKind(ReflectionKind.Class)) {
    type.extendedTypes = type.extendedTypes?.filter((base) => base.reflection !== undefined || /Error$/.test(base.name))
    if (type.extendedTypes?.length === 0) delete type.extendedTypes
    for (const member of type.children ?? [])
      for (const part of [member, member.getSignature, member.setSignature, ...(member.signatures ?? [])])
        for (const link of ['overwrites', 'inheritedFrom', 'implementationOf'])
          if (part?.[link] !== undefined && part[link].reflection === undefined) delete part[link]
  }
}

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => forgetBases(project), -1000)

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    completeCalls(project)
    completeErrors(project)
    nameDocuments(project)
  })
}
