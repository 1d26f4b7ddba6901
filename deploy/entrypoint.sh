#!/bin/sh
# Starts `belay` in the container. The password of the database comes from a file (a secret), not from the command line or
# from the environment that `docker inspect` shows.
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
  PGPASSWORD=$(cat "$PGPASSWORD_FILE")
  export PGPASSWORD
fi
exec node /app/bin/belay.js "$@"
