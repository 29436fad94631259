#!/usr/bin/env bash
# Takes pictures of the running demo: `./scripts/screenshots.sh FOLDER`. Inbox, connecting and phone page, at two widths, light and
# dark, in Traditional Chinese and English go to FOLDER; the pictures of the READMEs, among them the sandbox's, go to docs/img. Build
# the binary first.
set -euo pipefail
folder=$(realpath -m "${1:?the folder for the pictures}")
cd "$(dirname "$0")/.."
. scripts/browser-env.sh
node tests/browser/screenshots.mjs "$folder" docs/img
exec node tests/browser/sandbox-screenshots.mjs docs/img
