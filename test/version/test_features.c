/* SPDX-License-Identifier: MIT */
/*
 * test_features.c - the names of features in the superblock: there before the first record that
 * needs them, also after cuts and failing calls, and never lost; what a reader makes of others.
 * ctest: timeout=300
 */
#include "manifest_kit.h"
#include "support/version_set_site.h"
#include "version/feature.h"

#define NAMES_AT  72u
#define SLOT_ID   0x544145505f425353ULL
#define TEXT_SIZE sizeof(((peat_error *)NULL)->message)

/* Edits from this one on need the feature. */
#define NEEDED_FROM 3u

/* ---- before the first record ---- */

static void expect_named_when_needed(store *s, const char *when)
{
    const pt_superblock *b = pt_manifest_superblock(s->m);
    bool named = b->features == PT_FEATURE_LONG_PREFIX;
    if ((s->state >= NEEDED_FROM && !named) || (b->features != 0 && !named) ||
        (b->format_version == 2) != named)
        fail_msg("%s: state %" PRIu64 ", format %u, features %x; %s", when, s->state,
                 b->format_version, b->features, sim_story(s->sim));
}

static void expect_named_in(sim_env *sim, const char *when)
{
    store s;
    store_init(&s, sim);
    peat_rc rc = store_open(&s);
    if (rc == PEAT_OK)
        expect_named_when_needed(&s, when);
    else if (rc != PEAT_NOT_FOUND)
        must(&s, rc);
    store_done(&s);
}

/* With each slot lost in turn: the other one may not know less. */
static void expect_named_by_each_slot(sim_env *sim)
{
    expect_named_in(sim, "both slots");
    for (uint64_t slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++) {
        sim_env *lost = sim_clone_killed(sim);
        store s;
        if (sim_file_flip(lost, DIR_NAME, "PEAT", slot * PT_SUPERBLOCK_SLOT_BYTES, 0xff)) {
            store_init(&s, lost);
            if (store_open(&s) == PEAT_OK)
                expect_named_when_needed(&s, "one slot");
            store_done(&s);
        }
        sim_free(lost);
    }
}

static peat_rc append_some(store *s, unsigned count)
{
    peat_rc rc = PEAT_OK;
    for (unsigned i = 0; i < count && rc == PEAT_OK; i++) {
        if (s->state + 1 >= NEEDED_FROM)
            rc = pt_manifest_raise(s->m, PT_FEATURE_LONG_PREFIX);
        if (rc == PEAT_OK)
            rc = store_append(s);
    }
    return rc;
}

/* Opened again in between, with a rewrite before and behind. */
static peat_rc raised_life(store *s)
{
    peat_rc rc = store_open(s);
    if (rc == PEAT_OK)
        rc = store_begin(s);
    if (rc == PEAT_OK)
        rc = store_rewrite(s);
    if (rc == PEAT_OK)
        rc = append_some(s, 4);
    if (rc != PEAT_OK)
        return rc;
    pt_manifest_rest(s->m);
    rc = store_rewrite(s);
    return rc == PEAT_OK ? append_some(s, 2) : rc;
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const sim_cut_mode modes[] = {SIM_CUT_RANDOM, SIM_CUT_LOST, SIM_CUT_KEPT,
                                         SIM_CUT_PREFIX};
    for (size_t i = 0; i < PT_COUNT_OF(modes); i++) {
        sim_env *after = sim_clone_cut(sim, &(sim_cut){.mode = modes[i],
                                                       .seed = b->index * 31 + i,
                                                       .sector_bytes = i % 2 ? 4096 : 512});
        expect_named_by_each_slot(after);
        sim_free(after);
        ++*(unsigned *)arg;
    }
}

TEST(a_feature_is_named_before_the_first_record_at_every_cut)
{
    unsigned cuts = 0;
    sim_env *sim = store_with(1);
    for (int i = 0; i < 3; i++) {
        store s;
        store_init(&s, sim);
        sim_hook_set(sim, cut_here, &cuts);
        must(&s, raised_life(&s));
        sim_hook_set(sim, NULL, NULL);
        store_done(&s);
        expect_named_by_each_slot(sim);
    }
    print_message("%u cuts\n", cuts);
    assert_true(cuts > 200);
    sim_free(sim);
}

TEST(a_feature_is_named_before_the_first_record_whatever_fails)
{
    static const int errors[] = {EIO, ENOSPC, ENOMEM};
    for (size_t e = 0; e < PT_COUNT_OF(errors); e++) {
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            sim_env *sim = store_with(1);
            store s;
            store_init(&s, sim);
            unsigned fault = sim_fail(sim, .kinds = errors[e] == ENOMEM ? SIM_MEMORY : SIM_ANY,
                                      .at = at, .error = errors[e]);
            peat_rc rc = raised_life(&s);
            hit = sim_fault_hits(sim, fault) > 0;
            assert_true(rc == PEAT_OK || hit);
            sim_faults_clear(sim);
            sim_env *killed = sim_clone_killed(sim);
            sim_env *cut = sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_LOST});
            store_done(&s);
            expect_named_by_each_slot(killed);
            expect_named_by_each_slot(cut);
            sim_free(cut);
            sim_free(killed);
            sim_free(sim);
        }
    }
}

TEST(a_feature_is_named_once_and_for_ever)
{
    sim_env *sim = store_with(1);
    store s;
    for (uint64_t open = 0; open < 4; open++) {
        store_start(&s, sim);
        assert_int_equal(pt_manifest_superblock(s.m)->format_version, open == 0 ? 1 : 2);
        must(&s, pt_manifest_raise(s.m, PT_FEATURE_LONG_PREFIX));
        uint64_t changes = sim_count(sim, SIM_CHANGES);
        must(&s, pt_manifest_raise(s.m, PT_FEATURE_LONG_PREFIX));
        must(&s, pt_manifest_raise(s.m, 0));
        assert_int_equal(sim_count(sim, SIM_CHANGES), changes);
        must(&s, store_rewrite(&s));
        must(&s, store_append(&s));
        assert_int_equal(pt_manifest_superblock(s.m)->features, PT_FEATURE_LONG_PREFIX);
        store_done(&s);
    }
    expect_named_by_each_slot(sim);
    sim_free(sim);
}

TEST(a_failed_raise_stops_writes)
{
    static const sim_kind kinds[] = {SIM_FILE_WRITE, SIM_FILE_SYNC};
    for (unsigned i = 0; i < PT_COUNT_OF(kinds); i++) {
        sim_env *sim = store_with(1);
        store s;
        store_start(&s, sim);
        sim_fail(sim, .kinds = SIM_BIT(kinds[i]), .error = EIO, .name_prefix = "PEAT");
        assert_int_equal(pt_manifest_raise(s.m, PT_FEATURE_LONG_PREFIX), PEAT_IO);
        assert_int_equal(pt_sink_write_failure(&s.sink), PEAT_IO);
        assert_int_equal(store_append(&s), PEAT_IO);
        store_gone(&s);
    }
}

/* ---- what a reader makes of names ---- */

static void sign(uint8_t file[PT_SUPERBLOCK_FILE_BYTES])
{
    for (uint64_t at = 0; at < PT_SUPERBLOCK_FILE_BYTES; at += PT_SUPERBLOCK_SLOT_BYTES)
        pt_put_u64(file + at,
                   pt_checksum(file + at + 8, PT_SUPERBLOCK_SLOT_BYTES - 8, SLOT_ID, at));
}

/* A store of format 2 whose slots have these bytes for names; what reading them gives. */
static peat_rc read_names(const void *names, size_t size, uint32_t version, char *ret_text)
{
    sim_env *sim = store_with(1);
    store s;
    uint8_t file[PT_SUPERBLOCK_FILE_BYTES];
    pt_superblock found;
    size_t n = 0;
    uint8_t *data = sim_file_get(sim, DIR_NAME, "PEAT", &n);
    memcpy(file, data, sizeof file);
    free(data);
    for (size_t at = 0; at < sizeof file; at += PT_SUPERBLOCK_SLOT_BYTES) {
        pt_put_u32(file + at + 16, version);
        memcpy(file + at + NAMES_AT, names, size);
    }
    sign(file);
    sim_file_put(sim, DIR_NAME, "PEAT", file, sizeof file);
    store_init(&s, sim);
    peat_rc rc = pt_superblock_read(s.env, s.dir, &s.sink, &found);
    (void)snprintf(ret_text, TEXT_SIZE, "%s", rc == PEAT_OK ? "" : error_of(&s));
    if (rc == PEAT_OK && version == 2)
        assert_int_equal(found.features, PT_FEATURE_LONG_PREFIX);
    store_gone(&s);
    return rc;
}

static const char good[] = "\x0blong-prefix";

TEST(unknown_features_are_refused_by_name_and_versions_by_number)
{
    static const struct {
        const char *names;
        size_t size;
        uint32_t version;
        peat_rc rc;
        const char *text;
    } cases[] = {
        {good, sizeof good, 2, PEAT_OK, ""},
        {"\x05range\x0blong-prefix", 19, 2, PEAT_VERSION, "\"range\""},
        {"\x0blong-prefix\x05range\x06"
         "expiry",
         26, 2, PEAT_VERSION, "\"range\""},
        {"\x0blong-prefiy", 13, 2, PEAT_VERSION, "\"long-prefiy\""},
        {"\x0along-prefi", 12, 2, PEAT_VERSION, "\"long-prefi\""},
        {"", 1, 2, PEAT_CORRUPT, "no list"},
        {"\x0blong-prefix\x0blong-prefix", 25, 2, PEAT_CORRUPT, "no list"},
        {"\x0bLong-prefix", 13, 2, PEAT_CORRUPT, "no list"},
        {"\x20long-prefix-and-twenty-more-chars", 34, 2, PEAT_CORRUPT, "no list"},
        {"\xff", 2, 2, PEAT_CORRUPT, "no list"},
        {good, sizeof good, 3, PEAT_VERSION, "version 3, this library reads up to 2"},
        {"\xff\xff", 3, 1, PEAT_OK, ""}, /* in format 1 they mean nothing */
    };
    char text[TEXT_SIZE];
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        peat_rc rc = read_names(cases[i].names, cases[i].size, cases[i].version, text);
        if (rc != cases[i].rc || strstr(text, cases[i].text) == NULL)
            fail_msg("case %zu: code %d: %s", i, rc, text);
    }
}

TEST(each_byte_of_the_names_counts)
{
    char text[TEXT_SIZE];
    for (size_t at = 0; at < sizeof good; at++) {
        for (unsigned value = 0; value < 256; value++) {
            char names[sizeof good];
            memcpy(names, good, sizeof good);
            names[at] = (char)value;
            peat_rc rc = read_names(names, sizeof names, 2, text);
            bool same = memcmp(names, good, sizeof good) == 0;
            if (same ? rc != PEAT_OK : rc != PEAT_VERSION && rc != PEAT_CORRUPT)
                fail_msg("byte %zu as %u: code %d: %s", at, value, rc, text);
        }
    }
}

TEST(names_fill_the_room_there_is)
{
    uint8_t names[PT_SUPERBLOCK_SLOT_BYTES - NAMES_AT];
    uint32_t features;
    char unknown[PT_FEATURE_NAME_MAX + 1];
    memset(names, 'x', sizeof names);
    for (size_t at = 0; at + 32 <= sizeof names; at += 32)
        names[at] = 31;
    names[sizeof names - sizeof names % 32] = 0;
    assert_true(pt_feature_decode(names, sizeof names, &features, unknown));
    assert_int_equal(strlen(unknown), 31);
    names[sizeof names - sizeof names % 32] = (uint8_t)(sizeof names % 32 - 1);
    assert_false(pt_feature_decode(names, sizeof names, &features, unknown)); /* nothing ends it */
    assert_null(pt_feature_name(32));
}

/* ---- tables ---- */

static peat_rc commit_table(version_set_site *s, uint32_t flags)
{
    pt_table_meta meta = {.store_id = 7,
                          .file_number = 1,
                          .file_bytes = 1000,
                          .entries = 2,
                          .block_count = 1,
                          .block_bytes = 4096,
                          .run_kind = PT_RUN_FLUSHED,
                          .flags = flags};
    meta.section[PT_SECTION_INDEX].offset = 500;
    meta.section[PT_SECTION_INDEX].size = 100;
    pt_table_ref table_ref = {.meta = &meta};
    pt_layer layer = {.table_ref = &table_ref, .bytes = 500, .entries = 2};
    pt_state state = s->version_set.state;
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    state.file_next = 2;
    pt_bytes_init(&edit, s->env);
    TRY(pt_edit_add_table(&edit, &meta));
    TRY(pt_edit_push(&edit, s->version_set.version->partitions[0]->id, &layer));
    TRY(pt_version_set_commit(&s->version_set, &edit, &state));
out:
    pt_bytes_done(&edit);
    return rc;
}

static void put_table(sim_env *sim)
{
    static const uint8_t zeros[1000];
    sim_file_put(sim, "db", "t-000001", zeros, sizeof zeros);
}

static sim_env *with_table(uint32_t flags, uint32_t expected)
{
    version_set_site s;
    sim_env *sim = sim_new(1);
    assert_true(version_set_site_new(&s, sim, "db"));
    put_table(sim);
    assert_int_equal(commit_table(&s, flags), PEAT_OK);
    assert_int_equal(pt_manifest_superblock(s.version_set.manifest)->features, expected);
    version_set_site_close(&s);
    return sim;
}

static peat_rc reopen(sim_env *sim, char *ret_text)
{
    version_set_site s;
    peat_error e = {0};
    assert_true(version_set_site_open(&s, sim, "db"));
    peat_rc rc = pt_version_set_open(&s.version_set, &s.open_tables);
    if (rc != PEAT_OK)
        pt_sink_get(&s.sink, &e);
    (void)snprintf(ret_text, TEXT_SIZE, "%s", e.message);
    version_set_site_close(&s);
    return rc;
}

TEST(a_table_brings_the_names_of_what_it_needs)
{
    char text[TEXT_SIZE];
    sim_env *sim = with_table(0, 0);
    assert_int_equal(reopen(sim, text), PEAT_OK);
    sim_free(sim);
    sim = with_table(PT_TABLE_LONG_PREFIX, PT_FEATURE_LONG_PREFIX);
    assert_int_equal(reopen(sim, text), PEAT_OK);
    /* the same without the name: it would have been raised too late */
    uint8_t file[PT_SUPERBLOCK_FILE_BYTES];
    size_t n = 0;
    uint8_t *data = sim_file_get(sim, "db", "PEAT", &n);
    memcpy(file, data, sizeof file);
    free(data);
    for (size_t at = 0; at < sizeof file; at += PT_SUPERBLOCK_SLOT_BYTES) {
        pt_put_u32(file + at + 16, 1);
        memset(file + at + NAMES_AT, 0, sizeof good);
    }
    sign(file);
    sim_file_put(sim, "db", "PEAT", file, sizeof file);
    assert_int_equal(reopen(sim, text), PEAT_CORRUPT);
    assert_non_null(strstr(text, "\"long-prefix\""));
    assert_non_null(strstr(text, "t-000001"));
    sim_free(sim);
}

/* Whatever of a commit is there after a cut, or after a failure: the store opens. */
static void expect_opens(sim_env *sim)
{
    version_set_site s;
    put_table(sim); /* its bytes are another test's matter */
    assert_true(version_set_site_open(&s, sim, "db"));
    assert_int_equal(pt_version_set_open(&s.version_set, &s.open_tables), PEAT_OK);
    assert_true(s.version_set.table_count == 0 ||
                pt_manifest_superblock(s.version_set.manifest)->features != 0);
    version_set_site_close(&s);
}

static void cut_commit(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const sim_cut_mode modes[] = {SIM_CUT_LOST, SIM_CUT_KEPT, SIM_CUT_RANDOM};
    for (size_t i = 0; i < PT_COUNT_OF(modes); i++) {
        sim_env *after = sim_clone_cut(
            sim, &(sim_cut){.mode = modes[i], .seed = b->index + i, .sector_bytes = 512});
        expect_opens(after);
        sim_free(after);
    }
    ++*(unsigned *)arg;
}

TEST(a_table_is_there_after_a_cut_only_with_its_names)
{
    version_set_site s;
    unsigned cuts = 0;
    sim_env *sim = sim_new(1);
    assert_true(version_set_site_new(&s, sim, "db"));
    put_table(sim);
    sim_hook_set(sim, cut_commit, &cuts);
    assert_int_equal(commit_table(&s, PT_TABLE_LONG_PREFIX), PEAT_OK);
    sim_hook_set(sim, NULL, NULL);
    version_set_site_close(&s);
    assert_true(cuts >= 4);
    sim_free(sim);
}

TEST(a_table_is_there_after_a_failure_only_with_its_names)
{
    static const int errors[] = {EIO, ENOSPC, ENOMEM};
    for (size_t e = 0; e < PT_COUNT_OF(errors); e++) {
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            version_set_site s;
            sim_env *sim = sim_new(1);
            assert_true(version_set_site_new(&s, sim, "db"));
            put_table(sim);
            unsigned fault = sim_fail(sim, .kinds = errors[e] == ENOMEM ? SIM_MEMORY : SIM_ANY,
                                      .at = at, .error = errors[e]);
            peat_rc rc = commit_table(&s, PT_TABLE_LONG_PREFIX);
            hit = sim_fault_hits(sim, fault) > 0;
            assert_true((rc == PEAT_OK) == !hit);
            sim_faults_clear(sim);
            sim_env *killed = sim_clone_killed(sim);
            version_set_site_close(&s);
            expect_opens(killed);
            sim_free(killed);
            sim_free(sim);
        }
    }
}
