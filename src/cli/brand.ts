import { readFile } from 'node:fs/promises'
import { findApp } from '../domain/app/manage.ts'
import { type Brand, brandFields, noBrand } from '../domain/brand/brand.ts'
import { updateBrand } from '../domain/brand/brands.ts'
import { presentBrand } from '../present.ts'
import { type Args, type Command, jsonFlag, wrongUsage } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printFacts, printJson } from './output.ts'

export const brandShow: Command = {
  name: 'brand show',
  summary: 'Show what the messages of an app show of it.',
  about: 'Besides its name: a colour behind the code, a logo, an address for support.',
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint brand show 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      show((await findApp(ports, args.operand(0))).brand ?? noBrand, args, io)
      return exitCodes.done
    }),
}

export const brandUpdate: Command = {
  name: 'brand update',
  summary: 'Change what the messages of an app show of it.',
  about: 'Changes what is given and leaves the rest; "default" as a value takes it away.',
  operands: [appOperand],
  flags: {
    color: { value: 'COLOR', help: brandFields.color.says },
    support: { value: 'ADDRESS', help: brandFields.support.says },
    'logo-file': { value: 'FILE', help: brandFields.logo.file },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    "otpmint brand update 3kTMd0Pz0a6uYxQWtqGmVb --color '#0a5c36' --logo-file logo.png",
    'otpmint brand update 3kTMd0Pz0a6uYxQWtqGmVb --support default',
  ],
  async run(args, io) {
    const value = (flag: string) => {
      const text = args.text(flag)
      return text === 'default' ? null : text
    }
    const logo = await readLogo(value('logo-file'))
    return withPorts(args, io, async (ports) => {
      const change = { color: value('color'), support: value('support'), logo }
      show(await updateBrand(ports, cliActor, { appId: args.operand(0), ...change }), args, io)
      return exitCodes.done
    })
  },
}

async function readLogo(path: string | null | undefined): Promise<string | null | undefined> {
  if (path === undefined || path === null) return path
  const bytes = await readFile(path).catch(() => null)
  if (bytes === null) throw wrongUsage('--logo-file names a file that cannot be read')
  return bytes.toString('base64')
}

function show(brand: Brand, args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, presentBrand(brand))
    return
  }
  const { color, support, logo } = brand
  printFacts(io, [
    ['color', color ?? '-'],
    ['support', support ?? '-'],
    ['logo', logo ? `${logo.type}, ${logo.width} by ${logo.height} pixels` : '-'],
  ])
}
