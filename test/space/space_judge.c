/* SPDX-License-Identifier: MIT */
/*
 * space_judge.c - see space.h. The bound: what the directory holds, files that were unlinked while
 * somebody keeps them open included, is at most space_target times what is live and a constant:
 *
 *   3 memtables      as tables that are being written
 *   2 x 3 memtables  their log, and as much again in segments that wait for their next use
 *   threads + 1      partitions: what a unit of work has written and not yet replaced
 *
 * and the tables that an iterator left standing stood on when it moved the last time.
 *
 * Live is what the present and every open read point see, in bytes of keys and values. A burst
 * (more freed at once than merging can follow) has some seconds, and the time a modest disk needs
 * to read and rewrite what is left at half its speed.
 */
#include "space/space.h"

#include <stdarg.h>

/* Read and rewritten, at half speed: 100 MB a second at full. */
#define DISK_BYTES_S    (50.0 * (double)MIB)
#define VIOLATIONS_SAID 3u

void space_violation(space *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (s->violations++ < VIOLATIONS_SAID) {
        (void)printf("  %s, memtables of %.2f MiB, %u threads: ", s->load, mib(s->memtable_bytes),
                     s->workers);
        (void)vprintf(format, args);
        (void)printf("\n");
    }
    va_end(args);
}

/* ---- what is allowed ---- */

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t memtable_bytes(const space *s)
{
    return max_of(s->memtable_bytes, s->entry_bytes_max);
}

/* As src/work/sizes.c: a 64th of the store, within limits. */
static uint64_t partition_bytes(const space *s)
{
    uint64_t n = max_of(atomic_load(&s->live_bytes) / 64, s->partition_bytes_min);
    n = n > s->partition_bytes_max ? s->partition_bytes_max : n;
    return max_of(n, s->entry_bytes_max);
}

static uint64_t tables_constant(const space *s)
{
    return 3 * memtable_bytes(s) + (s->workers + 1) * partition_bytes(s);
}

uint64_t space_constant(const space *s)
{
    return tables_constant(s) + 6 * memtable_bytes(s);
}

peat_statistics space_stats(space *s)
{
    peat_statistics st = {.size = sizeof st};
    must(peat_stats(s->db, &st), "stats");
    return st;
}

/* ---- samples ---- */

static uint64_t live_now(const space *s)
{
    return atomic_load(&s->live_bytes) + atomic_load(&s->held_bytes);
}

static void judge(space *s, const space_sample *now)
{
    if (now->ratio > 1.0)
        s->over_last_ns = now->at_ns;
    s->last = *now;
    if (now->at_ns < atomic_load(&s->strict_from_ns))
        return;
    if (now->ratio > s->worst.ratio)
        s->worst = *now;
    s->samples++;
    s->over += now->ratio > 1.0;
}

void space_sample_now(space *s)
{
    uint64_t before = live_now(s), constant = space_constant(s), at = world_now(s);
    uint64_t dir = world_dir_bytes(s);
    space_sample now = {.dir_bytes = dir, .live_bytes = max_of(before, live_now(s)), .at_ns = at};
    now.allowed_bytes = (uint64_t)(PEAT_SPACE_TARGET_DEFAULT * (double)now.live_bytes) + constant +
                        atomic_load(&s->standing_bytes);
    now.ratio = (double)dir / (double)now.allowed_bytes;
    judge(s, &now);
}

/* ---- bursts ---- */

void space_burst_begin(space *s)
{
    atomic_store(&s->strict_from_ns, UINT64_MAX);
}

void space_burst_end(space *s)
{
    uint64_t left = live_now(s) + space_constant(s);
    double work_s = s->workers == 0 ? 0 : (double)left / DISK_BYTES_S;
    s->burst_end_ns = world_now(s);
    atomic_store(&s->strict_from_ns,
                 s->burst_end_ns + s->burst_ns + (uint64_t)(work_s * s->speed * 1e9));
}

/* ---- the estimate ---- */

void space_check_obsolete(space *s)
{
    must(peat_flush(s->db), "flush");
    uint64_t live = live_now(s), slack = tables_constant(s);
    peat_statistics st = space_stats(s);
    uint64_t tables = st.bottom_bytes + st.mid_bytes + st.fresh_bytes;
    uint64_t truth = tables > live ? tables - live : 0;
    if (st.obsolete_bytes > 2 * truth + slack || 2 * (st.obsolete_bytes + slack) < truth)
        space_violation(s, "obsolete_bytes %.1f MiB, in truth %.1f (%.1f in tables, %.1f live)",
                        mib(st.obsolete_bytes), mib(truth), mib(tables), mib(live));
    if (truth < slack)
        return;
    double ratio = (double)st.obsolete_bytes / (double)truth;
    if (s->obsolete_high == 0 || ratio < s->obsolete_low)
        s->obsolete_low = ratio;
    if (ratio > s->obsolete_high)
        s->obsolete_high = ratio;
}
