/* SPDX-License-Identifier: MIT */
/*
 * test_table_faults.c - every failing allocation and file call gives its code and a text, and
 * leaves nothing behind. ctest: timeout=300
 */
#include "damage_tables.h"

static peat_rc whole_life(kit *k, const pt_table_writer_options *o, const model *m)
{
    peat_rc rc = PEAT_OK;
    kit_source s = {0};
    pt_iter *it = NULL;
    pt_block_source *stream = NULL;
    TRY(kit_write(k, o, m));
    TRY(kit_open(k));
    kit_source_init(&s, k);
    for (size_t i = 0; i < m->count; i += 40) {
        pt_entry have;
        TRY(kit_find(k, &s, m->entries[i].key, PT_SEQ_MAX, &have));
        free((void *)(uintptr_t)have.value.data);
    }
    TRY(pt_table_stream_new(k->env, k->table, PT_STREAM_MERGE, &stream));
    TRY(pt_table_iter_new(k->env, k->table, stream,
                          &(pt_table_iter_options){.lower = m->entries[0].key}, &it));
    size_t seen = 0;
    for (rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
        seen++;
    if (rc != PEAT_END)
        goto out;
    assert_int_equal(seen, m->count);
    TRY(pt_table_check(k->table, NULL, NULL, NULL));
out:
    pt_iter_done(it);
    pt_table_stream_free(k->env, stream);
    assert_int_equal(s.held, 0);
    return rc;
}

static void fail_each(const pt_table_writer_options *o, bool memory, peat_rc want)
{
    model m = {0};
    make_model(&m, 500, true);
    peat_rc rc = want;
    uint64_t n = 0;
    for (; rc != PEAT_OK; n++) {
        kit k;
        kit_init(&k);
        sim_fail(k.sim, .kinds = memory ? SIM_MEMORY : KIT_FILE_CALLS, .at = n + 1,
                 .error = memory ? ENOMEM : EIO);
        rc = whole_life(&k, o, &m);
        assert_true(rc == PEAT_OK || rc == want);
        if (rc != PEAT_OK)
            assert_true(strlen(kit_error(&k)) > 10);
        sim_faults_clear(k.sim);
        kit_done(&k);
    }
    print_message("%" PRIu64 " calls failed\n", n - 1);
    assert_true(n > 10);
    model_done(&m);
}

TEST(failing_memory_gives_nomem_and_leaks_nothing)
{
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++)
        fail_each(&layouts[l], true, PEAT_NOMEM);
}

TEST(failing_files_give_io_errors_and_leak_nothing)
{
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++)
        fail_each(&layouts[l], false, PEAT_IO);
}
