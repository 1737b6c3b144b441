import { invalidField } from '../../domain/problem.ts'
import { tooLarge, wrongMediaType } from './request.ts'

/** The media type of a body of any. */
export const anyType = '*/*'

/**
 * Reads a body of this media type as it is. Throws `unsupported_media_type`, `body_too_large` above
 * `bytesMax` bytes, `invalid_request` for an empty one. Of `anyType` every body is
 * read, and an empty one too.
 */
export async function readRaw(
  { headers, body }: Request,
  { mediaType, bytesMax }: { mediaType: string; bytesMax: number },
): Promise<Uint8Array> {
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';')
  const isAny = mediaType === anyType
  if (!isAny && type.trim() !== mediaType) throw wrongMediaType(mediaType)

  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  if (bytes === 0 && !isAny) throw invalidField('body', 'is missing')
  return Buffer.concat(chunks)
}
