#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs those of the Debian packages named as arguments that are missing. Where there is no
# apt-get, runs the command in FOUND to learn whether they are needed, and says what to install.
set -eu

elsewhere() {
  if output=$(sh -c "$FOUND" 2>&1); then return; fi
  echo "$output" | tail -n 3
  echo "Lunette needs what Debian calls: $*"
  echo 'Install what your system calls these, then run make again. Where headers or libraries have'
  echo 'other names or places, set the DEPS_ variables of vendor/deps.mk.'
  exit 1
} >&2

missing() {
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package; do
    echo "$installed" | grep -qx "installed $package" || echo "$package"
  done
}

# apt_get ARGS...: as root, without questions, waiting for another apt-get to end.
apt_get() {
  as_root=
  if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  elsewhere "$@"
  exit
fi

packages=$(missing "$@")
if [ -z "$packages" ]; then exit; fi
echo "installing" $packages
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
  echo "no root, no sudo; as root, run: apt-get install --no-install-recommends" $packages >&2
  exit 1
fi
apt_get update || echo 'apt-get update failed; trying with the lists that are here' >&2
apt_get install -y --no-install-recommends $packages
