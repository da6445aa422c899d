/* SPDX-License-Identifier: MIT */
/* shared_files.h - tables in a simulated directory, one key in each, that share descriptors. */
#ifndef PT_TEST_TABLE_SHARED_FILES_H
#define PT_TEST_TABLE_SHARED_FILES_H

#include "base/hash.h"
#include "support/sim_env.h"
#include "table/table_internal.h"
#include "world/test.h"

#define TABLES 6

typedef struct fixture {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_table_files files;
    pt_table *tables[TABLES];
} fixture;

static inline void value_of(int i, char ret_value[16])
{
    (void)snprintf(ret_value, 16, "value %03d", i);
}

/* One key in a file of its own. */
static inline pt_table *make_table(fixture *f, int i)
{
    pt_table_writer_options o = {
        .store_id = 1, .file_number = (uint64_t)i + 1, .run_kind = PT_RUN_BOTTOMMOST};
    pt_table_writer *w = NULL;
    pt_table_meta meta;
    pt_table *t = NULL;
    char value[16];
    value_of(i, value);
    pt_entry e = {.key = pt_slice_of("\0\0\0\1k", 5),
                  .value = pt_slice_of(value, strlen(value)),
                  .kind = PT_KIND_PUT};
    assert_ok(pt_table_writer_new(f->env, f->dir, &f->sink, &o, &w));
    assert_ok(pt_table_writer_add(w, &e, pt_hash(e.key.data, e.key.size)));
    assert_ok(pt_table_writer_finish(w, &meta));
    assert_ok(pt_table_new(f->env, f->dir, &f->sink, &f->epoch, &meta, &t));
    pt_table_writer_free(w);
    pt_table_join(t, &f->files);
    return t;
}

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->sim = sim_new(sim_seed(5));
    f->env = sim_peat(f->sim);
    pt_sink_init(&f->sink);
    pt_epoch_init(&f->epoch);
    pt_table_files_init(&f->files);
    assert_int_equal(f->env->dir_open(f->env->ctx, "db", PEAT_ENV_DIR_CREATE, &f->dir), 0);
    for (int i = 0; i < TABLES; i++)
        f->tables[i] = make_table(f, i);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < TABLES; i++)
        pt_table_free(f->tables[i]);
    pt_table_files_done(&f->files);
    pt_epoch_done(&f->epoch);
    pt_sink_done(&f->sink);
    f->env->dir_close(f->env->ctx, f->dir);
    bool clean = sim_is_clean(f->sim);
    sim_free(f->sim);
    free(f);
    return clean ? 0 : 1;
}

static inline peat_rc read_table(fixture *f, int i)
{
    uint8_t block[4096];
    size_t size = 0;
    char value[16];
    value_of(i, value);
    peat_rc rc = pt_table_read_block(f->tables[i], 0, block, sizeof block, &size);
    if (rc == PEAT_OK && memmem(block, size, value, strlen(value)) == NULL)
        return PEAT_CORRUPT;
    return rc;
}

static inline uint64_t files_held(fixture *f)
{
    return sim_get_held(f->sim).files;
}

static inline uint64_t opens(fixture *f)
{
    return sim_count(f->sim, SIM_BIT(SIM_FILE_OPEN));
}

/* Sets the process's limit so that tables may have `count` files open; the directory is one more.
 */
static inline void leave_descriptors(fixture *f, uint64_t count)
{
    sim_limit_files(f->sim, count + 1);
}

#define TEST_F(name) TEST_WITH(name, fixture *f, set_up, tear_down)

#endif
