# Sourced, at the top of the work tree, by what drives a browser: the packages of tests/browser, below the target folder, fetched
# again only when the lock changes; and where the binary and Chromium are.
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export BROWSER_PACKAGES=$target/browser
export TRUNKLINE=${TRUNKLINE:-$target/debug/trunkline}
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}

mkdir -p "$BROWSER_PACKAGES"
if ! cmp -s tests/browser/package-lock.json "$BROWSER_PACKAGES/installed-lock.json"; then
  cp tests/browser/package.json tests/browser/package-lock.json "$BROWSER_PACKAGES/"
  (cd "$BROWSER_PACKAGES" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp tests/browser/package-lock.json "$BROWSER_PACKAGES/installed-lock.json"
fi
