import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { languages } from '../src/domain/language.ts'
import { type Message, renderMessage } from '../src/messages/render.ts'

// Draws docs/messages-light.webp and docs/messages-dark.webp: the message of every language, as a
// browser of 320 px shows it, below its subject. Needs Debian's chromium, fonts-noto-core and
// fonts-noto-cjk.

const docs = join(import.meta.dir, '../docs')
const columns = 7
const tile = { width: 320, height: 372 }
const colours = {
  light: { background: '#e4e6ea', text: '#16181c' },
  dark: { background: '#3a3e46', text: '#f4f4f5' },
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium' })
for (const scheme of ['light', 'dark'] as const) {
  const rows = Math.ceil(languages.length / columns)
  const viewport = {
    width: columns * (tile.width + 12) + 12,
    height: rows * (tile.height + 62) + 12,
  }
  const page = await browser.newPage({ colorScheme: scheme, viewport })
  await page.setContent(sheet(languages.map(messageIn), scheme))
  const file = join(docs, `messages-${scheme}.webp`)
  const size = await Bun.write(file, await webp(page, await page.screenshot()))
  process.stdout.write(`${file}: ${viewport.width} x ${viewport.height}, ${size} bytes\n`)
}
await browser.close()

function messageIn(locale: string): Message {
  return renderMessage({
    app: { name: 'Acme', policy: {}, brand: null },
    code: '568464',
    reference: 'KX47',
    locale,
    variables: null,
    life: { unit: 'minutes', count: 9, digits: '9' },
  })
}

function sheet(messages: Message[], scheme: keyof typeof colours): string {
  const { background, text } = colours[scheme]
  const tiles = messages.map(
    ({ language, subject, html }) => `<figure>
<figcaption><b>${language}</b><br><span lang="${language}" dir="auto">${subject}</span></figcaption>
<iframe srcdoc="${html.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>
</figure>`,
  )
  return `<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: ${scheme}; background: ${background}; color: ${text}; }
body { margin: 12px; display: grid; gap: 12px; font: 14px/1.4 sans-serif;
grid-template-columns: repeat(${columns}, ${tile.width}px); }
figure { margin: 0; } figcaption { height: 46px; } figcaption span { display: block; }
iframe { border: 0; width: ${tile.width}px; height: ${tile.height}px; }
</style>${tiles.join('\n')}`
}

/** Encodes a screenshot as WebP, which Chromium does only for a canvas. */
async function webp(page: Page, png: Buffer): Promise<Buffer> {
  const source = `data:image/png;base64,${png.toString('base64')}`
  const url = (await page.evaluate(`(async () => {
    const image = new Image()
    image.src = ${JSON.stringify(source)}
    await image.decode()
    const canvas = new OffscreenCanvas(image.width, image.height)
    canvas.getContext('2d').drawImage(image, 0, 0)
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.45 })
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return bytes.reduce((text, byte) => text + String.fromCharCode(byte), '')
  })()`)) as string
  return Buffer.from(url, 'latin1')
}
