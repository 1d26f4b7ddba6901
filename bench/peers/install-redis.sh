#!/usr/bin/env bash
# Installs Debian's redis-server for the benchmarks against BullMQ, if it is missing. Its own service is not needed: the bench
# starts a Redis for each measurement.
set -euo pipefail

if command -v redis-server >/dev/null; then exit 0; fi
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "BullMQ is measured where redis-server is installed" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends redis-server >/dev/null
