#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make test` runs: test.sh BUILD_FOLDER SPECS C_TEST...
#
# Runs the lint command in LINT, each C test (passed: status 0; its output is shown if it fails),
# and the specs inside the built program, which leaves "PASSED FAILED SKIPPED" in the file that
# LUNETTE_SPEC_COUNTS names. Something that breaks counts as one failure; a spec that is pending,
# because the machine lacks what it needs, is skipped. The last line, and no other that starts in
# the first column, is "N passed, N failed", with ", N skipped" behind it when there are such.
set -u

out=$1 specs=$2
shift 2
passed=0 failed=0 skipped=0
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
  if run 1200 "$test" >"$test.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    fail "$name (status $?)"
    sed 's/^/      /' "$test.log"
  fi
done

# What a sanitizer says of a process goes to files, not between the lines that specs compare: the
# leak checker of a renderer which main's end kills complains that its process is not there.
# Signals that specs send to processes are none of its business, nor are the threads of pages when
# os.exit ends the process; and what it keeps of freed memory must not look like a leak to the soak.
mkdir -p "$out/spec"
rm -f "$counts" "$out"/spec/sanitizer.*
reports=log_path=$PWD/$out/spec/sanitizer
signals=handle_segv=0:handle_abort=0
export ASAN_OPTIONS="$reports:$signals:quarantine_size_mb=8:${ASAN_OPTIONS:-}"
export LSAN_OPTIONS="$reports:${LSAN_OPTIONS:-}" UBSAN_OPTIONS="$reports:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="$reports:$signals:report_thread_leaks=0:${TSAN_OPTIONS:-}"
LUNETTE_SPEC_COUNTS=$counts run 3600 "$out/lunette" test $specs
status=$?
spec_failed=0
if read -r spec_passed spec_failed skipped 2>/dev/null <"$counts"; then
  passed=$((passed + spec_passed)) failed=$((failed + spec_failed))
else
  fail "lunette test: it did not come to its end (status $status)"
  spec_failed=1
fi
if [ "$status" != 0 ] && [ "$spec_failed" = 0 ]; then fail "lunette test (status $status)"; fi

for report in "$out"/spec/sanitizer.*; do
  if grep -qs 'ERROR: \|WARNING: \|runtime error: ' "$report"; then
    fail "$report"
    sed 's/^/      /' "$report"
  fi
done

more=
if [ "$skipped" != 0 ]; then more=", $skipped skipped"; fi
echo "$passed passed, $failed failed$more"
[ "$failed" = 0 ]
