/* SPDX-License-Identifier: MIT */
/*
 * test_manifest.c - the superblock and the manifest: edits come back, every flip and every length,
 * torn tails, directories that are no store.
 */
#include "manifest_kit.h"

#include "support/doc_hex.h"

TEST(edits_come_back_in_order)
{
    sim_env *sim = store_with(0);
    uint64_t expected = 0;
    for (uint64_t opens = 2; opens < 12; opens++) {
        store s;
        store_init(&s, sim);
        must(&s, store_open(&s));
        assert_int_equal(s.state, expected);
        must(&s, store_begin(&s));
        assert_int_equal(pt_manifest_superblock(s.m)->open_count, opens);
        assert_int_equal(pt_manifest_superblock(s.m)->store_id, STORE_ID);
        assert_int_equal(pt_manifest_superblock(s.m)->app_id, 77);
        for (uint64_t i = 0; i < opens * 10; i++)
            must(&s, store_append(&s));
        if (opens % 3 == 0)
            must(&s, store_rewrite(&s));
        must(&s, store_append(&s));
        expected = s.state;
        store_done(&s);
        expect_state(sim, expected);
    }
    sim_free(sim);
}

/* After damage: everything, or a code and a text that names the file. */
static void expect_all_or_refused(sim_env *sim, const char *file, uint64_t expected,
                                  const char *what, uint64_t where)
{
    store s;
    store_init(&s, sim);
    peat_rc rc = store_open(&s);
    bool refused =
        rc == PEAT_CORRUPT || rc == PEAT_NOT_STORE || rc == PEAT_NOT_FOUND || rc == PEAT_VERSION;
    if (s.wrong || (rc == PEAT_OK && s.state != expected) || (rc != PEAT_OK && !refused) ||
        (refused && strstr(error_of(&s), file) == NULL))
        fail_msg("%s %" PRIu64 " of %s: code %d, state %" PRIu64 ": %s", what, where, file, rc,
                 s.state, error_of(&s));
    if (rc == PEAT_OK && pt_manifest_superblock(s.m)->damaged_slots != 0)
        assert_string_equal(file, "PEAT");
    store_done(&s);
}

static void damage_everywhere(const char *file)
{
    sim_env *sim = store_with(12);
    size_t size = 0;
    uint8_t *data = sim_file_get(sim, DIR_NAME, file, &size);
    assert_non_null(data);
    for (uint64_t bit = 0; bit < 8 * size; bit++) {
        uint8_t mask = (uint8_t)(1u << bit % 8);
        if (bit > 8 * 1200 && bit % 61 != 0 && bit % (8 * 4096) > 8 * 100)
            continue; /* the zeros behind: a sample */
        assert_true(sim_file_flip(sim, DIR_NAME, file, bit / 8, mask));
        expect_all_or_refused(sim, file, 12, "bit", bit);
        assert_true(sim_file_flip(sim, DIR_NAME, file, bit / 8, mask));
    }
    for (size_t n = 0; n < size; n += n < 2000 ? 1 : 101) {
        sim_file_put(sim, DIR_NAME, file, data, n);
        expect_all_or_refused(sim, file, 12, "length", n);
    }
    free(data);
    sim_free(sim);
}

TEST_LINE(TEST, damage_to_the_manifest_is_never_silent, damage_everywhere("m-000001"))
TEST_LINE(TEST, damage_to_the_superblock_is_never_silent, damage_everywhere("PEAT"))

/* Either slot alone is enough, and the next writer mends the other. */
TEST(one_slot_is_enough)
{
    for (uint64_t edits = 0; edits < 4; edits++)
        for (uint64_t slot = 0; slot < 2; slot++) {
            sim_env *sim = store_with(edits);
            for (uint64_t i = 0; i < 4096; i += 8)
                assert_true(sim_file_flip(sim, DIR_NAME, "PEAT", slot * 4096 + i, 0xff));
            expect_state(sim, edits);
            store s;
            store_init(&s, sim);
            must(&s, store_open(&s));
            assert_int_equal(pt_manifest_superblock(s.m)->damaged_slots, 1u << slot);
            must(&s, store_begin(&s));
            assert_int_equal(pt_manifest_superblock(s.m)->damaged_slots, 0);
            assert_int_equal(pt_manifest_superblock(s.m)->open_count, 2);
            must(&s, store_append(&s));
            store_done(&s);
            for (uint64_t i = 0; i < 4096; i += 8)
                assert_true(sim_file_flip(sim, DIR_NAME, "PEAT", (1 - slot) * 4096 + i, 0xff));
            expect_state(sim, edits + 1);
            sim_free(sim);
        }
}

/* An append that was cut at any byte: the store opens, and goes on in a new file. */
TEST(a_torn_tail_is_cut)
{
    sim_env *sim = store_with(3);
    size_t whole_size = 0, peat_size = 0;
    uint8_t *peat = sim_file_get(sim, DIR_NAME, "PEAT", &peat_size);
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    uint64_t end = pt_manifest_superblock(s.m)->manifest_end;
    must(&s, store_begin(&s));
    must(&s, store_append(&s));
    uint64_t next = pt_manifest_superblock(s.m)->manifest_end;
    store_done(&s);
    uint8_t *whole = sim_file_get(sim, DIR_NAME, "m-000001", &whole_size);
    sim_free(sim);

    uint8_t *torn = malloc(whole_size);
    for (uint64_t n = end; n <= next; n++) {
        memcpy(torn, whole, whole_size);
        memset(torn + n, 0, next - n);
        sim_env *again = store_with(0);
        sim_file_put(again, DIR_NAME, "PEAT", peat, peat_size);
        sim_file_put(again, DIR_NAME, "m-000001", torn, whole_size);
        uint64_t expected = memcmp(torn, whole, whole_size) == 0 ? 4 : 3;
        expect_state(again, expected);
        store_start(&s, again);
        assert_int_equal(pt_manifest_superblock(s.m)->manifest_number, n == end ? 1 : 2);
        assert_int_equal(names_in(again), 2);
        must(&s, store_append(&s));
        store_done(&s);
        expect_state(again, expected + 1);
        sim_free(again);
    }
    free(torn);
    free(whole);
    free(peat);
}

TEST(a_grown_manifest_is_rewritten)
{
    sim_env *sim = store_with(0);
    store s;
    store_start(&s, sim);
    while (!pt_manifest_wants_rewrite(s.m, 1000, 64 << 10))
        must(&s, store_append(&s));
    assert_true(pt_manifest_bytes(s.m) >= 64 << 10);
    assert_false(pt_manifest_wants_rewrite(s.m, 1 << 20, 64 << 10));
    must(&s, store_rewrite(&s));
    assert_true(pt_manifest_bytes(s.m) <= 32 << 10);
    assert_int_equal(names_in(sim), 2);
    must(&s, store_append(&s));
    uint64_t expected = s.state;
    assert_true(pt_manifest_written_bytes(s.m) > expected * 4096);
    store_done(&s);
    expect_state(sim, expected);
    sim_free(sim);
}

/* A record whose checksum holds and whose place in the chain does not. */
TEST(a_record_of_another_history_is_not_taken)
{
    sim_env *sim = store_with(2);
    size_t size = 0;
    uint8_t *data = sim_file_get(sim, DIR_NAME, "m-000001", &size);
    uint8_t bytes[256];
    pt_bytes record;
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    const pt_superblock *sb = pt_manifest_superblock(s.m);
    for (uint64_t wrong = 0; wrong < 2; wrong++) {
        pt_manifest_place place = {.file_id = pt_get_u64(data),
                                   .chain = sb->manifest_chain ^ wrong,
                                   .end = sb->manifest_end};
        pt_bytes_init(&record, s.env);
        must(&s,
             pt_manifest_record_encode(pt_slice_of(bytes, edit_encode(3, bytes)), &record, &place));
        memcpy(data + sb->manifest_end, record.data, record.size);
        sim_file_put(sim, DIR_NAME, "m-000001", data, size);
        store other;
        store_init(&other, sim);
        must(&other, store_open(&other));
        assert_int_equal(other.state, wrong ? 2 : 3);
        pt_manifest_free(other.m);
        other.env->dir_close(other.env->ctx, other.dir);
        pt_sink_done(&other.sink);
        pt_bytes_done(&record);
    }
    store_done(&s);
    free(data);
    sim_free(sim);
}

/* --- not a store --- */

typedef struct stranger {
    const char *what;
    const char *name;
    const char *data; /* NULL: a link of that name */
    size_t size;
    peat_rc open_rc, create_rc;
    const char *text;
} stranger;

TEST(directories_that_are_no_store_are_named_and_left_alone)
{
    static const char zeros[8192];
    const stranger strangers[] = {
        {"empty", "LOCK", "1", 1, PEAT_NOT_FOUND, PEAT_OK, "PEAT is not here"},
        {"dot file", ".hidden", "1", 1, PEAT_NOT_FOUND, PEAT_OK, "PEAT is not here"},
        {"foreign", "letter.txt", "dear", 4, PEAT_NOT_STORE, PEAT_NOT_STORE, "letter.txt"},
        {"almost ours", "m-1", "dear", 4, PEAT_NOT_STORE, PEAT_NOT_STORE, "m-1"},
        {"text", "PEAT", "peat bog\n", 9, PEAT_NOT_STORE, PEAT_EXISTS, "another program"},
        {"no contents", "PEAT", "", 0, PEAT_NOT_FOUND, PEAT_OK, "never written"},
        {"zeros", "PEAT", zeros, 8192, PEAT_NOT_FOUND, PEAT_OK, "never written"},
        {"a link", "PEAT", NULL, 0, PEAT_NOT_STORE, PEAT_NOT_STORE, "not a regular file"},
        {"lost", "t-000007", "1", 1, PEAT_CORRUPT, PEAT_EXISTS, "t-000007"},
        {"lost log", "w-000001", "1", 1, PEAT_CORRUPT, PEAT_EXISTS, "w-000001"},
        {"half made", "m-000001", "1", 1, PEAT_NOT_FOUND, PEAT_OK, "PEAT is not here"},
    };
    for (size_t i = 0; i < PT_COUNT_OF(strangers); i++) {
        const stranger *t = &strangers[i];
        store s;
        store_init(&s, sim_new(1));
        if (t->data != NULL)
            sim_file_put(s.sim, DIR_NAME, t->name, t->data, t->size);
        else
            sim_plant_link(s.sim, DIR_NAME, t->name);
        peat_rc rc = store_open(&s);
        if (rc != t->open_rc || strstr(error_of(&s), t->text) == NULL)
            fail_msg("%s: open %d: %s", t->what, rc, error_of(&s));
        uint64_t removed = sim_count(s.sim, SIM_BIT(SIM_DIR_REMOVE));
        rc = store_create(&s);
        if (rc != t->create_rc)
            fail_msg("%s: create %d: %s", t->what, rc, error_of(&s));
        if (rc != PEAT_OK)
            assert_int_equal(sim_count(s.sim, SIM_BIT(SIM_DIR_REMOVE)), removed);
        store_gone(&s);
    }
}

TEST(a_store_is_not_created_over_another)
{
    sim_env *sim = store_with(2);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_create(&s), PEAT_EXISTS);
    store_done(&s);
    expect_state(sim, 2);
    assert_true(sim_file_delete(sim, DIR_NAME, "m-000001"));
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_CORRUPT);
    assert_non_null(strstr(error_of(&s), "m-000001"));
    assert_int_equal(store_create(&s), PEAT_EXISTS);
    store_gone(&s);
}

TEST(a_newer_format_is_refused_by_its_number)
{
    sim_env *sim = store_with(1);
    uint8_t file[PT_SUPERBLOCK_FILE_BYTES];
    pt_superblock sb = {.store_id = STORE_ID, .format_version = PT_FORMAT_VERSION + 1};
    for (sb.generation = 100; sb.generation < 102; sb.generation++)
        pt_superblock_encode(&sb, file + sb.generation % 2 * PT_SUPERBLOCK_SLOT_BYTES);
    sim_file_put(sim, DIR_NAME, "PEAT", file, sizeof file);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_VERSION);
    assert_non_null(strstr(error_of(&s), "version 3,"));
    store_gone(&s);
}

static void expect_count(const pt_superblock *sb, peat_rc expected)
{
    uint8_t file[PT_SUPERBLOCK_FILE_BYTES] = {0};
    pt_superblock found;
    peat_error e;
    pt_spot spot;
    store s;
    sim_env *sim = store_with(1);
    size_t at = sb->generation % PT_SUPERBLOCK_SLOTS * PT_SUPERBLOCK_SLOT_BYTES;
    pt_superblock_encode(sb, file + at);
    sim_file_put(sim, DIR_NAME, "PEAT", file, sizeof file);
    store_init(&s, sim);
    assert_int_equal(pt_superblock_read(s.env, s.dir, &s.sink, &found), expected);
    if (expected != PEAT_OK) {
        pt_sink_place(&s.sink, &spot, &e);
        assert_string_equal(spot.file, "PEAT");
        assert_int_equal(spot.offset, at);
        assert_non_null(strstr(e.message, "counts further"));
    }
    store_gone(&s);
}

TEST(a_count_beyond_any_store_is_damage_of_its_slot)
{
    for (uint64_t n = PT_STORED_NUMBER_MAX - 1; n <= PT_STORED_NUMBER_MAX + 2; n++) {
        peat_rc expected = n > PT_STORED_NUMBER_MAX ? PEAT_CORRUPT : PEAT_OK;
        pt_superblock sb = {.store_id = STORE_ID, .format_version = PT_FORMAT_FIRST};
        sb.open_count = n;
        expect_count(&sb, expected);
        sb.open_count = 1;
        sb.manifest_number = n;
        expect_count(&sb, expected);
        sb.manifest_number = 1;
        sb.generation = n;
        expect_count(&sb, expected);
    }
}

/* A manifest of an earlier time, or of another store, under the right name. */
TEST(a_swapped_manifest_is_refused)
{
    sim_env *sim = store_of_seed(3, 1), *other = store_of_seed(9, 2);
    size_t size = 0;
    uint8_t *data = sim_file_get(other, DIR_NAME, "m-000001", &size);
    sim_file_put(sim, DIR_NAME, "m-000001", data, size);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_CORRUPT);
    assert_non_null(strstr(error_of(&s), "m-000001 @"));
    store_done(&s);
    free(data);
    sim_free(sim);
    sim_free(other);
}

TEST(the_worked_example_of_the_document_is_true)
{
    static const char doc[] = "src/version/manifest_format.md";
    store s;
    store_init(&s, sim_new(1));
    pt_env env = *s.env;
    env.random = doc_hex_random;
    must(&s, pt_manifest_create(&env, s.dir, &s.sink, 0x0807060504030201ULL, 0x54524150,
                                pt_slice_of("one", 3), &s.m));
    must(&s, pt_manifest_append(s.m, pt_slice_of("edit two", 8)));
    size_t size = 0;
    uint8_t *data = sim_file_get(s.sim, DIR_NAME, "PEAT", &size);
    assert_int_equal(doc_hex_compare(doc, "  ", data, size), 10);
    free(data);
    data = sim_file_get(s.sim, DIR_NAME, "m-000001", &size);
    assert_int_equal(doc_hex_compare(doc, ": ", data, size), 7);
    free(data);
    store_gone(&s);
}
