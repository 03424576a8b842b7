#!/usr/bin/env bash
# The figures by which one state of the source is compared with another: bench/house.sh [CHECKOUT]
# The last one installs the packed tarball into an empty folder, without what only development needs.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
checkout=$(cd "${1:-$here}" && pwd)
PATH=$here/node_modules/.bin:$PATH

node "$here/.ci/structure.ts" --count "$checkout"
echo "a row of a plain CSV                          $(node "$here/bench/row-way.ts" "$checkout" | tail -1)"

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
(cd "$checkout" && npm pack --silent --ignore-scripts --pack-destination "$room" >/dev/null)
(cd "$room" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund --omit=dev ./*.tgz >/dev/null)
packages=$(npm ls --prefix "$room" --all --parseable 2>/dev/null | tail -n +2 | sort -u | wc -l)
echo "installed                                     $(du -sm "$room/node_modules" | cut -f1) MB, $packages packages"
