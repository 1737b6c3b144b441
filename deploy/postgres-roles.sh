#!/bin/sh
# Makes the roles and the database of docs/postgresql.md, at the first start of the database of
# deploy/compose.yaml.
psql --username postgres --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
\set service `cat /run/secrets/service_password`
\set owner `cat /run/secrets/owner_password`
CREATE ROLE otpmint_migrate LOGIN PASSWORD :'owner';
CREATE ROLE otpmint LOGIN PASSWORD :'service';
ALTER ROLE otpmint SET statement_timeout = '3s';
ALTER ROLE otpmint SET lock_timeout = '2s';
ALTER ROLE otpmint SET idle_in_transaction_session_timeout = '5s';
CREATE DATABASE otpmint OWNER otpmint_migrate ENCODING 'UTF8' TEMPLATE template0;
SQL
