#!/bin/sh
# Databases and schema of Temporal, with the tools of temporalio/admin-tools; safe to repeat, and how it is upgraded.
# Before a newer server starts, this runs from the tools of its version. SQL_PASSWORD is read by the tool itself.
set -eu
tool() { temporal-sql-tool --plugin postgres12 --ep "$SQL_HOST" --port 5432 --user temporal --db "$@"; }

for store in temporal visibility; do
  database=temporal
  [ "$store" = visibility ] && database=temporal_visibility
  tool "$database" create
  tool "$database" setup-schema -v 0.0
  tool "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$store/versioned"
done
