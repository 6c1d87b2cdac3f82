#!/bin/sh
# Copies each key from the folder that `npm run setup:env` made to where one service alone reads it, owned by the user that
# the service runs as: PostgreSQL and Mosquitto refuse keys that others may read. Safe to repeat: runs at each start.
set -eu
umask 077

# give USER FROM TO: a private key or a file of passwords
give() { install -D -o "$1" -g "$1" -m 0400 "/keys/$2" "$3"; }
# show USER FROM TO: nothing that is secret
show() { install -D -o "$1" -g "$1" -m 0444 "/keys/$2" "$3"; }

# Users of the images: postgres 999, eclipse-mosquitto 1883, temporalio/server 1000, ours 10001.
for folder in /out/postgres /out/temporal /out/derms /out/alertmanager /out/mosquitto-*/*; do chmod 0755 "$folder"; done

show 999 postgres.crt /out/postgres/tls.crt
give 999 postgres.key /out/postgres/tls.key

for broker in mosquitto-active mosquitto-standby; do
  show 1883 ca.crt "/out/$broker/certs/ca.crt"
  show 1883 "$broker.crt" "/out/$broker/certs/tls.crt"
  give 1883 "$broker.key" "/out/$broker/certs/tls.key"
  give 1883 passwords "/out/$broker/config/passwords"
  install -o 1883 -g 1883 -m 0400 /source/mosquitto.conf "/out/$broker/config/mosquitto.conf"
  cat /source/acl /source/acl.compose > "/out/$broker/config/acl.new"
  chown 1883:1883 "/out/$broker/config/acl.new" && chmod 0400 "/out/$broker/config/acl.new"
  mv "/out/$broker/config/acl.new" "/out/$broker/config/acl"
done

show 1000 ca.crt /out/temporal/ca.crt
show 1000 temporal.crt /out/temporal/tls.crt
give 1000 temporal.key /out/temporal/tls.key

show 10001 ca.crt /out/derms/ca.crt
show 10001 derms.crt /out/derms/tls.crt
install -o 10001 -g 10001 -m 0440 /keys/derms.key /out/derms/tls.key # the agents of the brokers are in our group
show 10001 secrets-dates.json /out/derms/secrets-dates.json

# Where pages and tickets go to, once somebody has put it there (deploy/alertmanager/alertmanager.yml).
for name in pagerduty-routing-key slack-url; do
  if [ -f "/keys/$name" ]; then give 65534 "$name" "/out/alertmanager/$name"; fi
done

# The bucket of the backups, in the folder that versitygw serves.
install -d -o 10001 -g 10001 -m 0700 /out/storage /out/storage/data /out/storage/data/derms-backups /out/storage/versions
