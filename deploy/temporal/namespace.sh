#!/bin/sh
# The namespace and the search attribute that our workflows carry; safe to repeat. Finished workflows are kept for a week:
# what they proved is copied to PostgreSQL and storage. TEMPORAL_ADDRESS is read by the command itself.
set -eu
run() { temporal "$@" --tls-ca-path /keys/ca.crt --tls-cert-path /keys/tls.crt --tls-key-path /keys/tls.key; }

tries=60
until run operator cluster health; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo 'Temporal does not answer'; exit 1; }
  sleep 2
done
run operator namespace describe --namespace derms > /dev/null 2>&1 \
  || run operator namespace create --namespace derms --retention 168h
# Namespaces are known to every part of the server some seconds after they were made.
tries=30
until run operator search-attribute list --namespace derms | grep -q DermsFeederId; do
  run operator search-attribute create --namespace derms --name DermsFeederId --type Keyword || true
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo 'the search attribute DermsFeederId could not be made'; exit 1; }
  sleep 2
done
echo 'namespace derms is ready'
