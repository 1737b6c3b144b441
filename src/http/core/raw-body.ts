import { invalidField } from '../../domain/problem.ts'
import { tooLarge, wrongMediaType } from './request.ts'

/**
 * Reads a body of this media type as it is. Throws `unsupported_media_type`, `body_too_large` above
 * `bytesMax` bytes, `invalid_request` for an empty one.
 */
export async function readRaw(
  { headers, body }: Request,
  { mediaType, bytesMax }: { mediaType: string; bytesMax: number },
): Promise<Uint8Array> {
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';')
  if (type.trim() !== mediaType) throw wrongMediaType(mediaType)

  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  if (bytes === 0) throw invalidField('body', 'is missing')
  return Buffer.concat(chunks)
}
