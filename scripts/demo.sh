#!/bin/bash
# SPDX-License-Identifier: MIT
# Real data through a store, a killed loader, and the proof that nothing was lost.
#
#   scripts/demo.sh PEAT           the Unicode character database: by code point and by name
#   DATA=contents scripts/demo.sh PEAT    Debian's Contents index: every path of every package
#
# Everything goes through the command. Work goes to demo-data/, made anew. SEED repeats a run's
# kill points. Any mismatch ends the demo with status 1.
set -euo pipefail
export LC_ALL=C

peat=$(realpath "${1:?usage: demo.sh PEAT}")
data=${DATA:-unicode}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((seed % 32768))
work=demo-data
kills=3

say() { printf '\n== %s\n' "$*"; }
die() { printf '\nDEMO FAILED: %s (seed %s)\n' "$*" "$seed" >&2; exit 1; }
now() { date +%s.%N; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
megabytes() { calc '%.1f MB' "$1 / 1e6"; }
bytes_of() { stat -c %s "$1"; }
disk_of() { du -sB1 "$1" | cut -f1; }

# The source, one record per line: key, tab, value; keys are unique, the order is not the store's.
make_unicode() {
    awk -F';' -v OFS='\t' '{
        key = "U+" $1; name = $2
        if (name ~ /^</) name = name " " $1     # <control> names many characters
        rest = $0; sub(/^[^;]*;/, "", rest)
        print name, key; print key, rest
    }' /usr/share/unicode/UnicodeData.txt >"$work/source.tsv"
    prefix='GREEK SMALL LETTER' sample='U+03A9'
}

make_contents() {
    local lists=(/var/lib/apt/lists/*Contents-*)
    if [[ ! -e ${lists[0]} ]]; then
        echo "fetching the Contents index (apt-file update)"
        local root=()
        [[ $(id -u) -eq 0 ]] || root=(sudo)
        "${root[@]}" apt-file update >"$work/apt-file.log" 2>&1 || { tail "$work/apt-file.log"; die "apt-file update failed"; }
        lists=(/var/lib/apt/lists/*Contents-*)
        [[ -e ${lists[0]} ]] || die "apt-file update left no Contents file"
    fi
    # "path    section/package,..."; a path of two suites becomes one record.
    for list in "${lists[@]}"; do
        /usr/lib/apt/apt-helper cat-file "$list"
    done | sed -E 's/[ \t]+([^ \t]+)$/\t\1/' | sort -u -S 512M --parallel=2 -T "$work" | awk -F'\t' -v OFS='\t' '
        NF != 2 { next }
        $1 == path { packages = packages "," $2; next }
        { if (path != "") print path, packages; path = $1; packages = $2 }
        END { if (path != "") print path, packages }' |
        # Sorted input would only append: deal the paths out by a hash of the line number instead.
        awk '{ printf "%09d\t%s\n", (NR * 7919) % 999983, $0 }' |
        sort -S 512M --parallel=2 -T "$work" | cut -f2- >"$work/source.tsv"
    prefix='usr/bin/git' sample='usr/bin/git'
}

load() {
    local dir=$1
    shift
    "$peat" load --quiet --no-escapes "$@" "$dir"
}

# Loads and kills the loader as soon as it has acknowledged `target` records. Leaves the number of
# the last acknowledgement that came through in `acked`, the loader's status in `status`.
load_and_kill() {
    local dir=$1 target=$2 pid number killed=
    shift 2
    # Not through load(): the process to kill must be the loader itself, not a shell around it.
    "$peat" load --quiet --no-escapes --ack - "$@" "$dir" <"$work/part.tsv" \
        >"$work/ack" 2>"$work/loader.err" &
    pid=$!
    acked=0
    while read -r number; do
        acked=$number
        if [[ -z $killed && $number -ge $target ]]; then
            kill -KILL "$pid"
            killed=yes
        fi
    done <"$work/ack"
    status=0
    wait "$pid" 2>/dev/null || status=$?
}

rm -rf "$work"
mkdir "$work"
mkfifo "$work/ack"
started=$(now)

case $data in
unicode) say "The Unicode character database, by name and by code point" && make_unicode ;;
contents) say "Debian's Contents index: path to packages" && make_contents ;;
*) die "DATA is '$data'; use unicode or contents" ;;
esac
records=$(wc -l <"$work/source.tsv")
input_bytes=$(bytes_of "$work/source.tsv")
sort -S 512M --parallel=2 -T "$work" "$work/source.tsv" >"$work/sorted.tsv"
[[ $(cut -f1 "$work/sorted.tsv" | uniq -d | wc -l) -eq 0 ]] || die "the source has a key twice"
echo "$records records, $(megabytes "$input_bytes")"

say "Load"
store=$work/store
begin=$(now)
load "$store" <"$work/source.tsv"
took=$(calc %.3f "$(now) - $begin")
echo "$records records in $took s: $(calc '%.0f records/s, %.1f MB/s' "$records / $took, $input_bytes / 1e6 / $took")"
"$peat" compact --quiet "$store" >/dev/null
disk=$(disk_of "$store")
echo "on disk $(megabytes "$disk") for $(megabytes "$input_bytes") of input: $(calc %.2f "$disk / $input_bytes")"
"$peat" stats "$store"

say "Look at it"
count=$("$peat" count "$store")
[[ $count == "$records" ]] || die "peat count says $count, the source has $records"
echo "\$ peat scan --prefix '$prefix' --limit 8"
"$peat" scan --no-escapes --prefix "$prefix" --limit 8 "$store"
grep -F "$prefix" "$work/sorted.tsv" | awk -v p="$prefix" 'index($0, p) == 1' >"$work/expected"
"$peat" scan --no-escapes --prefix "$prefix" "$store" >"$work/found"
cmp "$work/expected" "$work/found" || die "the prefix scan differs from the source"
echo "... $(wc -l <"$work/found") records under this prefix, the same as in the source"
echo "\$ peat get $sample"
value=$("$peat" get "$store" "$sample")
echo "$value"
[[ $value == "$(awk -F'\t' -v k="$sample" '$1 == k { print substr($0, length($1) + 2) }' "$work/source.tsv")" ]] ||
    die "the value of $sample differs from the source"

say "Kill a loader, $kills times over (seed $seed)"
survivor=$work/survivor
have=0
for ((round = 1; round <= kills; round++)); do
    tail -n +$((have + 1)) "$work/source.tsv" >"$work/part.tsv"
    left=$((records - have))
    # The first kill hits a loader that waits for the disk at each batch.
    options=(--batch $((records / 3500 + 1)))
    [[ $round -ne 1 ]] || options+=(--sync)
    for ((try = 1; ; try++)); do
        load_and_kill "$survivor" $((left * (5 + RANDOM % 40) / 100 / try)) "${options[@]}"
        [[ $status -ne 137 || $acked -ge $left ]] || break
        [[ $status =~ ^(0|137)$ && $try -lt 5 ]] || die "the loader ended with status $status: $(cat "$work/loader.err")"
        rm -rf "$survivor" # it was faster than we: once more from the start of this run
        have=0
        cp "$work/source.tsv" "$work/part.tsv"
        left=$records
    done
    begin=$(now)
    "$peat" dump --no-escapes "$survivor" >"$work/after.tsv"
    took=$(calc %.3f "$(now) - $begin")
    found=$(wc -l <"$work/after.tsv")
    # What is there must be the records of the source in the order of loading, at least as far as
    # was acknowledged, with no hole and nothing else.
    [[ $found -ge $((have + acked)) ]] || die "$((have + acked)) records acknowledged, only $found there"
    head -n "$found" "$work/source.tsv" | sort -S 256M | cmp - "$work/after.tsv" ||
        die "after the kill the store differs from the first $found records of the source"
    echo "kill $round (${options[*]}): $acked of $left acknowledged; reopened and read in $took s;" \
        "$found records there, every acknowledged one among them, all equal to the source"
    have=$found
done
tail -n +$((have + 1)) "$work/source.tsv" | load "$survivor"

say "Dump everything and compare"
"$peat" check "$store" >/dev/null || die "peat check found damage in $store"
"$peat" check "$survivor" >/dev/null || die "peat check found damage in $survivor"
want=$(sha256sum <"$work/sorted.tsv")
for dir in "$store" "$survivor"; do
    sum=$("$peat" dump --no-escapes "$dir" | sha256sum)
    printf '%s  %s\n' "${sum%% *}" "$(basename "$dir")"
    [[ $sum == "$want" ]] || die "the dump of $dir differs from the sorted source ${want%% *}"
done
printf '%s  sorted source\n' "${want%% *}"
find "$work" -mindepth 1 -maxdepth 1 ! -name store -exec rm -rf {} +
printf '\nDemo passed: %s records, %s kills, nothing lost, in %s s. The store stays in %s.\n' \
    "$records" "$kills" "$(calc %.0f "$(now) - $started")" "$store"
