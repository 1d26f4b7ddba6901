#!/bin/sh
# Counts seconds: countdown.sh FROM [stubborn]. Shows what a command can tell the worker: one JSON object a line on
# descriptor 3, progress or checkpoint. By hand: sh countdown.sh 3 3>&1
from=$1
left=$from

checkpoint() {
  echo "{\"checkpoint\": {\"from\": $from, \"left\": $left}}" >&3
}

# SIGTERM goes to the whole group, so the sleep ends too and the trap runs at once.
if [ "$2" = stubborn ]; then
  trap '' TERM
else
  trap 'checkpoint; echo "stopped with $left left" >&2; exit 143' TERM
fi

while [ "$left" -gt 0 ]; do
  echo "{\"percent\": $(((from - left) * 100 / from)), \"message\": \"$left left\"}" >&3
  checkpoint
  sleep 1
  left=$((left - 1))
done
echo "{\"percent\": 100, \"message\": \"0 left\"}" >&3
echo "counted down from $from"
