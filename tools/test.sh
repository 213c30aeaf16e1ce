#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make test` runs: test.sh BUILD_FOLDER SPECS C_TEST...
#
# Runs the lint command in LINT, each C test (passed: status 0; its output is shown if it fails),
# and the specs inside the built program, which leaves "PASSED FAILED" in the file that
# LUNETTE_SPEC_COUNTS names. Something that breaks counts as one failure. The last line, and no
# other that starts in the first column, is "N passed, N failed".
set -u

out=$1 specs=$2
shift 2
passed=0 failed=0
counts=$PWD/$out/spec/counts

# run SECONDS COMMAND...: gives up when it hangs.
run() {
  timeout --foreground -k 10 "$@"
}

fail() {
  failed=$((failed + 1))
  echo "FAIL  $*"
}

$LINT || fail lint

for test; do
  name=${test#"$out"/}
  if run 120 "$test" >"$test.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    fail "$name (status $?)"
    sed 's/^/      /' "$test.log"
  fi
done

mkdir -p "$out/spec"
rm -f "$counts"
LUNETTE_SPEC_COUNTS=$counts run 1200 "$out/lunette" spec/run.lua $specs
status=$?
spec_failed=0
if read -r spec_passed spec_failed 2>/dev/null <"$counts"; then
  passed=$((passed + spec_passed)) failed=$((failed + spec_failed))
else
  fail "spec/run.lua: it did not come to its end (status $status)"
  spec_failed=1
fi
if [ "$status" != 0 ] && [ "$spec_failed" = 0 ]; then fail "spec/run.lua (status $status)"; fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
