#!/usr/bin/env bash
# fuzz/run.sh SECONDS [TARGET...]: fuzzes each target for this long, one after the other, and prints a row of
# README.md's table for each. Needs a nightly compiler and cargo-fuzz. New inputs go to fuzz/work, crashes to
# fuzz/artifacts; `requests` needs the program's path in GRADUS_PROGRAM.
set -uo pipefail
cd "$(dirname "$0")"
seconds="$1"
shift
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
for target in "${targets[@]}"; do
    mkdir -p "work/$target"
    # An input of 64 KiB holds every structure; larger ones only slow the search.
    log=$(cargo +nightly fuzz run "$target" "work/$target" "corpus/$target" -- -max_total_time="$seconds" \
        -max_len=65536 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 2>&1)
    status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$log")
    covered=$(grep -o 'cov: [0-9]*' <<<"$log" | tail -1)
    printf '| %s | %s s | %s | %s | %s |\n' "$target" "$seconds" "${executions:-?}" "${covered#cov: }" \
        "$([ $status -eq 0 ] && echo none || grep -m1 -E 'panicked|ERROR' <<<"$log")"
done
