#!/bin/sh
# The work that the clients under test cancel: beats about 20 times a second until it is stopped. Its pid is its evidence.
# Usage: heartbeat.sh FOLDER; BELAY_OPERATION names the operation. Its end removes nothing: who looks must see a silence.
file="$1/${BELAY_OPERATION##*/}"
echo "$$" >"$file.pid.part"
mv "$file.pid.part" "$file.pid"
while :; do
  echo beat >>"$file.beats"
  sleep 0.05
done
