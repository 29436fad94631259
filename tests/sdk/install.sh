#!/bin/sh
# Puts LINE's official SDKs, and the generator of requests, into a folder: install.sh WORK_DIR
# Ends with 77 (skipped) where python3, node or the packages cannot be had.
set -eu
work=${1:?usage: install.sh WORK_DIR}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$work"

skip() {
  echo "skipped: $1" >&2
  exit 77
}

for tool in python3 node npm; do
  command -v "$tool" >/dev/null || skip "there is no $tool"
done

# Packages are fetched again only when the pinned lists change.
if ! cmp -s "$here/requirements.txt" "$work/venv/requirements.txt"; then
  rm -rf "$work/venv"
  python3 -m venv "$work/venv" || skip "python3 cannot make a virtual environment"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" \
    || skip "the Python packages cannot be had"
  cp "$here/requirements.txt" "$work/venv/requirements.txt"
fi
if ! cmp -s "$here/node/package-lock.json" "$work/node/installed-lock.json"; then
  rm -rf "$work/node"
  mkdir -p "$work/node"
  cp "$here/node/package.json" "$here/node/package-lock.json" "$work/node/"
  (cd "$work/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || skip "the Node packages cannot be had"
  cp "$here/node/package-lock.json" "$work/node/installed-lock.json"
fi
