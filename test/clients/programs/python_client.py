import json
import sys

from otpmint_client import AuthenticatedClient
from otpmint_client.api.apps import create_app
from otpmint_client.api.verifications import (
    check_verification,
    list_verifications,
    start_verification,
)
from otpmint_client.models import (
    AppWithKeys,
    Check,
    CheckVerificationBody,
    CreateAppBody,
    CreateAppBodyPolicy,
    Problem,
    StartRequest,
    StartedVerification,
)

base_url, admin_token = sys.argv[1:]

admin = AuthenticatedClient(base_url=base_url, token=admin_token)
policy = CreateAppBodyPolicy(code_length=6, origin=None)
app = create_app.sync(client=admin, body=CreateAppBody(name="Acme", policy=policy))
assert isinstance(app, AppWithKeys), app

client = AuthenticatedClient(base_url=base_url, token=app.test_key)
request = StartRequest(to="ada@example.com", purpose="sign-in")
verification = start_verification.sync(client=client, body=request)
assert isinstance(verification, StartedVerification), verification

wrong = CheckVerificationBody(code="0" * verification.code_length)
check = check_verification.sync(verification.id, client=client, body=wrong)
assert isinstance(check, Check), check
page = list_verifications.sync(client=client, limit=10)
assert page is not None and not isinstance(page, Problem), page
next_cursor: str | None = page.next_cursor

problem = start_verification.sync(client=client, body=StartRequest(to="nobody"))
assert isinstance(problem, Problem), problem
field = problem.errors[0].field if problem.errors else None

print(
    json.dumps(
        {
            "status": verification.status.value,
            "valid": check.valid,
            "listed": [item.id == verification.id for item in page.items],
            "next": next_cursor,
            "code": problem.code.value,
            "field": field,
        }
    )
)
