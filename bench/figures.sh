#!/bin/bash
# SPDX-License-Identifier: MIT
# Takes the figures of doc/bench.md: runs peat-bench for each table and leaves its JSON lines in
# OUTDIR; scripts/readme-figures.py OUTDIR makes the tables of doc/bench.md and README.md of them.
#
#   bench/figures.sh OUTDIR [TABLE]...     standard defaults large kilobyte latency; none: all
#
# RECORDS=5000000, PAIRS=5, BENCH=build/bench/peat-bench, and STORES= a folder on the disk that is to
# be measured. `large` needs root for its memory group.
set -euo pipefail
[[ $# -ge 1 && $1 != -* ]] || { sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$0")
out=$1 n=${RECORDS:-5000000} pairs=${PAIRS:-5} bench=${BENCH:-$here/../build/bench/peat-bench}
stores=${STORES:-$out/stores}
shift
tables=" ${*:-standard defaults large kilobyte latency} "
few=$((n / 5)) # reads where a fifth of the records is enough
mkdir -p "$out"

# run TABLE RUN PEERS WORKLOADS [OPTION]...: figures go to OUTDIR/TABLE.RUN.jsonl
run() {
    local file=$out/$1.$2.jsonl peers=$3 workloads=$4
    [[ $tables == *" $1 "* ]] || return 0
    shift 4
    rm -f "$file"
    echo "== $(basename "$file" .jsonl)" >&2
    "${group[@]}" "$bench" --compare "peat,$peers" --pairs "$pairs" --records "$n" --dir "$stores" \
        --workloads "$workloads" --json "$file" "$@"
}

group=()
run standard lmdb lmdb fillseq,readrandom --no-latency
run standard lmdb-scans lmdb fillrandom,overwrite,readmissing,readseq,readreverse,seekrandom10 --no-latency --reads "$few"
run standard lmdb-seeks lmdb fillrandom,readrandom,seekrandom10,seekrandom100 --no-latency --reads "$few"
run standard leveldb leveldb fillseq --no-latency
run standard rocksdb rocksdb fillrandom,overwrite,readmissing --no-latency --reads "$few"
run standard wiredtiger wiredtiger fillseq,readseq,readseq,seekrandom100 --no-latency --reads "$few"

for peer in lmdb rocksdb; do
    run defaults $peer $peer fillrandom,overwrite,readrandom,readhot,readmissing,readseq,seekrandom10,readwhilewriting \
        --no-latency --reads "$few" --defaults
done
run latency all lmdb,rocksdb fillrandom,overwrite,readrandom

all=$n # and now as many bytes in fewer records
n=$((all / 9)) few=$((n / 5))
run kilobyte all lmdb,rocksdb fillseq,fillrandom,overwrite,readrandom,readseq,seekrandom10 \
    --no-latency --reads "$few" --value-size 1000

# Memory for a quarter of the data (116 bytes a record), half of it for the engine to rule over. With
# more records LMDB's puts alone would take a quarter of an hour a round.
n=$((all * 2 / 5)) few=$((all / 50))
mib=$((n * 116 / 4 / 1048576))
[[ $mib -ge 24 ]] || mib=24 # what the programs themselves need
group=("$here/in-group.sh" "$mib")
run large all lmdb,rocksdb fillrandom,readrandom,readmissing,seekrandom10,readseq \
    --no-latency --reads "$few" --memory $((mib / 2))
