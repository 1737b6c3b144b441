"""Checks that a valid request is refused only for reasons that a schema cannot express.

schemathesis.toml makes the built-in check `positive_data_acceptance` accept every 400 and 422; the
check here reports those that are not listed below.
"""

import json
from typing import NamedTuple
from urllib.parse import urlencode

import schemathesis
from schemathesis import Case, HookContext, SerializationContext
from schemathesis.core.transport import Response
from schemathesis.checks import CheckContext
from schemathesis.specs.openapi.checks import is_unexpected_http_status_case


class Refusal(NamedTuple):
    operation: str
    words: str


# Problems that depend on an earlier request.
STATE_CODES = {
    "idempotency_key_reused",
}

REPLAY = "POST /v1/apps/{id}/webhooks/{webhook_id}/replay"

# Fields that are valid alone but not together with another field or with stored data.
FIELDS = {
    # OpenAPI 3.0 cannot limit the length of property names (1 to 40 characters).
    Refusal("POST /v1/verifications", "metadata."),
    # What `to` is depends on the channel.
    Refusal("POST /v1/verifications", "to: must be "),
    Refusal("POST /v1/verifications", "to: is of a "),
    # The schema knows the form of a language tag, the runtime its parts.
    Refusal("POST /v1/verifications", "locale: must be a language tag"),
    # The required length depends on the verification.
    Refusal("POST /v1/verifications/{id}/check", "code: must be as long as code_length says"),
    # The app lists where hosted pages lead back to.
    Refusal("POST /v1/verifications", "return_url: must be exactly one"),
    # A resend uses a channel of the verification's route.
    Refusal("POST /v1/verifications/{id}/resend", "channel: must be of the verification"),
    # One recipient for each channel that `channel` names, and each spelt in one way.
    Refusal("POST /v1/verifications", "to: must name only channels of the route"),
    # Which kind of recipient it is depends on the channel, and telephone numbers on the policy.
    Refusal("POST /v1/verifications", "to: must be one"),
    Refusal("POST /v1/verifications", "to: is refused"),
    Refusal("POST /v1/verifications", "to: is a number"),
    Refusal("POST /v1/verifications", "to."),
    # No pattern describes PEM; and a selector is used once for a domain.
    Refusal("POST /v1/apps/{id}/dkim", "private_key: must be an RSA private key"),
    Refusal("POST /v1/apps/{id}/dkim", "selector: is in use"),
    # A value needs a template of the app that declares its name.
    Refusal("POST /v1/verifications", "variables"),
    # A template is a small language of its own, and its language a registered tag.
    Refusal("PUT /v1/apps/{id}/templates/{locale}", "subject: "),
    Refusal("PUT /v1/apps/{id}/templates/{locale}", "text: "),
    Refusal("PUT /v1/apps/{id}/templates/{locale}", "html: "),
    Refusal("PUT /v1/apps/{id}/templates/{locale}", "variables: "),
    Refusal("PUT /v1/apps/{id}/templates/{locale}", "locale: must be a language tag"),
    Refusal("GET /v1/apps/{id}/templates/{locale}", "locale: must be a language tag"),
    Refusal("DELETE /v1/apps/{id}/templates/{locale}", "locale: must be a language tag"),
    Refusal("GET /v1/apps/{id}/templates/{locale}/starter", "locale: must be a language tag"),
    Refusal("GET /v1/apps/{id}/templates/{locale}/versions", "locale: must be a language tag"),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "subject: "),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "text: "),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "html: "),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "variables: "),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "values"),
    Refusal("POST /v1/apps/{id}/templates/{locale}/preview", "locale: must be a language tag"),
    Refusal("POST /v1/apps/{id}/test-delivery", "locale: must be a language tag"),
    Refusal("POST /v1/apps/{id}/test-delivery", "variables"),
    Refusal("POST /v1/verifications", "locale: must be a language tag"),
    # What an address is, no pattern of this length says; and its language is a registered tag.
    Refusal("POST /v1/test-delivery", "to: must be one e-mail address"),
    Refusal("POST /v1/test-delivery", "locale: must be a language tag"),
    # A logo is a whole picture in base64.
    Refusal("PATCH /v1/apps/{id}/brand", "logo: "),
    # An empty text is a binary one too.
    Refusal("POST /v1/inbound/dsn", "body: is missing"),
    # Only a webhook has a secret to replace, and a replay is of one message or of a span.
    Refusal("POST /v1/apps/{id}/endpoints/{endpoint_id}/rotate", "endpoint_id: must be of"),
    Refusal("POST /v1/apps/{id}/webhooks/{webhook_id}/replay", "from: is not for one"),
    Refusal("POST /v1/apps/{id}/webhooks/{webhook_id}/replay", "to: is not for one"),
    Refusal("POST /v1/apps/{id}/webhooks/{webhook_id}/replay", "message: is missing, or from"),
    # Where a URL leads is judged by ranges of addresses.
    Refusal("POST /v1/apps/{id}/webhooks", "url: must "),
    Refusal("PATCH /v1/apps/{id}/webhooks/{webhook_id}", "url: must "),
    # `from` lies before `to`, and the range has at most 2,000 buckets.
    Refusal("GET /v1/stats", "from: must be before to"),
    Refusal("GET /v1/stats", "bucket: must be longer"),
    # By endpoint and domain only days are added up.
    Refusal("GET /v1/stats", "bucket: must not be given"),
    # A replay is of one message or of a time, which begins before it ends.
    Refusal(REPLAY, "message: is missing, or from is"),
    Refusal(REPLAY, "from: is not for one message"),
    Refusal(REPLAY, "to: is not for one message"),
    Refusal(REPLAY, "from: must be before to"),
}

# A kind of login has its fields and no others, and a new mail server needs all of them; a key file
# and certificates have no pattern.
ENDPOINTS = (
    "POST /v1/apps",
    "POST /v1/apps/{id}/endpoints",
    "PATCH /v1/apps/{id}/endpoints/{endpoint_id}",
    "POST /v1/test-delivery",
)
LOGIN_FIELDS = (
    *("password", "tenant", "client_id"),
    *("client_secret", "refresh_token", "service_account"),
)
LOGIN_WORDS = (
    *(f"email.{field}: is missing" for field in LOGIN_FIELDS),
    *(f"email.{field}: is not for auth" for field in LOGIN_FIELDS),
    "email.password: needs a user",
    "email.user: must be the mailbox",
    "email.tenant: must be the id (GUID) or a domain",
    "email.service_account: must be the JSON key",
    "email.ca: must be certificates in PEM",
)
# A kind of endpoint has its settings, and they are those of its channel.
KINDS = (
    *("email", "webhook", "telegram"),
    *("twilio", "vonage", "sns", "whatsapp", "telegram_gateway"),
)
SMS_KINDS = " or ".join(("twilio", "vonage", "sns"))
KIND_WORDS = tuple(f"{kind}: {reason}" for kind in (*KINDS, SMS_KINDS) for reason in (
    "is missing",
    "is not for this endpoint",
))
# A token has a form that is checked here only, and a base URL is one of the whole Internet.
TELEGRAM_WORDS = (
    "telegram.token: must be the token of a bot",
    "telegram.base_url: must ",
)
WEBHOOK_WORDS = ("webhook.url: must be an https URL", 'webhook.secret: must be "whsec_"')
SETTINGS_WORDS = LOGIN_WORDS + KIND_WORDS + TELEGRAM_WORDS + WEBHOOK_WORDS
FIELDS |= {Refusal(operation, words) for operation in ENDPOINTS for words in SETTINGS_WORDS}

# How a browser writes a URL or an origin has no pattern.
POLICIES = ("POST /v1/apps", "PATCH /v1/apps/{id}", "POST /v1/policy-effect")
URL_WORDS = ("policy.return_urls: must be a list", "policy.embed_origins: must be a list")
FIELDS |= {Refusal(operation, words) for operation in POLICIES for words in URL_WORDS}

# The original API answers 400 for every refusal.
TEXTS = {
    Refusal("POST /reg_secretkey", "Error: This secretKey is taken"),
    Refusal("POST /reg_secretkey", "Error: smtp_password needs a user"),
    Refusal("POST /otp", "Error: This secretKey is not registered"),
    Refusal("POST /otp", "Error: This shareableKey is unknown, used or expired"),
    Refusal("POST /otp", "Error: The mail was not sent"),
    Refusal("POST /verify-otp", "Error: This shareableKey is unknown, used or expired"),
    Refusal("POST /verify-otp", "Maximum Attempts Reached!"),
}


# The HTTP parser answers longer queries with 431 before the API sees them.
QUERY_MAX = 4096


@schemathesis.serializer("message/rfc822")
def mail(ctx: SerializationContext, value: object) -> object:
    data = getattr(value, "data", value)
    return data if isinstance(data, bytes) else str(data).encode(errors="replace")


@schemathesis.hook
def filter_query(ctx: HookContext, query: dict[str, object] | None) -> bool:
    return len(urlencode(query or {}, doseq=True, errors="replace")) <= QUERY_MAX


@schemathesis.check
def valid_data_is_refused_for_a_known_reason(
    ctx: CheckContext, response: Response, case: Case
) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 422) or is_unexpected_http_status_case(case):
        return
    unknown = [words for words in reasons(response) if not known(case.operation.label, words)]
    if unknown:
        raise AssertionError("Refused although the document allows it:\n" + "\n".join(unknown))


def reasons(response: Response) -> list[str]:
    """`field: reason` for every field that a problem names; else its code, or the text."""
    try:
        problem = json.loads(response.text)
    except ValueError:
        return [response.text]
    if not isinstance(problem, dict) or "code" not in problem:
        return [response.text]
    named = [f"{error['field']}: {error['reason']}" for error in problem.get("errors", [])]
    return named or [str(problem["code"])]


def known(operation: str, words: str) -> bool:
    if words in STATE_CODES:
        return True
    refusals = FIELDS | TEXTS
    return any(operation == one.operation and words.startswith(one.words) for one in refusals)
