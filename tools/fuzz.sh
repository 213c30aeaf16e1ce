#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make fuzz` runs: fuzz.sh BUILD_FOLDER SECONDS TARGET...
#
# Each target has its share of the seconds, in as many processes as there are cores. They start from
# spec/fuzz/corpus, and from what earlier runs found out, which is kept in the build folder, beside
# their logs. An input that is a finding is kept there too. The status is 0 if there was none.
set -u

out=$1/spec/fuzz seconds=$2
shift 2
cores=$(nproc 2>/dev/null || echo 2)
share=$((seconds / $#))
if [ "$share" -lt 1 ]; then share=1; fi
findings=0

# To note where each block came from would be half of all time; so would be looking for leaks, which
# `make test BUILD=asan` does when it replays the corpus.
export ASAN_OPTIONS="malloc_context_size=1:quarantine_size_mb=16:${ASAN_OPTIONS:-}"

# start TARGET NUMBER: one process of libFuzzer, which reads what the others find now and then.
start() {
  nice "$out/$1" -max_total_time="$share" -timeout=20 -rss_limit_mb=2048 -max_len=1024 \
    -detect_leaks=0 \
    -print_final_stats=1 -reload=10 -dict="spec/fuzz/$1.dict" \
    -artifact_prefix="$out/findings/$1-" \
    "$out/found/$1" "spec/fuzz/corpus/$1" >"$out/$1.$2.log" 2>&1
}

# run TARGET: prints its line. Leaves the number of processes that had a finding in `bad`.
run() {
  mkdir -p "$out/found/$1" "$out/findings"
  pids='' bad=0 number=0
  while [ "$number" -lt "$cores" ]; do
    number=$((number + 1))
    start "$1" "$number" &
    pids="$pids $!"
  done
  for pid in $pids; do wait "$pid" || bad=$((bad + 1)); done
  inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$1".*.log |
    awk '{ sum += $1 } END { print sum + 0 }')
  printf '%-8s %12s inputs, %s findings\n' "$1" "$inputs" "$bad"
}

for target; do
  rm -f "$out/$target".*.log
  run "$target"
  if [ "$bad" != 0 ]; then
    grep -hE 'not so:|ERROR:|runtime error:|Test unit written' "$out/$target".*.log
  fi
  findings=$((findings + bad))
done
[ "$findings" = 0 ]
