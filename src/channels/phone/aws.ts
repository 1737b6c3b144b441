import { hmac, sha256 } from './signature.ts'

export type AwsKey = { accessKeyId: string; secretAccessKey: string }
type Signing = { host: string; region: string; service: string; body: string; now: number }

const type = 'application/x-www-form-urlencoded; charset=utf-8'

/** The headers of a POST to `/` with AWS Signature Version 4. */
export function awsHeaders(
  { accessKeyId, secretAccessKey }: AwsKey,
  { host, region, service, body, now }: Signing,
): Record<string, string> {
  const at = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  const day = at.slice(0, 8)
  const signed = 'content-type;host;x-amz-date'
  const canonical = [
    ...['POST', '/', '', `content-type:${type}`, `host:${host}`, `x-amz-date:${at}`, '', signed],
    sha256(body).toString('hex'),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical).toString('hex')].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<Uint8Array>(
    (previous, part) => hmac('sha256', previous, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  )
  const signature = hmac('sha256', key, text).toString('hex')
  const credential = `Credential=${accessKeyId}/${scope}`
  return {
    'content-type': type,
    'x-amz-date': at,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed}, Signature=${signature}`,
  }
}
