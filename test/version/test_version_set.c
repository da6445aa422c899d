/* SPDX-License-Identifier: MIT */
/* test_version_set.c - what a rewritten manifest says is what the edits before it said. */
#include "support/version_set_site.h"
#include "world/sim.h"

#define TABLES 6u

static void add_table(version_set_site *s, uint64_t number)
{
    const char key[2] = {(char)('a' + (int)number), '\0'};
    pt_table_meta meta = {.store_id = 7,
                          .file_number = number,
                          .file_bytes = 1000 + number,
                          .entries = 2,
                          .block_count = 1,
                          .block_bytes = 4096,
                          .run_kind = PT_RUN_FLUSHED,
                          .key_min = pt_slice_of(key, 1),
                          .key_max = pt_slice_of(key, 1)};
    meta.section[PT_SECTION_INDEX].offset = 500;
    meta.section[PT_SECTION_INDEX].size = 100;
    pt_table_ref table_ref = {.meta = &meta};
    pt_layer layer = {
        .table_ref = &table_ref, .bytes = 500, .entries = 2, .tombstones = number % 2};
    pt_state state = s->version_set.state;
    pt_bytes edit;
    uint8_t *zeros = calloc(1, meta.file_bytes);
    char name[16];
    (void)snprintf(name, sizeof name, "t-%06u", (unsigned)number);
    sim_file_put(s->sim, "db", name, zeros, meta.file_bytes);
    free(zeros);
    state.file_next = number + 1;
    state.seq_flushed = number * 10;
    state.seq_durable = number * 11;
    state.log_serial_min = 3;
    pt_bytes_init(&edit, s->env);
    assert_ok(pt_edit_add_table(&edit, &meta));
    assert_ok(pt_edit_push(&edit, s->version_set.version->partitions[0]->id, &layer));
    assert_ok(pt_version_set_commit(&s->version_set, &edit, &state));
    pt_bytes_done(&edit);
}

static const pt_log_end ends[] = {{.slot = 1, .serial = 3, .end = 500, .file_bytes = 8192},
                                  {.slot = 4, .serial = 4, .end = 700, .file_bytes = 8192}};

static void add_ends(version_set_site *s)
{
    pt_bytes edit;
    pt_state state = s->version_set.state;
    pt_bytes_init(&edit, s->env);
    assert_ok(pt_edit_log_ends(&edit, ends, PT_COUNT_OF(ends)));
    assert_ok(pt_version_set_commit(&s->version_set, &edit, &state));
    pt_bytes_done(&edit);
}

static void expect_all(const pt_version_set *c)
{
    assert_int_equal(c->state.file_next, TABLES + 1);
    assert_int_equal(c->state.seq_flushed, TABLES * 10);
    assert_int_equal(c->state.seq_durable, TABLES * 11);
    assert_int_equal(c->state.log_serial_min, 3);
    assert_int_equal(c->state.edit_number, TABLES + 2);
    assert_int_equal(c->log_end_count, PT_COUNT_OF(ends));
    for (size_t i = 0; i < PT_COUNT_OF(ends); i++) {
        assert_int_equal(c->log_ends[i].slot, ends[i].slot);
        assert_int_equal(c->log_ends[i].serial, ends[i].serial);
        assert_int_equal(c->log_ends[i].end, ends[i].end);
        assert_int_equal(c->log_ends[i].file_bytes, ends[i].file_bytes);
    }
    assert_int_equal(c->table_count, TABLES);
    assert_int_equal(c->version->count, 1);
    const pt_partition *p = c->version->partitions[0];
    assert_int_equal(p->run_count, TABLES);
    for (size_t i = 0; i < TABLES; i++) {
        const pt_layer *l = &p->runs[i];
        assert_int_equal(l->table_ref->meta->file_number, TABLES - i); /* newest first */
        assert_int_equal(l->tombstones, (TABLES - i) % 2);
    }
}

static void make(sim_env *sim)
{
    version_set_site s;
    assert_true(version_set_site_new(&s, sim, "db"));
    for (uint64_t number = 1; number <= TABLES; number++)
        add_table(&s, number);
    add_ends(&s);
    expect_all(&s.version_set);
    version_set_site_close(&s);
}

static uint64_t manifest_number(const version_set_site *s)
{
    return pt_manifest_superblock(s->version_set.manifest)->manifest_number;
}

TEST(a_rewritten_manifest_says_what_the_edits_said)
{
    version_set_site s;
    sim_env *sim = sim_new(1);
    make(sim);
    for (uint64_t number = 1; number <= 3; number++) {
        assert_true(version_set_site_open(&s, sim, "db"));
        assert_ok(pt_version_set_open(&s.version_set, &s.open_tables));
        assert_int_equal(manifest_number(&s), number);
        expect_all(&s.version_set);
        assert_ok(pt_version_set_begin(&s.version_set));
        s.version_set.live_bytes =
            1; /* by itself it is rewritten when it has grown to four times it */
        assert_ok(pt_version_set_tidy(&s.version_set, (uint64_t)1 << 20));
        assert_int_equal(manifest_number(&s), number);
        assert_ok(pt_version_set_tidy(&s.version_set, 0));
        assert_int_equal(manifest_number(&s), number + 1);
        version_set_site_close(&s);
    }
    sim_end(sim);
}
