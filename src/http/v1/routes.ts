import { type Route, routesOf } from '../core/route.ts'
import * as accounts from './accounts.ts'
import { v1 } from './api.ts'
import * as appVerifications from './app-verifications.ts'
import * as apps from './apps.ts'
import * as brand from './brand.ts'
import * as dkim from './dkim.ts'
import * as endpoints from './endpoints.ts'
import * as fields from './fields.ts'
import * as inbound from './inbound.ts'
import * as inbox from './inbox.ts'
import * as keys from './keys.ts'
import * as accountDocs from './operations/accounts.ts'
import * as appVerificationDocs from './operations/app-verifications.ts'
import * as appDocs from './operations/apps.ts'
import * as dkimDocs from './operations/dkim.ts'
import * as fieldDocs from './operations/fields.ts'
import * as inboundDocs from './operations/inbound.ts'
import * as inboxDocs from './operations/inbox.ts'
import * as overviewDocs from './operations/overview.ts'
import * as recipientDocs from './operations/recipients.ts'
import * as recordDocs from './operations/records.ts'
import * as serverDocs from './operations/server.ts'
import * as suppressionDocs from './operations/suppressions.ts'
import * as templateDocs from './operations/templates.ts'
import * as docs from './operations/verifications.ts'
import * as webhookDocs from './operations/webhooks.ts'
import * as overview from './overview.ts'
import * as recipients from './recipients.ts'
import * as records from './records.ts'
import * as server from './server.ts'
import * as suppressions from './suppressions.ts'
import * as templates from './templates.ts'
import * as verifications from './verifications.ts'
import * as webhooks from './webhooks.ts'

const route = routesOf(v1)

/** Method, path, caller, documentation, handler. */
export const v1Routes: Route[] = [
  route('POST', '/v1/verifications', 'app', docs.startVerification, verifications.start),
  route('GET', '/v1/verifications', 'app', docs.listVerifications, verifications.list),
  route('POST', '/v1/verifications/search', 'app', docs.searchVerifications, verifications.search),
  route('GET', '/v1/verifications/:id', 'app', docs.getVerification, verifications.get),
  route(
    'POST',
    '/v1/verifications/:id/check',
    'checker',
    docs.checkVerification,
    verifications.check,
  ),
  route(
    'POST',
    '/v1/verifications/:id/resend',
    'app',
    docs.resendVerification,
    verifications.resend,
  ),
  route(
    'POST',
    '/v1/verifications/:id/cancel',
    'app',
    docs.cancelVerification,
    verifications.cancel,
  ),
  route('POST', '/v1/results', 'app', docs.redeemResult, verifications.redeem),

  route('POST', '/v1/recipients/telegram', 'app', recipientDocs.startTelegram, recipients.start),
  route('GET', '/v1/recipients/telegram/:id', 'app', recipientDocs.getTelegram, recipients.get),
  route(
    'POST',
    '/v1/recipients/telegram/:id/confirm',
    'app',
    recipientDocs.confirmTelegram,
    recipients.confirm,
  ),
  route(
    'DELETE',
    '/v1/recipients/telegram/:id',
    'app',
    recipientDocs.removeTelegram,
    recipients.remove,
  ),

  route('GET', '/v1/fields', 'admin', fieldDocs.listFields, fields.list),
  route('POST', '/v1/policy-effect', 'admin', fieldDocs.judgePolicy, fields.judgePolicy),
  route('POST', '/v1/test-delivery', 'admin', fieldDocs.testMailServer, fields.testMailServer),
  route('POST', '/v1/apps', 'admin', appDocs.createApp, apps.create),
  route('GET', '/v1/apps', 'admin', appDocs.listApps, apps.list),
  route('GET', '/v1/apps/:id', 'admin', appDocs.getApp, apps.get),
  route('PATCH', '/v1/apps/:id', 'admin', appDocs.updateApp, apps.update),
  route('DELETE', '/v1/apps/:id', 'admin', appDocs.deleteApp, apps.remove),
  route('POST', '/v1/apps/:id/proof-secret', 'admin', appDocs.showProofSecret, keys.proofSecret),
  route('POST', '/v1/apps/:id/keys', 'admin', appDocs.createKey, keys.create),
  route('DELETE', '/v1/apps/:id/keys/:key_id', 'admin', appDocs.revokeKey, keys.revoke),
  route('GET', '/v1/apps/:id/endpoints', 'admin', appDocs.listEndpoints, endpoints.list),
  route('POST', '/v1/apps/:id/endpoints', 'admin', appDocs.addEndpoint, endpoints.add),
  route(
    'PATCH',
    '/v1/apps/:id/endpoints/:endpoint_id',
    'admin',
    appDocs.updateEndpoint,
    endpoints.update,
  ),
  route(
    'POST',
    '/v1/apps/:id/endpoints/:endpoint_id/rotate',
    'admin',
    appDocs.rotateEndpoint,
    endpoints.rotate,
  ),
  route(
    'DELETE',
    '/v1/apps/:id/endpoints/:endpoint_id',
    'admin',
    appDocs.removeEndpoint,
    endpoints.remove,
  ),
  route('GET', '/v1/apps/:id/dkim', 'admin', dkimDocs.listDkimKeys, dkim.list),
  route('POST', '/v1/apps/:id/dkim', 'admin', dkimDocs.addDkimKey, dkim.add),
  route('POST', '/v1/apps/:id/check-dkim', 'admin', dkimDocs.checkDkimKeys, dkim.check),
  route('DELETE', '/v1/apps/:id/dkim/:dkim_id', 'admin', dkimDocs.removeDkimKey, dkim.remove),
  route('GET', '/v1/apps/:id/dns', 'admin', dkimDocs.testDns, dkim.testDns),
  route('POST', '/v1/apps/:id/test-delivery', 'admin', appDocs.testDelivery, endpoints.test),
  route(
    'GET',
    '/v1/apps/:id/suppressions',
    'admin',
    suppressionDocs.listSuppressions,
    suppressions.list,
  ),
  route(
    'DELETE',
    '/v1/apps/:id/suppressions/:suppression_id',
    'admin',
    suppressionDocs.removeSuppression,
    suppressions.remove,
  ),
  route(
    'POST',
    '/v1/apps/:id/suppressions/remove',
    'admin',
    suppressionDocs.removeSuppressedAddress,
    suppressions.removeAddress,
  ),

  route(
    'GET',
    '/v1/apps/:id/verifications',
    'admin',
    appVerificationDocs.listVerificationsOfApp,
    appVerifications.list,
  ),
  route(
    'POST',
    '/v1/apps/:id/verifications/search',
    'admin',
    appVerificationDocs.searchVerificationsOfApp,
    appVerifications.search,
  ),
  route(
    'GET',
    '/v1/apps/:id/verifications/:verification_id',
    'admin',
    appVerificationDocs.getVerificationOfApp,
    appVerifications.get,
  ),
  route(
    'POST',
    '/v1/apps/:id/verifications/:verification_id/resend',
    'admin',
    appVerificationDocs.resendVerificationOfApp,
    appVerifications.resend,
  ),
  route(
    'POST',
    '/v1/apps/:id/verifications/:verification_id/cancel',
    'admin',
    appVerificationDocs.cancelVerificationOfApp,
    appVerifications.cancel,
  ),

  route('GET', '/v1/apps/:id/webhooks', 'admin', webhookDocs.listWebhooks, webhooks.list),
  route('POST', '/v1/apps/:id/webhooks', 'admin', webhookDocs.addWebhook, webhooks.add),
  route(
    'PATCH',
    '/v1/apps/:id/webhooks/:webhook_id',
    'admin',
    webhookDocs.updateWebhook,
    webhooks.update,
  ),
  route(
    'DELETE',
    '/v1/apps/:id/webhooks/:webhook_id',
    'admin',
    webhookDocs.removeWebhook,
    webhooks.remove,
  ),
  route(
    'POST',
    '/v1/apps/:id/webhooks/:webhook_id/test',
    'admin',
    webhookDocs.testWebhook,
    webhooks.test,
  ),
  route(
    'POST',
    '/v1/apps/:id/webhooks/:webhook_id/rotate',
    'admin',
    webhookDocs.rotateWebhookSecret,
    webhooks.rotate,
  ),
  route(
    'GET',
    '/v1/apps/:id/webhooks/:webhook_id/messages',
    'admin',
    webhookDocs.listMessages,
    webhooks.messages,
  ),
  route(
    'POST',
    '/v1/apps/:id/webhooks/:webhook_id/replay',
    'admin',
    webhookDocs.replayMessages,
    webhooks.replay,
  ),

  route(
    'GET',
    '/v1/apps/:id/recipients/telegram',
    'admin',
    recipientDocs.listTelegram,
    recipients.list,
  ),
  route(
    'DELETE',
    '/v1/apps/:id/recipients/telegram/:recipient_id',
    'admin',
    recipientDocs.removeTelegramOf,
    recipients.removeOf,
  ),

  route(
    'GET',
    '/v1/inbound/:endpoint_id',
    'gateway',
    inboundDocs.answerChallenge,
    inbound.challenge,
  ),
  route('POST', '/v1/inbound/:endpoint_id', 'gateway', inboundDocs.takeCallback, inbound.callback),
  route('POST', '/v1/inbound/dsn', 'inbound', inboundDocs.reportBounce, inbound.bounce),
  route('GET', '/v1/apps/:id/brand', 'admin', templateDocs.getBrand, brand.get),
  route('PATCH', '/v1/apps/:id/brand', 'admin', templateDocs.updateBrand, brand.update),
  route('GET', '/v1/apps/:id/templates', 'admin', templateDocs.listTemplates, templates.list),
  route('GET', '/v1/apps/:id/templates/:locale', 'admin', templateDocs.getTemplate, templates.get),
  route(
    'GET',
    '/v1/apps/:id/templates/:locale/starter',
    'admin',
    templateDocs.getStarter,
    templates.starter,
  ),
  route('PUT', '/v1/apps/:id/templates/:locale', 'admin', templateDocs.putTemplate, templates.put),
  route(
    'DELETE',
    '/v1/apps/:id/templates/:locale',
    'admin',
    templateDocs.resetTemplate,
    templates.reset,
  ),
  route(
    'GET',
    '/v1/apps/:id/templates/:locale/versions',
    'admin',
    templateDocs.listTemplateVersions,
    templates.versions,
  ),
  route(
    'POST',
    '/v1/apps/:id/templates/:locale/preview',
    'admin',
    templateDocs.previewTemplate,
    templates.preview,
  ),

  route('GET', '/v1/accounts', 'admin', accountDocs.listAccounts, accounts.list),
  route('POST', '/v1/accounts', 'admin', accountDocs.inviteAccount, accounts.invite),
  route('PATCH', '/v1/accounts/:id', 'admin', accountDocs.updateAccount, accounts.update),
  route('DELETE', '/v1/accounts/:id', 'admin', accountDocs.removeAccount, accounts.remove),
  route('POST', '/v1/accounts/:id/link', 'admin', accountDocs.linkAccount, accounts.link),
  route('GET', '/v1/accounts/:id/sessions', 'admin', accountDocs.listSessions, accounts.sessions),
  route(
    'DELETE',
    '/v1/accounts/:id/sessions/:session_id',
    'admin',
    accountDocs.endSession,
    accounts.endSession,
  ),

  route('GET', '/v1/overview', 'admin', overviewDocs.getOverview, overview.get),
  route('GET', '/v1/live', 'admin', overviewDocs.followLive, overview.follow),
  route('GET', '/v1/stats', 'admin', recordDocs.getStats, records.stats),
  route('GET', '/v1/events', 'admin', recordDocs.listEvents, records.events),
  route('GET', '/v1/alarms', 'admin', recordDocs.listAlarms, records.alarms),
  route('GET', '/v1/audit', 'admin', recordDocs.listAudit, records.audit),
  route('GET', '/v1/audit/verdict', 'admin', serverDocs.getAuditVerdict, server.auditVerdict),

  route('GET', '/v1/inbox', 'admin', inboxDocs.listTestMessages, inbox.list),
  route('GET', '/v1/inbox/:id', 'admin', inboxDocs.getTestMessage, inbox.get),
  route('DELETE', '/v1/inbox', 'admin', inboxDocs.clearTestMessages, inbox.clear),

  route('GET', '/v1/server', 'admin', serverDocs.getServer, server.get),
  route('POST', '/v1/server/examine', 'admin', serverDocs.examineServer, server.examine),
  route('GET', '/v1/server/backups', 'admin', serverDocs.listBackups, server.listBackups),
  route('POST', '/v1/server/backups', 'admin', serverDocs.createBackup, server.backUp),
]
