#!/usr/bin/env bash
# Makes the virtual environment and the stubs of belay.v1, once for each requirements.txt, and prints the path of its python.
# Usage: set-up.sh FOLDER
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
protos="$here/../../proto"
folder=$1

if ! cmp -s "$here/requirements.txt" "$folder/installed.txt"; then
  rm -rf "$folder"
  if ! python3 -m venv "$folder" >&2; then
    echo "the Python worker needs python3 with venv (Debian: apt-get install python3-venv)" >&2
    exit 1
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  # Last: a half-made environment is made again.
  cp "$here/requirements.txt" "$folder/installed.txt"
fi
packages="$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
mkdir -p "$here/generated"
"$folder/bin/python" -m grpc_tools.protoc -I "$protos" -I "$packages" \
  --python_out="$here/generated" --grpc_python_out="$here/generated" \
  "$protos/belay/v1/policies.proto" "$protos/belay/v1/workers.proto" >&2
echo "$folder/bin/python"
