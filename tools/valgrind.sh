#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make valgrind` runs: valgrind.sh BUILD_FOLDER SPECS C_TEST...
#
# Runs the C tests and these specs, with every process that they start, under valgrind's memcheck.
# Each process writes what is found to a file of its own in BUILD_FOLDER/valgrind. Blocks that a C
# test itself has lost for certain count. In what it starts, and in the specs, they do not: a renderer
# frees nothing when it ends, so that BUILD=asan, where it does, is what looks for leaks.
set -u

out=$1 specs=$2
shift 2
logs=$PWD/$out/valgrind
failed=0
rm -rf "$logs"
mkdir -p "$logs"
export LUNETTE_SPEC_DEADLINE="${LUNETTE_SPEC_DEADLINE:-300000}"

# check NAME LEAKS COMMAND...
check() {
  name=$1 leaks=$2
  shift 2
  LD_PRELOAD=$PWD/$out/tools/valgrind.so timeout --foreground -k 10 3600 \
    sh -c 'echo $$ >"$0" && exec "$@"' "$logs/$name.self" \
    valgrind -q --vgdb=no --trace-children=yes --trace-children-skip='/bin/*,/usr/bin/*' \
    --leak-check="$leaks" --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --log-file="$logs/$name.%p" "$@" >"$logs/$name.output" 2>&1
  status=$?
  # What a process is told of a system call that valgrind does not know is no finding.
  found=$(grep -hs '^==' "$logs/$name".[0-9]* | awk -v own="==$(cat "$logs/$name.self")==" '
    / are definitely lost / { is_others = $1 != own }
    / at 0x/ { if (!is_others) count++; is_others = 0 }
    END { print count + 0 }')
  if [ "$status" = 0 ] && [ "$found" = 0 ]; then
    echo "ok    $name ($(ls "$logs/$name".[0-9]* | wc -l) processes)"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (status $status, $found findings): see $logs/$name.*"
  fi
}

for test; do check "$(basename "$test")" full "$test"; done
for spec in $specs; do check "$(basename "$spec" .lua)" no "$out/lunette" test "$spec"; done

echo "valgrind: $(ls "$logs" | grep -c '\.[0-9]*$') processes, $failed failed"
[ "$failed" = 0 ]
