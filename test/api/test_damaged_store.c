/* SPDX-License-Identifier: MIT */
/* test_damaged_store.c - stores of which a file is damaged, shorter or gone; see scene.h. */
#include "api/scene.h"

#include "version/superblock.h"

TEST_SCENE(a_superblock_damaged_in_both_slots_is_corrupt)
{
    make_store(s);
    for (unsigned slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++)
        files_flip(s->dir, "PEAT", (size_t)slot * PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_refused_twice(s, PEAT_CORRUPT, "PEAT");
    for (unsigned slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++)
        files_flip(s->dir, "PEAT", (size_t)slot * PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_good(s, 400);
}

TEST_SCENE(one_damaged_slot_is_survived)
{
    make_store(s);
    files_flip(s->dir, "PEAT", 20);
    expect_good(s, 400);
    files_flip(s->dir, "PEAT", PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_good(s, 400);
}

TEST_SCENE(an_empty_superblock_beside_tables_is_corrupt)
{
    make_store(s);
    files_write(s->dir, "PEAT", "", 0);
    expect_refused_twice(s, PEAT_CORRUPT, "PEAT");
}

TEST_SCENE(a_missing_superblock_beside_tables_is_no_new_store)
{
    char path[400];
    make_store(s);
    scene_unlink(s, "PEAT", path);
    peat_rc rc = refused_unchanged(s);
    if (rc != PEAT_CORRUPT && rc != PEAT_NOT_STORE)
        fail_msg("found %s: %s", peat_rc_name(rc), s->error.message);
    assert_non_null(strstr(s->error.message, "PEAT"));
}

static int shorten(const char *path)
{
    return truncate(path, 4096);
}

static void expect_named(scene *s, const char *prefix, int (*spoil)(const char *path))
{
    char name[64], path[400];
    make_store(s);
    scene_find(s, prefix, name, path);
    assert_int_equal(spoil(path), 0);
    expect_refused_twice(s, PEAT_CORRUPT, name);
}

TEST_LINE(TEST_SCENE, a_missing_table_is_corrupt_and_named, expect_named(s, "t-", unlink))
TEST_LINE(TEST_SCENE, a_shortened_table_is_corrupt_and_named, expect_named(s, "t-", shorten))
TEST_LINE(TEST_SCENE, a_missing_manifest_is_corrupt_and_named, expect_named(s, "m-", unlink))

static bool note_damage(void *ctx, const peat_damage *damage)
{
    char *text = ctx;
    (void)snprintf(text, 400, "%s %s", damage->file, damage->message);
    return true;
}

/* Other keys are readable, the damaged ones never read as absent. */
TEST_SCENE(a_damaged_table_is_told_with_file_and_offset)
{
    char text[400] = "";
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    int corrupt = 0, ok = 0;
    s->test.block_bytes = 1024;
    s->options.compression = PEAT_COMPRESSION_NONE;
    make_store(s);
    picture p = files_look(s->dir);
    const char *name = files_find(&p, "t-");
    files_flip(s->dir, name, 9000);
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    for (int i = 0; i < 400; i++) {
        peat_rc rc = peat_get(db, NULL, nth_key(i), &buf);
        assert_true(rc == PEAT_OK || rc == PEAT_CORRUPT);
        ok += rc == PEAT_OK;
        corrupt += rc == PEAT_CORRUPT;
    }
    assert_true(corrupt > 0 && ok > corrupt);
    assert_int_equal(peat_db_error(db, &s->error), PEAT_CORRUPT);
    assert_non_null(strstr(s->error.message, name));
    peat_check_options check = {.size = sizeof check, .damage_fn = note_damage, .damage_ctx = text};
    peat_check_report report = {.size = sizeof report};
    assert_int_equal(peat_check(db, &check, &report), PEAT_CORRUPT);
    assert_true(report.damages >= 1);
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, "checksum: expected "));
    assert_non_null(strstr(text, ", found "));
    assert_true(stats_of(db).damages > 0);
    peat_buf_free(&buf);
    assert_ok(peat_close(db));
    files_forget(&p);
}

/* With nothing but its manifest beside it, it is missed by nobody else: an open would make one. */
TEST_SCENE(a_superblock_that_is_gone_is_found_by_a_check)
{
    peat_db *db = NULL;
    char path[400], text[600] = "";
    s->options.no_log = true;
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    scene_unlink(s, "PEAT", path);
    peat_check_options check = {.size = sizeof check, .damage_fn = note_damage, .damage_ctx = text};
    assert_int_equal(peat_check(db, &check, NULL), PEAT_CORRUPT);
    assert_non_null(strstr(text, "PEAT"));
    assert_ok(peat_close(db));
}

static bool stop_at_once(void *ctx, const peat_damage *damage)
{
    (void)damage;
    ++*(int *)ctx;
    return false;
}

/* Also when more of what is being read is damaged. */
TEST_SCENE(a_callback_that_cancelled_is_not_called_again)
{
    peat_db *db = NULL;
    int calls = 0;
    s->test.block_bytes = 1024;
    s->options.compression = PEAT_COMPRESSION_NONE;
    make_store(s);
    picture p = files_look(s->dir);
    for (size_t at = 9000; at <= 29000; at += 5000)
        files_flip(s->dir, files_find(&p, "t-"), at);
    peat_check_options check = {
        .size = sizeof check, .damage_fn = stop_at_once, .damage_ctx = &calls};
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    assert_int_equal(peat_check(db, &check, NULL), PEAT_CANCELLED);
    assert_int_equal(calls, 1);
    assert_ok(peat_close(db));
    char to_dir[256];
    files_new_dir(to_dir);
    peat_repair_options repair = {
        .size = sizeof repair, .open = &s->options, .damage_fn = stop_at_once, .ctx = &calls};
    assert_int_equal(peat_repair(s->dir, to_dir, &repair, NULL, NULL), PEAT_CANCELLED);
    assert_int_equal(calls, 2);
    files_forget(&p);
}
