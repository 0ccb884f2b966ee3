#!/usr/bin/env bash
# Installs the servers of other makes that tests/real talks to, each into a virtual environment of its own outside the
# checkout, and prints the lines that the tests need: export $(bash tests/real/peers.sh)
set -euo pipefail

packages=$(cd "$(dirname "$0")" && pwd)/peers_packages
home=${TEST_PEERS_HOME:-/var/tmp/chat-server-peers}

install() {
  local name=$1 locked=$packages/$1.txt there=$home/$1
  # Whole and of these versions, or once more from the beginning.
  if ! cmp --silent "$locked" "$there/installed.txt"; then
    rm -rf "$there"
    python3 -m venv "$there"
    "$there/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: --requirement "$locked" >&2
    cp "$locked" "$there/installed.txt"
  fi
}

mkdir -p "$home"
install litellm
install litserve
printf 'TEST_LITELLM=%s\nTEST_LITSERVE=%s\n' "$home/litellm/bin/litellm" "$home/litserve/bin/python"
