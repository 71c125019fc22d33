#!/bin/bash
# Installs what pip cannot: a Java for Spark, and Python's venv module. Debian and Ubuntu only;
# where it cannot, one line says what to install. Does nothing where both are there.
# With `browser`: a Chromium and its driver, for the tests of Punchcard's page, which are skipped
# where there is none: so this never fails, and takes ten minutes at most.
set -euo pipefail

if [ "${1:-}" = browser ]; then
    command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    echo "Installing with apt-get: chromium chromium-driver"
    DEBIAN_FRONTEND=noninteractive timeout 600 "${as_root[@]}" sh -c \
        'apt-get update -qq && apt-get install -y -qq chromium chromium-driver' >/dev/null 2>&1 ||
        echo "WARNING: could not: the tests of Punchcard's page in a browser are skipped" >&2
    exit 0
fi

python="${PYTHON:-python3}"
missing=()

stop() {
    echo "ERROR: $*" >&2
    exit 1
}

java_found() {
    local java="${JAVA_HOME:+$JAVA_HOME/bin/}java" version
    command -v "$java" >/dev/null || return 1
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

command -v "$python" >/dev/null || stop "$python was not found: install Python 3.10 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    stop "$("$python" --version) is too old: Python 3.10 or newer is needed (make PYTHON=python3.11)"

"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if ! java_found && [ -n "${JAVA_HOME:-}" ]; then
    stop "JAVA_HOME is $JAVA_HOME, without a Java 17 or newer: unset it or point it to one"
fi
java_found || missing+=(openjdk-17-jre-headless)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
    sudo -n true 2>/dev/null || stop "please install: ${missing[*]}"
fi
command -v apt-get >/dev/null || stop "please install: ${missing[*]}"

echo "Installing with apt-get: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# Debian 13 has Java 21 in the place of 17.
for i in "${!missing[@]}"; do
    case "${missing[$i]}" in openjdk-*)
        apt-cache show "${missing[$i]}" >/dev/null 2>&1 || missing[i]=default-jre-headless ;;
    esac
done
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null ||
    stop "apt-get could not install: ${missing[*]}"
