/* SPDX-License-Identifier: MIT */
/*
 * test_import.c - an import that ends too early, by a kill or a power cut before any change of the
 * disk, leaves nothing that opens as a store.
 */
#include "faults/faults.h"
#include "support/memory_stream.h"
#include "world/kit.h"

#define ENTRIES 400

typedef struct scene {
    memory_stream export;
    model_options options;
    unsigned boundaries, refused;
} scene;

static void open_options(const scene *s, sim_env *sim, model_open *ret_open)
{
    model_open_make(&s->options, sim_peat(sim), ret_open);
    ret_open->options.create = PEAT_CREATE_NEVER;
}

static int count_entries(const scene *s, sim_env *sim)
{
    model_open open;
    peat_db *db = NULL;
    open_options(s, sim, &open);
    assert_ok(peat_open("copy", &open.options, &db, NULL));
    int n = count_all(db);
    assert_ok(peat_close(db));
    return n;
}

/* What a crash left: no store; and where the disk shows nothing of it, the import works. */
static void expect_none(scene *s, sim_env *sim)
{
    model_open open;
    peat_db *db = NULL;
    memory_stream again = s->export;
    again.at = 0;
    open_options(s, sim, &open);
    peat_rc rc = peat_open("copy", &open.options, &db, NULL);
    if (rc == PEAT_OK) { /* the last change was to make it whole */
        assert_ok(peat_close(db));
    } else if (rc != PEAT_NOT_STORE) {
        assert_int_equal(rc, PEAT_NOT_FOUND);
        assert_ok(peat_import("copy", &open.options, memory_stream_read, &again, NULL));
    }
    s->refused += rc == PEAT_NOT_STORE;
    if (rc != PEAT_NOT_STORE)
        assert_int_equal(count_entries(s, sim), ENTRIES);
    sim_end(sim);
}

static void each_boundary(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const sim_cut_mode modes[] = {SIM_CUT_LOST, SIM_CUT_RANDOM};
    scene *s = arg;
    s->boundaries++;
    expect_none(s, sim_clone_killed(sim));
    for (size_t i = 0; i < 2; i++)
        expect_none(s, sim_clone_cut(sim, &(sim_cut){.mode = modes[i], .seed = b->index}));
}

TEST(an_import_that_ends_too_early_leaves_no_store)
{
    scene s = {.options = {.field = {[MODEL_OPTION_threads] = -1,
                                     [MODEL_OPTION_memory] = 1 << 20,
                                     [MODEL_OPTION_memtable] = 65536}}};
    sim_env *sim = sim_new(sim_seed(1));
    model_open open;
    peat_db *db = NULL;
    char key[16];
    static uint8_t value[500];
    model_open_make(&s.options, sim_peat(sim), &open);
    assert_ok(peat_open("store", &open.options, &db, NULL));
    for (unsigned i = 0; i < ENTRIES; i++) {
        int n = snprintf(key, sizeof key, "%05u", i);
        assert_ok(peat_put(db, NULL, peat_bytes(key, (size_t)n), peat_bytes(value, sizeof value)));
    }
    assert_ok(peat_export(db, NULL, memory_stream_write, &s.export));
    assert_ok(peat_close(db));
    memory_stream in = s.export;
    sim_hook_set(sim, each_boundary, &s);
    assert_ok(peat_import("copy", &open.options, memory_stream_read, &in, NULL));
    sim_hook_set(sim, NULL, NULL);
    assert_true(s.boundaries > 20);
    assert_true(s.refused > 10);
    expect_none(&s, sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_LOST}));
    assert_int_equal(peat_import("copy", &open.options, memory_stream_read, &in, NULL),
                     PEAT_EXISTS);
    sim_free(sim);
    free(s.export.data);
}
