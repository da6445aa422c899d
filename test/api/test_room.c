/* SPDX-License-Identifier: MIT */
/*
 * test_room.c - what a store holds in memory while it cannot write tables, and what it lets go of:
 * memtables wait, their log stays until each is flushed, sections of tables keep to their share.
 * ctest: label=single
 */
#include "world/kit.h"

#define MEMTABLE_BYTES ((size_t)64 << 10)

static void open_small(kit *k, sim_env *sim)
{
    kit_begin(k, sim);
    k->test.memtable_bytes = MEMTABLE_BYTES;
    k->test.segment_bytes = 8192;
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_must_open(k);
}

static void end(kit *k)
{
    (void)!peat_close(k->db); /* may say once more that a flush failed */
    sim_end(k->sim);
}

static peat_rc put_number(kit *k, unsigned i)
{
    char key[16], value[400];
    memset(value, 'v', sizeof value);
    size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
    return peat_put(k->db, NULL, peat_bytes(key, size), peat_bytes(value, sizeof value));
}

static void fail_tables(kit *k)
{
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_CREATE), .error = ENOSPC, .sticky = true,
             .name_prefix = "t-");
}

/* Writes until there is no room; returns how many writes were taken. */
static unsigned fill(kit *k)
{
    unsigned n = 0;
    fail_tables(k);
    peat_rc rc;
    while ((rc = put_number(k, n)) == PEAT_OK) {
        n++;
        assert_true(n < 20 * MEMTABLE_BYTES / 400);
    }
    assert_int_equal(rc, PEAT_FULL);
    return n;
}

TEST(memtables_do_not_pile_up)
{
    kit k;
    open_small(&k, sim_new(sim_seed(1)));
    unsigned n = fill(&k);
    assert_true(stats_of(k.db).immutable_memtables <= 2);
    assert_true(n > MEMTABLE_BYTES / 400);
    sim_faults_clear(k.sim);
    assert_ok(peat_flush(k.db)); /* resumes by itself */
    assert_ok(put_number(&k, n));
    end(&k);
}

static void expect_first(kit *k, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char key[16];
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_exists(k->db, NULL, peat_bytes(key, size)));
    }
}

/* After each single unit of work the process dies: what still waits is in the log. */
TEST(the_log_of_a_waiting_memtable_stays)
{
    kit k, again;
    size_t did = 1;
    open_small(&k, sim_new(sim_seed(1)));
    unsigned n = fill(&k);
    assert_true(stats_of(k.db).immutable_memtables == 2);
    sim_faults_clear(k.sim);
    while (did != 0) {
        assert_ok(peat_work(k.db, 1, &did));
        open_small(&again, sim_clone_killed(k.sim));
        expect_first(&again, n);
        end(&again);
    }
    end(&k);
}

/* A quarter of the memory is for sections; reads of every table would load more than that. */
TEST(sections_keep_to_their_share)
{
    kit k;
    char key[16];
    open_small(&k, sim_new(sim_seed(1)));
    for (unsigned i = 0; i < 250000; i++) {
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i * 7919 % 250000);
        assert_ok(peat_put(k.db, NULL, peat_bytes(key, size), peat_str("")));
    }
    assert_ok(peat_compact(k.db, peat_unbounded(), peat_unbounded(), NULL));
    for (unsigned i = 0; i < 250000; i += 500) {
        size_t size = (size_t)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_exists(k.db, NULL, peat_bytes(key, size)));
        assert_true(stats_of(k.db).metadata_bytes <= PEAT_MEMORY_BYTES_MIN / 4);
    }
    end(&k);
}
