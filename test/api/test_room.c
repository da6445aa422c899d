/* SPDX-License-Identifier: MIT */
/*
 * test_room.c - what a store holds in memory while it cannot write tables, and what it lets go of:
 * memtables wait, their log stays until each is flushed, sections of tables keep to their share.
 */
#include "peat.h"
#include "world/sim.h"

#define MEMTABLE_BYTES ((size_t)64 << 10)

typedef struct site {
    sim_env *sim;
    peat_host host;
    peat_test_options test;
    peat_options options;
    peat_db *db;
} site;

static void site_open(site *s, sim_env *sim)
{
    *s = (site){.sim = sim};
    s->host = (peat_host){.size = sizeof s->host, .env = sim_peat(sim)};
    s->test = (peat_test_options){
        .size = sizeof s->test, .memtable_bytes = MEMTABLE_BYTES, .segment_bytes = 8192};
    s->options = (peat_options){.size = sizeof s->options,
                                .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                                .threads = PEAT_THREADS_NONE,
                                .test = &s->test,
                                .host = &s->host};
    assert_ok(peat_open("db", &s->options, &s->db, NULL));
}

static void site_close(site *s)
{
    (void)!peat_close(s->db); /* may say once more that a flush failed */
    sim_end(s->sim);
}

static peat_statistics stats_of(site *s)
{
    peat_statistics stats = {.size = sizeof stats};
    assert_ok(peat_stats(s->db, &stats));
    return stats;
}

static peat_rc put(site *s, unsigned i)
{
    char key[16], value[400];
    memset(value, 'v', sizeof value);
    size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
    return peat_put(s->db, NULL, peat_bytes(key, size), peat_bytes(value, sizeof value));
}

static void fail_tables(site *s)
{
    sim_fail(s->sim, .kinds = SIM_BIT(SIM_FILE_CREATE), .error = ENOSPC, .sticky = true,
             .name_prefix = "t-");
}

/* Writes until there is no room; returns how many writes were taken. */
static unsigned fill(site *s)
{
    unsigned n = 0;
    fail_tables(s);
    peat_rc rc;
    while ((rc = put(s, n)) == PEAT_OK) {
        n++;
        assert_true(n < 20 * MEMTABLE_BYTES / 400);
    }
    assert_int_equal(rc, PEAT_FULL);
    return n;
}

TEST(memtables_do_not_pile_up)
{
    site s;
    site_open(&s, sim_new(sim_seed(1)));
    unsigned n = fill(&s);
    assert_true(stats_of(&s).immutable_memtables <= 2);
    assert_true(n > MEMTABLE_BYTES / 400);
    sim_faults_clear(s.sim);
    assert_ok(peat_flush(s.db)); /* resumes by itself */
    assert_ok(put(&s, n));
    site_close(&s);
}

static void expect_first(site *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char key[16];
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_exists(s->db, NULL, peat_bytes(key, size)));
    }
}

/* After each single unit of work the process dies: what still waits is in the log. */
TEST(the_log_of_a_waiting_memtable_stays)
{
    site s, again;
    size_t did = 1;
    site_open(&s, sim_new(sim_seed(1)));
    unsigned n = fill(&s);
    assert_true(stats_of(&s).immutable_memtables == 2);
    sim_faults_clear(s.sim);
    while (did != 0) {
        assert_ok(peat_work(s.db, 1, &did));
        site_open(&again, sim_clone_killed(s.sim));
        expect_first(&again, n);
        site_close(&again);
    }
    site_close(&s);
}

/* A quarter of the memory is for sections; reads of every table would load more than that. */
TEST(sections_keep_to_their_share)
{
    site s;
    char key[16];
    site_open(&s, sim_new(sim_seed(1)));
    for (unsigned i = 0; i < 250000; i++) {
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i * 7919 % 250000);
        assert_ok(peat_put(s.db, NULL, peat_bytes(key, size), peat_str("")));
    }
    assert_ok(peat_compact(s.db, peat_unbounded(), peat_unbounded(), NULL));
    for (unsigned i = 0; i < 250000; i += 500) {
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_exists(s.db, NULL, peat_bytes(key, size)));
        assert_true(stats_of(&s).metadata_bytes <= PEAT_MEMORY_BYTES_MIN / 4);
    }
    site_close(&s);
}
