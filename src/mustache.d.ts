declare module 'mustache' {
  /** `[kind, text or name, start, end, inside]`; the last only for sections. */
  export type MustacheToken = [string, string, number, number, MustacheToken[]?, ...unknown[]]
  const Mustache: {
    Writer: new () => { parse(template: string): MustacheToken[]; templateCache: unknown }
  }
  export default Mustache
}
