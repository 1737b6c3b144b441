import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { awsHeaders } from '../../src/channels/phone/aws.ts'
import { twilio } from '../../src/channels/phone/twilio.ts'
import {
  callbackUrl,
  deliveryId,
  noon,
  snsAccount,
  twilioAccount,
} from '../channels/phone/fixture.ts'
import { finished } from '../support/executable.ts'
import { succeeded } from '../support/tool-cache.ts'
import { installPackages, python } from './peers.ts'

setDefaultTimeout(300_000)

test('Twilio’s own library signs what is believed, with a port and with odd fields', async () => {
  const { getExpectedTwilioSignature } = await import(
    join(await installPackages(), 'twilio/lib/webhooks/webhooks.js')
  )
  const { settings, secrets } = twilioAccount
  const isGenuine = (url: string, fields: Record<string, string | string[]>, signedUrl = url) => {
    const signature = getExpectedTwilioSignature(secrets.authToken, signedUrl, fields)
    const pairs = Object.entries(fields).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, one]),
    )
    const headers = new Headers({ 'x-twilio-signature': signature })
    const posted = { url, headers, body: new URLSearchParams(pairs).toString(), now: noon }
    return twilio.callbacks?.isGenuine(posted, settings, secrets)
  }
  const url = `${callbackUrl}?delivery=${deliveryId}`
  const fields = {
    MessageStatus: 'delivered',
    From: 'Äcme & Co=1',
    Body: '',
    Zeta: '1',
    alpha: '2',
  }

  expect(isGenuine(url, fields)).toBe(true)
  expect(isGenuine(url, { ...fields, Media: ['b', 'a', 'b'] })).toBe(true)
  expect(isGenuine(url, fields, url.replace('.com/', '.com:443/'))).toBe(true)
  const ported = url.replace('.com/', '.com:8443/')
  expect(isGenuine(ported, fields)).toBe(true)
  expect(isGenuine(url, fields, ported)).toBe(false)
  expect(isGenuine(url, { ...fields, MessageStatus: 'failed' }, `${url}0`)).toBe(false)
})

test('botocore signs a request to AWS in the same way', async () => {
  const { settings, secrets } = snsAccount
  const { region, accessKeyId } = settings
  const host = `sns.${region}.amazonaws.com`
  const body = 'Action=Publish&PhoneNumber=%2B4917012345678&Message=%C3%A4+1%2B1%3D2'
  const signing = { host, region, service: 'sns', body, now: noon }
  const headers = awsHeaders({ accessKeyId, ...secrets }, signing)
  const program = `
import sys, json, datetime
import botocore.auth, botocore.awsrequest, botocore.credentials
given = json.loads(sys.argv[1])
class Then(datetime.datetime):
    @classmethod
    def utcnow(cls): return cls(2026, 6, 15, 12)
    @classmethod
    def now(cls, tz=None): return cls(2026, 6, 15, 12, tzinfo=tz)
botocore.auth.datetime.datetime = Then
botocore.auth.get_current_datetime = lambda *_, **__: Then(2026, 6, 15, 12)
key = botocore.credentials.Credentials(given['id'], given['secret'])
request = botocore.awsrequest.AWSRequest('POST', 'https://' + given['host'] + '/',
  data=given['body'], headers={'content-type': given['type']})
botocore.auth.SigV4Auth(key, 'sns', given['region']).add_auth(request)
print(request.headers['Authorization'])`
  const given = {
    ...{ id: accessKeyId, secret: secrets.secretAccessKey, host, region, body },
    type: headers['content-type'],
  }
  const command = [await python(), '-c', program, JSON.stringify(given)]
  const ran = await finished(command, { PATH: process.env['PATH'] ?? '' })
  succeeded(command, ran)

  expect(headers['authorization']).toBe(ran.stdout.trim())
})
