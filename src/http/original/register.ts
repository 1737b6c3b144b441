import { type Registration, registerApp } from '../../domain/app/register.ts'
import { emailNames, type SmtpInput, type SmtpNames } from '../../domain/app/smtp-fields.ts'
import { Problem } from '../../domain/problem.ts'
import type { Context, Reply } from '../core/api.ts'
import { text } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { Registrar } from './api.ts'

const names: SmtpNames = {
  ...emailNames,
  host: 'smtp_host',
  port: 'smtp_port',
  security: 'smtp_security',
  user: 'smtp_user',
  password: 'smtp_password',
  from: 'smtp_mail',
  fromName: 'smtp_from_name',
}

export async function register(
  ports: RoutePorts,
  { admin, draft: { fields }, ...context }: Context & Registrar & { draft: Draft },
): Promise<Reply> {
  const { developerMode } = ports.http
  const isTrusted = admin !== null || developerMode
  const address = isTrusted ? null : await admitStranger(ports, context)
  const actor = admin ?? { who: 'open', requestId: context.requestId }
  const registration: Registration = {
    secretKey: fields['secretKey'],
    name: fields['app_name'],
    mail: developerMode && fields['smtp_host'] === 'inbox' ? null : smtpInput(fields),
    names,
    registeredBy: isTrusted ? 'admin' : 'open',
    address,
  }
  await registerApp(ports, actor, registration)
  return text('Registration of secretKey succeeded.')
}

/** The client address of an open registration, for limits. Throws `registration_closed`. */
async function admitStranger(
  { http, guard }: Pick<RoutePorts, 'http' | 'guard'>,
  { client }: Pick<Context, 'client'>,
): Promise<string> {
  if (!http.openRegistration) throw new Problem('registration_closed')
  const address = client()
  await guard.chargeFailure(address)
  return address.wide ?? address.name
}

function smtpInput(fields: Record<string, unknown>): SmtpInput {
  const port = fields['smtp_port']
  return {
    host: fields['smtp_host'],
    // The original also accepted numbers as text.
    port: typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port,
    security: fields['smtp_security'],
    user: fields['smtp_user'],
    // Null is a mistake, not the same as absent.
    password: fields['smtp_password'] === null ? '' : fields['smtp_password'],
    from: fields['smtp_mail'],
    fromName: fields['smtp_from_name'],
  }
}
