#!/usr/bin/env bash
# Installs what the tests take from the system, if it is missing: curl and Python (interop), gcc and strace (faults of the disk),
# PgBouncer, and PostgreSQL members under Patroni and etcd (faults of the database; those of npm test need none of these).
# As root on Debian it installs them; else it names what is missing and fails.
set -euo pipefail

# command:package
tools=(git:git curl:curl python3:python3 gcc:gcc strace:strace pgbouncer:pgbouncer patroni:patroni etcd:etcd-server
  faketime:faketime)
packages=()
for tool in "${tools[@]}"; do
  command -v "${tool%%:*}" >/dev/null || packages+=("${tool##*:}")
done
# Debian's python3 comes without what makes a virtual environment.
if ! python3 -c "import ensurepip" 2>/dev/null; then packages+=(python3-venv); fi
# gcc without the C library's headers cannot compile.
if [[ ! -e /usr/include/stdio.h ]]; then packages+=(libc6-dev); fi
# Debian keeps the server's binaries out of the PATH.
if ! compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null; then packages+=(postgresql); fi

if [[ ${#packages[@]} -eq 0 ]]; then exit 0; fi
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "the tests need these packages: ${packages[*]}" >&2
  exit 1
fi
echo "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
