#!/bin/sh
# Makes the secrets of deploy/compose.yaml in a directory (deploy/secrets unless one is named), each
# readable by the user of its container only. Run it as root; a directory that exists is refused.
set -eu
umask 077
to=${1:-$(dirname "$0")/secrets}
mkdir "$to"
cd "$to"

openssl rand -base64 32 > master_key
openssl rand -hex 32 > admin_token
for name in superuser service owner; do openssl rand -hex 24 > "${name}_password"; done

service=$(cat service_password)
owner=$(cat owner_password)
url() { printf 'postgres://%s:%s@localhost:%s/otpmint?host=%s\n' "$@"; }
url otpmint "$service" 6432 /run/pooler > database_url
url otpmint "$service" 5432 /var/run/postgresql > direct_url
url otpmint_migrate "$owner" 5432 /var/run/postgresql > migrate_url
printf '"otpmint" "%s"\n' "$service" > pgbouncer_users

# The users in the images: of OtpMint, of PostgreSQL (Debian's image), of PgBouncer (compose.yaml).
chown 65532 master_key admin_token database_url direct_url migrate_url
chown 999 superuser_password service_password owner_password
chown 65533 pgbouncer_users
# Containers reach single files, whose owners must be able to pass.
chmod 711 .
echo "$to has the secrets. Keep a copy of master_key apart from the backups." >&2
