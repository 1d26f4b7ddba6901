#!/bin/sh
# Makes what compose.yaml needs and no repository should hold: a password, two tokens, and the configuration with the tokens'
# hashes. In deploy/local, which git and the image leave out. What is there already stays.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p local

# Secrets are mounted as they are, and read by another user in the container; the folder keeps everybody else out.
secret() {
  [ -s "local/$1" ] && return
  head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "local/$1"
  chmod 444 "local/$1"
}
secret postgres-password
secret caller-token
secret worker-token

hash() {
  sha256sum "local/$1" | cut -d ' ' -f 1
}
[ -s local/belay.yaml ] && exit 0
sed -e "s/CALLER_TOKEN_HASH/$(hash caller-token)/" -e "s/WORKER_TOKEN_HASH/$(hash worker-token)/" \
  node.yaml > local/belay.yaml
chmod 444 local/belay.yaml
