/* SPDX-License-Identifier: MIT */
/*
 * test_found.c - what is found is named: check on an open store, manifests that break their own
 * rules, and stores that were never completed.
 */
#include "damage.h"
#include "support/version_set_site.h"
#include "support/memory_stream.h"
#include "world/sim.h"

/* ---- check names file and offset ---- */

typedef struct found {
    uint64_t count, offset;
    char file[32];
    bool says; /* what was expected, and what was found */
} found;

static bool says_both(const char *text)
{
    const char *expected = strstr(text, "expected ");
    return expected != NULL && strstr(expected, "found") != NULL;
}

static bool note(void *ctx, const peat_damage *d)
{
    found *f = ctx;
    f->count++;
    f->offset = d->offset;
    (void)snprintf(f->file, sizeof f->file, "%s", d->file);
    f->says = says_both(d->message);
    return true;
}

static peat_db *open_world(const damage_world *w, bool read_only)
{
    model_open open;
    peat_db *db = NULL;
    damage_options(w, w->sim, &open);
    open.options.read_only = read_only;
    assert_ok(peat_open(DAMAGE_DIR, &open.options, &db, NULL));
    return db;
}

static void expect_found(peat_db *db, const char *file, uint64_t from, uint64_t to)
{
    found f = {0};
    peat_check_options options = {.size = sizeof options, .damage_fn = note, .damage_ctx = &f};
    assert_int_equal(peat_check(db, &options, NULL), PEAT_CORRUPT);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.file, file);
    assert_in_range(f.offset, from, to);
    assert_true(f.says);
}

TEST(check_names_log_manifest_and_superblock)
{
    damage_world w;
    damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 1);
    peat_db *db = open_world(&w, true);
    struct {
        const char *file;
        uint64_t at, from;
    } places[] = {{"w-000004", 700, 128},
                  {"m-000001", 100, 48},
                  {"PEAT", 4096 + 9, 4096},
                  {"PEAT", 9, 0},
                  {damage_find(&w, "t-")->name, 300, 0}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, places[i].file, places[i].at, 4));
        expect_found(db, places[i].file, places[i].from, places[i].at);
        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, places[i].file, places[i].at, 4));
    }
    assert_ok(peat_check(db, NULL, NULL));
    assert_ok(peat_close(db));
    damage_world_done(&w);
}

/* An open tells of the first damage; the stream of an export is of no store. */
TEST(an_open_says_what_it_expected_and_found)
{
    static const char *const lost[] = {"m-000001", "t-", "w-000003", "PEAT"};
    for (size_t i = 0; i < 2 * (sizeof lost / sizeof *lost); i++) {
        damage_world w;
        peat_error e;
        model_open open;
        peat_db *db = NULL;
        damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 1);
        const damage_file *f = damage_find(&w, lost[i / 2]);
        if (i % 2 == 0)
            assert_true(sim_file_delete(w.sim, DAMAGE_DIR, f->name));
        else
            assert_true(sim_file_cut(w.sim, DAMAGE_DIR, f->name, 100));
        damage_options(&w, w.sim, &open);
        peat_rc rc = peat_open(DAMAGE_DIR, &open.options, &db, &e);
        if (rc != PEAT_CORRUPT || !says_both(e.message))
            fail_msg("%s %s: %s: %s", i % 2 == 0 ? "without" : "a short", f->name, peat_rc_name(rc),
                     e.message);
        damage_world_done(&w);
    }
}

/* ---- what is stored twice: each copy that is damaged is named, and a writer mends it ---- */

static void expect_mended(const damage_world *w, const damage_file *f)
{
    size_t size = 0;
    assert_ok(peat_close(open_world(w, false)));
    uint8_t *now = sim_file_get(w->sim, DAMAGE_DIR, f->name, &size);
    assert_int_equal(size, f->size);
    assert_memory_equal(now, f->data, 128);
    assert_memory_equal(now + size - 128, f->data + size - 128, 128);
    free(now);
}

TEST(each_copy_of_a_segments_header_is_named)
{
    static const char *const live[] = {"w-000003", "w-000004"};
    for (size_t i = 0; i < 4; i++) {
        damage_world w;
        damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 1);
        const damage_file *f = damage_find(&w, live[i / 2]);
        uint64_t header = i % 2 == 0 ? 0 : f->size - 128;
        peat_db *db = open_world(&w, true);
        for (uint64_t at = header; at < header + 128; at++) {
            assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, at, 4));
            expect_found(db, f->name, header, header);
            assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, at, 4));
        }
        assert_ok(peat_check(db, NULL, NULL));
        assert_ok(peat_close(db));

        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, header + 20, 4));
        expect_mended(&w, f);
        db = open_world(&w, true);
        assert_ok(peat_check(db, NULL, NULL));
        assert_ok(peat_close(db));
        damage_world_done(&w);
    }
}

/* The manifest has the same bytes. */
/* What it cannot write anew it must not go on without: the other copy is all there is. */
TEST(a_header_that_cannot_be_mended_fails_the_open)
{
    static const sim_kind calls[] = {SIM_FILE_WRITE, SIM_FILE_SYNC};
    for (size_t i = 0; i < 2; i++) {
        damage_world w;
        model_open open;
        peat_error error;
        peat_db *db = NULL;
        damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 1);
        const damage_file *f = damage_find(&w, "w-000004");
        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, 20, 4));
        damage_options(&w, w.sim, &open);
        /* of syncs the first is the one before anything is read */
        unsigned fault = sim_fail(w.sim, .kinds = SIM_BIT(calls[i]), .at = 1 + i, .error = EIO,
                                  .name_prefix = f->name);
        assert_int_equal(peat_open(DAMAGE_DIR, &open.options, &db, &error), PEAT_IO);
        assert_int_equal(sim_fault_hits(w.sim, fault), 1);
        assert_null(db);
        assert_non_null(strstr(error.message, "w-000004 cannot be mended"));
        sim_faults_clear(w.sim);
        expect_mended(&w, f);
        damage_world_done(&w);
    }
}

TEST(each_byte_of_a_footer_is_named)
{
    damage_world w;
    damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 1);
    peat_db *db = open_world(&w, true);
    const damage_file *f = damage_find(&w, "t-");
    uint32_t meta = 0;
    memcpy(&meta, f->data + f->size - 20, sizeof meta);
    uint64_t footer = f->size - 20 - meta;
    for (uint64_t at = footer; at < f->size; at++) {
        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, at, 4));
        expect_found(db, f->name, footer, footer);
        assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f->name, at, 4));
    }
    assert_ok(peat_close(db));
    damage_world_done(&w);
}

/* A power cut may leave one header of a segment that was never synced: no damage. Once a writer has
 * found the segment it has both, and then one that does not verify is. */
/* The first segment of a store, or one whose predecessors are gone. */
static void expect_not_missed(const char *name, bool later)
{
    damage_world w = {.sim = sim_new(5), .compression = PEAT_COMPRESSION_NONE};
    peat_db *db = open_world(&w, false);
    if (later) {
        assert_ok(peat_put(db, NULL, peat_str("b"), peat_str("2")));
        assert_ok(peat_sync(db));
        static char large[1000];
        for (unsigned i = 0; !sim_file_exists(w.sim, DAMAGE_DIR, name); i++) {
            assert_true(i < 100000);
            assert_ok(peat_put(db, NULL, peat_str("c"), (peat_slice){large, sizeof large}));
        }
        assert_ok(peat_flush(db));
    }
    assert_ok(peat_put(db, NULL, peat_str("a"), peat_str("1")));
    sim_env *cut = sim_clone_killed(w.sim);
    assert_ok(peat_close(db));
    sim_free(w.sim);
    w.sim = cut;
    damage_file f = {0};
    (void)snprintf(f.name, sizeof f.name, "%s", name);
    f.data = sim_file_get(w.sim, DAMAGE_DIR, f.name, &f.size);
    assert_non_null(f.data);
    static const uint8_t zeros[128];
    uint8_t *torn = malloc(f.size);
    memcpy(torn, f.data, f.size);
    memcpy(torn + f.size - 128, zeros, sizeof zeros);
    sim_file_put(w.sim, DAMAGE_DIR, f.name, torn, f.size);
    db = open_world(&w, true);
    assert_ok(peat_check(db, NULL, NULL));
    assert_ok(peat_close(db));
    expect_mended(&w, &f);
    db = open_world(&w, true);
    assert_ok(peat_check(db, NULL, NULL));
    assert_true(sim_file_flip(w.sim, DAMAGE_DIR, f.name, f.size - 100, 4));
    expect_found(db, f.name, f.size - 128, f.size - 128);
    assert_ok(peat_close(db));
    free(torn);
    free(f.data);
    sim_free(w.sim);
}

TEST(a_header_that_was_never_synced_is_not_missed)
{
    expect_not_missed("w-000001", false);
    expect_not_missed("w-000002", true);
}

/* ---- manifests that verify and make no sense ---- */

static pt_table_meta meta_of(uint64_t number, const char *min, const char *max)
{
    pt_table_meta m = {.store_id = 7,
                       .file_number = number,
                       .file_bytes = 1000,
                       .entries = 2,
                       .block_count = 1,
                       .block_bytes = 4096,
                       .run_kind = PT_RUN_BOTTOMMOST,
                       .key_min = pt_slice_of(min, strlen(min)),
                       .key_max = pt_slice_of(max, strlen(max))};
    m.section[PT_SECTION_INDEX].offset = 500;
    m.section[PT_SECTION_INDEX].size = 100;
    return m;
}

static peat_rc commit_run(version_set_site *b, const char *second_min)
{
    peat_rc rc = PEAT_OK;
    pt_table_meta left = meta_of(1, "a", "m"), right = meta_of(2, second_min, "z");
    pt_table_ref table_refs[2] = {{.meta = &left}, {.meta = &right}};
    pt_layer layers[2] = {{.table_ref = &table_refs[0]}, {.table_ref = &table_refs[1]}};
    pt_state st = b->version_set.state;
    st.file_next = 3;
    pt_bytes edit;
    pt_bytes_init(&edit, b->env);
    TRY(pt_edit_add_table(&edit, &left));
    TRY(pt_edit_add_table(&edit, &right));
    TRY(pt_edit_add_partition(&edit, 1, (pt_slice){0}, NULL, 0, layers, 2));
    rc = pt_version_set_commit(&b->version_set, &edit, &st);
out:
    pt_bytes_done(&edit);
    return rc;
}

TEST(overlapping_tables_of_a_run_are_refused)
{
    version_set_site b;
    sim_env *sim = sim_new(1);
    peat_error e;
    assert_true(version_set_site_new(&b, sim, "store"));
    assert_int_equal(commit_run(&b, "m"), PEAT_CORRUPT);
    pt_sink_get(&b.sink, &e);
    assert_non_null(strstr(e.message, "overlapping"));
    assert_int_equal(commit_run(&b, "c"), PEAT_CORRUPT);
    assert_ok(commit_run(&b, "n"));
    version_set_site_close(&b);
    sim_end(sim);
}

TEST(damage_keeps_its_place_beside_its_text)
{
    pt_sink sink;
    pt_spot spot;
    peat_error e;
    pt_sink_init(&sink);
    assert_int_equal(pt_fail_at(&sink, PEAT_CORRUPT, "w-000007", 640, "%d of 3", 2), PEAT_CORRUPT);
    pt_sink_get(&sink, &e);
    assert_string_equal(e.message, "w-000007 @640: 2 of 3");
    pt_sink_place(&sink, &spot, &e);
    assert_string_equal(spot.file, "w-000007");
    assert_int_equal(spot.offset, 640);
    assert_string_equal(e.message, "2 of 3");
    (void)pt_fail(&sink, PEAT_CORRUPT, "nowhere");
    pt_sink_place(&sink, &spot, &e);
    assert_string_equal(spot.file, "");
    assert_string_equal(e.message, "nowhere");
    pt_sink_done(&sink);
}

/* ---- an import that is cut short ---- */

typedef struct cutting {
    const damage_world *w;
    uint64_t complete, none, unfinished;
} cutting;

/* What a power cut at this boundary leaves is the whole store or none. */
static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const sim_cut_mode modes[] = {SIM_CUT_LOST, SIM_CUT_KEPT, SIM_CUT_RANDOM,
                                         SIM_CUT_PREFIX};
    cutting *c = arg;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        sim_env *after = sim_clone_cut(sim, &(sim_cut){.mode = modes[i], .seed = b->index});
        damage_result r;
        damage_judge(c->w, after, c->w->commit_count, true, false, &r);
        if (r.verdict == DAMAGE_SAME)
            c->complete++;
        else if (r.verdict == DAMAGE_REFUSED && r.rc == PEAT_NOT_FOUND)
            c->none++;
        else if (r.verdict == DAMAGE_REFUSED && r.rc == PEAT_NOT_STORE)
            c->unfinished++;
        else
            fail_msg("%s: %s %s %s", sim_story(after), peat_rc_name(r.rc), r.why, r.error.message);
        sim_free(after);
    }
}

TEST(an_import_that_is_cut_short_leaves_no_store)
{
    damage_world w;
    memory_stream s = {0};
    damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_NONE, 4);
    peat_db *db = open_world(&w, true);
    assert_ok(peat_export(db, NULL, memory_stream_write, &s));
    assert_ok(peat_close(db));

    model_open open;
    cutting c = {.w = &w};
    sim_env *sim = sim_new(3);
    damage_options(&w, sim, &open);
    sim_hook_set(sim, cut_here, &c);
    peat_error e;
    peat_rc rc = peat_import(DAMAGE_DIR, &open.options, memory_stream_read, &s, &e);
    sim_hook_set(sim, NULL, NULL);
    if (rc != PEAT_OK)
        fail_msg("import: %s", e.message);
    damage_result r;
    damage_judge(&w, sim, w.commit_count, true, true, &r);
    assert_int_equal(r.verdict, DAMAGE_SAME);
    print_message("cuts: %" PRIu64 " complete, %" PRIu64 " unfinished, %" PRIu64 " no store\n",
                  c.complete, c.unfinished, c.none);
    assert_true(c.unfinished > 10 && c.none > 4);
    sim_free(sim);
    free(s.data);
    damage_world_done(&w);
}
