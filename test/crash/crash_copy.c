/* SPDX-License-Identifier: MIT */
/*
 * crash_copy.c - stores made out of the one that follows a plan, and what a cut leaves of them: an
 * import of its export first, then a repair of that.
 */
#include "crash/crash.h"
#include "support/memory_stream.h"

#include <inttypes.h>
#include <stdlib.h>

#define COPIES_MAX 2u /* they stay on the disk, which is cloned often */

static void name_copy(uint64_t number, char *ret_dir, size_t size)
{
    (void)snprintf(ret_dir, size, "copy-%" PRIu64, number);
}

static void import_copy(crash_run *r, const char *dir)
{
    memory_stream s = {0};
    peat_error error = {0};
    peat_rc rc = peat_export(r->db, NULL, memory_stream_write, &s);
    if (rc != PEAT_OK)
        crash_fail(r, "peat_export: %s", peat_rc_name(rc));
    rc = peat_import(dir, &r->open.options, memory_stream_read, &s, &error);
    if (rc != PEAT_OK)
        crash_fail(r, "peat_import: %s, \"%s\"", peat_rc_name(rc), error.message);
    free(s.data);
}

static void repair_copy(crash_run *r, const char *from, const char *dir)
{
    peat_error error = {0};
    peat_repair_options options = {.size = sizeof options, .open = &r->open.options};
    peat_repair_report report = {.size = sizeof report};
    peat_rc rc = peat_repair(from, dir, &options, &report, &error);
    if (rc != PEAT_OK || report.damages != 0 || report.doubtful != 0)
        crash_fail(r, "peat_repair of an intact store: %s, \"%s\", %" PRIu64 " damages",
                   peat_rc_name(rc), error.message, report.damages);
}

void crash_copy(crash_run *r)
{
    char dir[40], before[40];
    uint64_t number = atomic_load(&r->copies) + 1;
    if (number > COPIES_MAX)
        return;
    name_copy(number, dir, sizeof dir);
    name_copy(number - 1, before, sizeof before);
    atomic_store(&r->copy_whole, false);
    if (number == 1)
        atomic_store(&r->copy_at, atomic_load(r->returned));
    atomic_store(&r->copies, number);
    if (number == 1)
        import_copy(r, dir);
    else
        repair_copy(r, before, dir);
    atomic_store(&r->copy_whole, true);
}

/* The entries of a state in order, against those of a store. */
typedef struct comparing {
    const crash_run *r;
    uint64_t *expected; /* per rank the hash of the entry, 0: none */
    size_t next;
} comparing;

static void compare_row(void *arg, size_t rank, peat_slice value, uint64_t hash)
{
    comparing *c = arg;
    (void)value;
    while (c->next < rank && c->expected[c->next] == 0)
        c->next++;
    if (c->next != rank || c->expected[rank] != hash)
        crash_fail(c->r, "%s: rank %zu is wrong, or rank %zu is missing before it", c->r->dir, rank,
                   c->next);
    c->next++;
}

void crash_identify_copy(const crash_run *r, uint64_t number, uint64_t at, bool whole)
{
    const crash_plan *p = r->plan;
    char dir[40];
    crash_run copy = {.plan = p, .sim = r->sim, .dir = dir, .report = r->report};
    comparing c = {.r = &copy, .expected = calloc(p->keys.ranks, sizeof *c.expected)};
    name_copy(number, dir, sizeof dir);
    (void)snprintf(copy.story, sizeof copy.story, "%s", r->story);
    for (size_t w = 0; at != 0 && w < p->commits[at].first + p->commits[at].count; w++)
        c.expected[p->writes[w].rank] = p->write_hash[w];
    peat_error error;
    model_open_make(&p->options, sim_peat(r->sim), &copy.open);
    copy.open.options.read_only = true;
    peat_rc rc = peat_open(dir, &copy.open.options, &copy.db, &error);
    if (rc != PEAT_OK && (whole || (rc != PEAT_NOT_FOUND && rc != PEAT_NOT_STORE)))
        crash_fail(&copy, "%s, whose making %s: %s, \"%s\"", dir,
                   whole ? "had returned" : "was cut", peat_rc_name(rc), error.message);
    if (rc == PEAT_OK) {
        crash_read(&copy, compare_row, &c);
        while (c.next < p->keys.ranks && c.expected[c.next] == 0)
            c.next++;
        if (c.next < p->keys.ranks)
            crash_fail(&copy, "%s opens as a store, but lacks rank %zu", dir, c.next);
        crash_close(&copy);
    }
    free(c.expected);
}
