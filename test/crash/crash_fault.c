/* SPDX-License-Identifier: MIT */
/* crash_fault.c - see crash_fault.h. */
#include "crash/crash_fault.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool fits(const crash_write *w, crash_reading found)
{
    if (w->deleted || found.rc == PEAT_NOT_FOUND)
        return w->deleted && found.rc == PEAT_NOT_FOUND;
    if (w->value.size != found.value.size)
        return false;
    uint8_t *bytes = malloc((size_t)w->value.size + 1);
    model_value_fill(w->value, bytes);
    bool same = w->value.size == 0 || memcmp(bytes, found.value.data, w->value.size) == 0;
    free(bytes);
    return same;
}

/* The last write of commit i to a rank; NULL when it has none. */
static const crash_write *write_of(const crash_plan *p, uint64_t i, size_t rank)
{
    for (size_t w = p->commits[i].count; w-- > 0;)
        if (p->writes[p->commits[i].first + w].rank == rank)
            return &p->writes[p->commits[i].first + w];
    return NULL;
}

uint64_t crash_source_of(const crash_fault_run *f, size_t rank, crash_reading found, uint64_t sure)
{
    const crash_plan *p = f->run.plan;
    uint64_t last = atomic_load(f->run.begun);
    for (uint64_t i = last; i > 0; i--) {
        const crash_write *w = write_of(p, i, rank);
        if (w == NULL)
            continue;
        if (fits(w, found))
            return i;
        if (f->acked[i] && i <= sure)
            crash_fail(&f->run,
                       "rank %zu: commit %" PRIu64 " was acknowledged, found %s of %zu bytes", rank,
                       i, peat_rc_name(found.rc), found.value.size);
    }
    if (found.rc != PEAT_NOT_FOUND)
        crash_fail(&f->run, "rank %zu: %zu bytes that nobody wrote", rank, found.value.size);
    return 0;
}

/* Batches that failed are there whole or not at all. */
static void expect_whole(const crash_fault_run *f, const uint64_t *source)
{
    const crash_plan *p = f->run.plan;
    for (uint64_t i = 1; i <= atomic_load(f->run.begun); i++) {
        bool seen = false;
        const crash_write *missing = NULL;
        for (size_t w = 0; w < p->commits[i].count; w++) {
            const crash_write *write = write_of(p, i, p->writes[p->commits[i].first + w].rank);
            seen |= source[write->rank] == i && !write->deleted;
            if (source[write->rank] < i && !write->deleted)
                missing = write;
        }
        if (seen && missing != NULL)
            crash_fail(&f->run, "commit %" PRIu64 " is there in part: rank %u is not", i,
                       missing->rank);
    }
}

void crash_expect_allowed(const crash_fault_run *f, uint64_t sure, uint64_t *ret_source)
{
    peat_buf buf = PEAT_BUF_INIT;
    for (size_t rank = 0; rank < f->run.plan->keys.ranks; rank++) {
        peat_rc rc = peat_get(f->run.db, NULL, f->run.plan->keys.by_rank[rank], &buf);
        if (rc < 0)
            crash_fail(&f->run, "peat_get of rank %zu: %s", rank, peat_rc_name(rc));
        crash_reading found = {rc, peat_bytes(buf.data, rc == PEAT_OK ? buf.size : 0)};
        ret_source[rank] = crash_source_of(f, rank, found, sure);
    }
    peat_buf_free(&buf);
    expect_whole(f, ret_source);
}
