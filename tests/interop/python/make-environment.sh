#!/usr/bin/env bash
# Makes the virtual environment with the Python clients, once for each requirements.txt, and prints the path of its python.
# Usage: make-environment.sh FOLDER
set -euo pipefail
requirements="$(cd "$(dirname "$0")" && pwd)/requirements.txt"
folder=$1

if ! cmp -s "$requirements" "$folder/installed.txt"; then
  rm -rf "$folder"
  if ! python3 -m venv "$folder" >&2; then
    echo "the Python tests need python3 with venv (Debian: apt-get install python3-venv)" >&2
    exit 1
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2
  # Last: a half-made environment is made again.
  cp "$requirements" "$folder/installed.txt"
fi
echo "$folder/bin/python"
