/* SPDX-License-Identifier: MIT */
/*
 * test_around.c - while there is room, a get that misses brings the blocks around its own as well;
 * whatever is wrong with those is nobody's trouble until somebody asks for them.
 */
#include "world/kit.h"

enum { ROWS = 1600 };

#define MEMORY ((size_t)8 << 20)

static void open_settled(kit *k)
{
    k->test.block_bytes = 1 << 10; /* the smallest, of a page */
    k->options.compression = PEAT_COMPRESSION_NONE;
    k->options.memory_bytes = MEMORY;
    kit_must_open(k);
    put_many(k, ROWS, 180);
    assert_ok(peat_settle(k->db, 60000));
    kit_reopen(k);
}

static peat_rc get_row(kit *k, int i)
{
    return peat_get(k->db, NULL, nth_key(i), &k->buf);
}

static void expect_row(kit *k, int i)
{
    char head[32];
    int n = snprintf(head, sizeof head, "%d ", i);
    peat_rc rc = get_row(k, i);
    if (rc != PEAT_OK)
        fail_msg("row %d: %s", i, peat_rc_name(rc));
    assert_true(k->buf.size == (size_t)n + 180 && memcmp(k->buf.data, head, (size_t)n) == 0);
}

static void expect_rows(kit *k)
{
    for (int i = 0; i < ROWS; i++)
        expect_row(k, i * 7 % ROWS);
}

static uint64_t reads(kit *k)
{
    return sim_count(k->sim, SIM_BIT(SIM_FILE_READ));
}

/* 1,600 rows of some 190 bytes are 80 pages and more, 16 to a read. */
TEST_NEW(a_miss_brings_what_lies_around)
{
    open_settled(k);
    expect_row(k, 0); /* the index is loaded */
    uint64_t before = reads(k), misses = stats_of(k->db).cache_misses;
    expect_rows(k);
    assert_true(stats_of(k->db).cache_misses - misses > 60); /* blocks that were read */
    assert_true(reads(k) - before < 12);
    before = reads(k);
    expect_rows(k);
    assert_int_equal(reads(k), before);
}

static const peat_read_options unkept = {.size = sizeof unkept, .no_cache_fill = true};

TEST_NEW(who_keeps_nothing_brings_nothing)
{
    open_settled(k);
    expect_row(k, 0);
    uint64_t misses = stats_of(k->db).cache_misses;
    assert_ok(peat_exists(k->db, &unkept, nth_key(ROWS - 1)));
    assert_int_equal(stats_of(k->db).cache_misses, misses + 1);
}

/* The table that holds the rows. */
static int note_table(void *arg, const char *name, bool regular, uint64_t size)
{
    char *table = arg;
    if (regular && name[0] == 't' && size > 100000)
        (void)snprintf(table, 64, "%s", name);
    return 0;
}

TEST_NEW(what_is_damaged_beside_is_told_to_who_asks_for_it)
{
    char table[64] = "";
    open_settled(k);
    kit_close(k);
    assert_int_equal(sim_file_list(k->sim, "store", note_table, table), 0);
    assert_true(sim_file_flip(k->sim, "store", table, 5 * 4096 + 1000, 1));
    kit_must_open(k);
    expect_row(k, 0); /* of the first block: the sixth is read with it */
    assert_ok(peat_db_error(k->db, &k->error));
    assert_int_equal(stats_of(k->db).damages, 0);
    int corrupt = 0;
    for (int i = 0; i < ROWS; i++) {
        peat_rc rc = get_row(k, i);
        corrupt += rc == PEAT_CORRUPT;
        assert_true(rc == PEAT_OK || rc == PEAT_CORRUPT);
    }
    assert_true(corrupt > 5 && corrupt < 40); /* the rows of one block */
    assert_int_equal(peat_db_error(k->db, &k->error), PEAT_CORRUPT);
}

/* The read of many fails, the one of what was asked for does not: or that is told. */
TEST_NEW(a_failed_read_of_all_is_tried_alone)
{
    open_settled(k);
    expect_row(k, 0);
    unsigned fault =
        sim_fault_add(k->sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_READ), .at = 1, .error = EIO});
    expect_row(k, ROWS - 1);
    assert_int_equal(sim_fault_hits(k->sim, fault), 1);
    assert_ok(peat_db_error(k->db, &k->error));
    sim_faults_clear(k->sim);
    (void)sim_fault_add(
        k->sim,
        (sim_fault){.kinds = SIM_BIT(SIM_FILE_READ), .at = 1, .error = EIO, .sticky = true});
    assert_int_equal(get_row(k, ROWS / 2), PEAT_IO);
    sim_faults_clear(k->sim);
    expect_rows(k);
}

TEST_NEW(without_memory_for_all_one_is_read)
{
    open_settled(k);
    for (uint64_t at = 1, hits = 1; hits != 0; at++) {
        kit_reopen(k);
        expect_row(k, 0);
        unsigned fault = sim_fault_add(
            k->sim, (sim_fault){.kinds = SIM_BIT(SIM_ALLOC), .at = at, .error = ENOMEM});
        peat_rc rc = get_row(k, ROWS - 1);
        hits = sim_fault_hits(k->sim, fault);
        assert_true(rc == PEAT_OK || (rc == PEAT_NOMEM && hits != 0));
        sim_faults_clear(k->sim);
        expect_rows(k);
    }
}

/* When the frames are in use, what nobody asked for drives nothing out. */
TEST_NEW(a_full_cache_is_left_alone)
{
    k->test.block_bytes = 1 << 10;
    k->options.compression = PEAT_COMPRESSION_NONE;
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_must_open(k);
    put_many(k, 3 * ROWS, 3000); /* each in a page of its own, several times what memory holds */
    assert_ok(peat_settle(k->db, 60000));
    for (int i = 0; i < 3 * ROWS; i++)
        assert_ok(get_row(k, i * 7 % (3 * ROWS)));
    uint64_t misses = stats_of(k->db).cache_misses;
    for (int i = 0; i < 500; i++)
        assert_ok(get_row(k, i * 17 % (3 * ROWS)));
    assert_true(stats_of(k->db).cache_misses - misses <= 500);
}

/* A kilobyte takes a page of a store that does not fit the memory, not blocks that hold many. */
TEST_NEW(beyond_memory_a_record_is_a_page)
{
    enum { LARGE = 4000, GETS = 400 };
    k->options.compression = PEAT_COMPRESSION_NONE;
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_must_open(k);
    put_many(k, LARGE, 980);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    kit_reopen(k);
    for (int i = 0; i < LARGE; i++)
        assert_ok(get_row(k, i));
    uint64_t before = stats_of(k->db).bytes_read;
    for (int i = 0; i < GETS; i++)
        assert_ok(get_row(k, i * 997 % LARGE));
    assert_true(stats_of(k->db).bytes_read - before <= (uint64_t)GETS * 4096);
}

/* The simulated disk, on which a read takes a millisecond. */
typedef struct slow_disk {
    peat_env env;
    sim_env *sim;
    int (*file_read)(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t size,
                     size_t *ret_size);
} slow_disk;

static slow_disk slow;

static int read_slowly(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t size,
                       size_t *ret_size)
{
    sim_clock_advance(slow.sim, 1000000);
    return slow.file_read(ctx, file, offset, buf, size, ret_size);
}

/* It is asked for single blocks then, and for many again after a while. */
TEST_NEW(a_slow_device_is_asked_for_one_block)
{
    slow = (slow_disk){.env = *sim_peat(k->sim), .sim = k->sim};
    slow.file_read = slow.env.file_read;
    slow.env.file_read = read_slowly;
    k->host.env = &slow.env;
    open_settled(k);
    expect_row(k, 0); /* which was slow */
    unsigned alone = 0, together = 0;
    for (int i = 0; i < ROWS; i += 10) {
        uint64_t misses = stats_of(k->db).cache_misses;
        expect_row(k, i);
        alone += stats_of(k->db).cache_misses - misses == 1;
        together += stats_of(k->db).cache_misses - misses > 1;
    }
    assert_true(alone >= 16 && together >= 1 && together <= 1 + alone / 16);
}
