/* SPDX-License-Identifier: MIT */
/* test_batch.c - batches: whole, in order, reusable, and their limits. */
#include "world/kit.h"

static peat_batch *new_batch(void)
{
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    return batch;
}

static void add(peat_batch *batch, const char *key, const char *value)
{
    assert_ok(peat_batch_put(batch, peat_str(key), peat_str(value)));
}

/* With an open store and an empty batch. */
#define TEST_BATCH(name)                                                                           \
    static void name##_with(kit *k, peat_batch *batch);                                            \
    TEST_OPEN(name)                                                                                \
    {                                                                                              \
        peat_batch *batch = new_batch();                                                           \
        name##_with(k, batch);                                                                     \
        peat_batch_free(batch);                                                                    \
    }                                                                                              \
    static void name##_with(__attribute__((unused)) kit *k, peat_batch *batch)

TEST_BATCH(a_batch_is_written_in_order)
{
    add(batch, "a", "1");
    add(batch, "b", "2");
    assert_ok(peat_batch_delete(batch, peat_str("a")));
    add(batch, "b", "3");
    assert_ok(peat_batch_delete(batch, peat_str("c")));
    add(batch, "c", "4");
    assert_int_equal(peat_batch_count(batch), 6);
    expect_absent(k, "b");
    assert_ok(peat_write(k->db, NULL, batch));
    expect_absent(k, "a");
    expect_get(k, "b", "3");
    expect_get(k, "c", "4");
    kit_reopen(k);
    expect_absent(k, "a");
    expect_get(k, "b", "3");
    expect_get(k, "c", "4");
}

TEST_BATCH(an_empty_batch_writes_nothing)
{
    assert_int_equal(peat_batch_count(batch), 0);
    assert_ok(peat_write(k->db, NULL, batch));
    assert_ok(peat_write(k->db, &synced, batch));
    assert_int_equal(count_all(k->db), 0);
}

TEST_BATCH(a_batch_may_be_written_again_and_refilled)
{
    add(batch, "a", "1");
    assert_ok(peat_write(k->db, NULL, batch));
    assert_ok(peat_delete(k->db, NULL, peat_str("a")));
    assert_ok(peat_write(k->db, NULL, batch));
    expect_get(k, "a", "1");
    size_t full = peat_batch_bytes(batch);
    peat_batch_clear(batch);
    assert_int_equal(peat_batch_count(batch), 0);
    assert_true(peat_batch_bytes(batch) < full);
    add(batch, "b", "2");
    assert_ok(peat_delete(k->db, NULL, peat_str("a")));
    assert_ok(peat_write(k->db, NULL, batch));
    expect_absent(k, "a");
    expect_get(k, "b", "2");
}

TEST_BATCH(reserved_room_is_zeroed_and_becomes_the_value)
{
    void *room = NULL;
    static const char zeros[64];
    /* memory that was used before */
    add(batch, "x",
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    peat_batch_clear(batch);
    assert_ok(peat_batch_put_reserve(batch, peat_str("a"), 64, &room));
    assert_memory_equal(room, zeros, 64);
    memcpy(room, "written in place", 16);
    assert_ok(peat_batch_put_reserve(batch, peat_str("b"), 0, &room));
    assert_ok(peat_write(k->db, NULL, batch));
    assert_ok(peat_get(k->db, NULL, peat_str("a"), &k->buf));
    assert_int_equal(k->buf.size, 64);
    assert_memory_equal(k->buf.data, "written in place", 16);
    assert_memory_equal((char *)k->buf.data + 16, zeros, 48);
    expect_get(k, "b", "");
}

TEST_BATCH(what_does_not_fit_leaves_the_batch_as_it_was)
{
    char *key = calloc(1, PEAT_KEY_SIZE_MAX + 1);
    void *room = NULL;
    add(batch, "a", "1");
    size_t bytes = peat_batch_bytes(batch);
    peat_slice long_key = peat_bytes(key, PEAT_KEY_SIZE_MAX + 1);
    peat_slice long_value = peat_bytes(key, PEAT_VALUE_SIZE_MAX + 1);
    assert_int_equal(peat_batch_put(batch, long_key, peat_str("")), PEAT_TOO_BIG);
    assert_int_equal(peat_batch_put(batch, peat_str("b"), long_value), PEAT_TOO_BIG);
    assert_int_equal(peat_batch_delete(batch, long_key), PEAT_TOO_BIG);
    assert_int_equal(peat_batch_put_reserve(batch, peat_str("b"), PEAT_VALUE_SIZE_MAX + 1, &room),
                     PEAT_TOO_BIG);
    assert_int_equal(peat_batch_put(batch, peat_bytes(NULL, 1), peat_str("")), PEAT_INVALID);
    assert_int_equal(peat_batch_put(batch, peat_str(""), peat_bytes(NULL, 1)), PEAT_INVALID);
    assert_int_equal(peat_batch_delete(batch, peat_bytes(NULL, 1)), PEAT_INVALID);
    assert_null(room);
    assert_int_equal(peat_batch_count(batch), 1);
    assert_int_equal(peat_batch_bytes(batch), bytes);
    assert_ok(peat_batch_put(batch, peat_bytes(key, PEAT_KEY_SIZE_MAX), peat_str("fits")));
    assert_ok(peat_write(k->db, NULL, batch));
    assert_int_equal(count_all(k->db), 2);
    free(key);
}

TEST_BATCH(null_batches_are_invalid_or_empty)
{
    void *room = NULL;
    peat_batch_free(NULL);
    peat_batch_clear(NULL);
    assert_int_equal(peat_batch_count(NULL), 0);
    assert_int_equal(peat_batch_bytes(NULL), 0);
    assert_int_equal(peat_batch_new(NULL), PEAT_INVALID);
    assert_int_equal(peat_batch_put(NULL, peat_str("a"), peat_str("")), PEAT_INVALID);
    assert_int_equal(peat_batch_delete(NULL, peat_str("a")), PEAT_INVALID);
    assert_int_equal(peat_batch_put_reserve(NULL, peat_str("a"), 1, &room), PEAT_INVALID);
    assert_int_equal(peat_batch_put_reserve(batch, peat_str("a"), 1, NULL), PEAT_INVALID);
    assert_int_equal(peat_write(k->db, NULL, NULL), PEAT_INVALID);
    assert_int_equal(peat_write(NULL, NULL, batch), PEAT_INVALID);
    assert_int_equal(peat_batch_count(batch), 0);
}

/* Many times the memtable: becomes a run of its own, all or nothing. */
TEST_BATCH(a_batch_larger_than_the_memory_for_writes_is_one_write)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    char key[32];
    for (int i = 0; i < 3000; i++) {
        add(batch, numbered(i * 7919 % 3000, key),
            "a value of some fifty bytes, as they are in this test");
    }
    add(batch, "key-000010", "the last one counts");
    peat_snapshot *before = NULL;
    assert_ok(peat_snapshot_open(k->db, &before));
    assert_ok(peat_write(k->db, NULL, batch));
    assert_int_equal(count_all(k->db), 3000);
    expect_get(k, "key-000010", "the last one counts");
    peat_read_options then = {.size = sizeof then, .snapshot = before};
    assert_int_equal(peat_exists(k->db, &then, peat_str("key-000011")), PEAT_NOT_FOUND);
    peat_snapshot_close(before);
    assert_ok(peat_batch_delete(batch, peat_str("key-000012")));
    assert_ok(peat_write(k->db, NULL, batch));
    kit_reopen(k);
    assert_int_equal(count_all(k->db), 2999);
    expect_get(k, "key-000010", "the last one counts");
}

TEST_BATCH(one_batch_may_go_to_several_stores)
{
    peat_db *second = NULL;
    add(batch, "a", "1");
    assert_ok(peat_open("second", &k->options, &second, NULL));
    assert_ok(peat_write(k->db, NULL, batch));
    assert_ok(peat_write(second, NULL, batch));
    expect_get(k, "a", "1");
    assert_ok(peat_exists(second, NULL, peat_str("a")));
    assert_ok(peat_close(second));
}

/* --- walking, joining, taking back --- */

typedef struct walk {
    char text[256];
    size_t stop_after; /* 0: never */
    size_t seen;
    peat_batch *grows; /* each operation is put into it once more */
} walk;

static peat_rc see_op(void *ctx, const peat_batch_op *op)
{
    walk *w = ctx;
    assert_int_equal(op->size, sizeof *op);
    assert_true(op->kind == PEAT_BATCH_PUT || op->kind == PEAT_BATCH_DELETE);
    bool put = op->kind == PEAT_BATCH_PUT;
    size_t n = strlen(w->text);
    (void)snprintf(w->text + n, sizeof w->text - n, "%c%.*s%s%.*s ", put ? '+' : '-',
                   (int)op->key.size, (const char *)op->key.data, put ? "=" : "",
                   (int)op->value.size, (const char *)op->value.data);
    if (w->grows != NULL)
        assert_ok(put ? peat_batch_put(w->grows, op->key, op->value)
                      : peat_batch_delete(w->grows, op->key));
    return ++w->seen == w->stop_after ? PEAT_CANCELLED : PEAT_OK;
}

static void expect_ops(const peat_batch *batch, const char *expected)
{
    walk w = {.seen = 0};
    assert_ok(peat_batch_each(batch, see_op, &w));
    assert_string_equal(w.text, expected);
    assert_int_equal(w.seen, peat_batch_count(batch));
}

TEST_BATCH(a_batch_can_be_walked)
{
    void *room = NULL;
    expect_ops(batch, "");
    add(batch, "a", "1");
    assert_ok(peat_batch_delete(batch, peat_str("")));
    add(batch, "", "");
    assert_ok(peat_batch_put_reserve(batch, peat_str("r"), 2, &room));
    memcpy(room, "22", 2);
    expect_ops(batch, "+a=1 - += +r=22 ");
    walk w = {.stop_after = 2};
    assert_int_equal(peat_batch_each(batch, see_op, &w), PEAT_CANCELLED);
    assert_string_equal(w.text, "+a=1 - ");
    w = (walk){.grows = batch};
    assert_ok(peat_batch_each(batch, see_op, &w)); /* what is added meanwhile is not visited */
    expect_ops(batch, "+a=1 - += +r=22 +a=1 - += +r=22 ");
    assert_ok(peat_write(k->db, NULL, batch));
    expect_get(k, "r", "22");
    assert_int_equal(peat_batch_each(NULL, see_op, &w), PEAT_INVALID);
    assert_int_equal(peat_batch_each(batch, NULL, &w), PEAT_INVALID);
}

TEST_OPEN(batches_are_appended_also_to_themselves)
{
    peat_batch *batch = new_batch(), *other = new_batch();
    assert_ok(peat_batch_append(batch, other));
    expect_ops(batch, "");
    add(other, "b", "2");
    assert_ok(peat_batch_delete(other, peat_str("a")));
    assert_ok(peat_batch_append(batch, other));
    expect_ops(batch, "+b=2 -a ");
    add(batch, "a", "3");
    for (int i = 0; i < 4; i++)
        assert_ok(peat_batch_append(batch, batch));
    assert_int_equal(peat_batch_count(batch), 48);
    assert_ok(peat_batch_append(batch, other));
    expect_ops(other, "+b=2 -a ");
    assert_ok(peat_write(k->db, NULL, batch));
    peat_statistics stats = stats_of(k->db);
    assert_int_equal(stats.puts, 33); /* what the store counts is what was joined */
    assert_int_equal(stats.deletes, 17);
    expect_absent(k, "a");
    expect_get(k, "b", "2");
    assert_int_equal(peat_batch_append(batch, NULL), PEAT_INVALID);
    assert_int_equal(peat_batch_append(NULL, other), PEAT_INVALID);
    peat_batch_free(batch);
    peat_batch_free(other);
}

TEST_BATCH(a_batch_is_rolled_back_to_a_mark)
{
    size_t empty = peat_batch_mark(batch);
    add(batch, "a", "1");
    size_t one = peat_batch_mark(batch);
    assert_ok(peat_batch_delete(batch, peat_str("a")));
    add(batch, "b", "2");
    size_t three = peat_batch_mark(batch);
    add(batch, "c", "3");
    assert_ok(peat_batch_rollback_to(batch, three));
    expect_ops(batch, "+a=1 -a +b=2 ");
    add(batch, "d", "4");
    assert_ok(peat_batch_rollback_to(batch, one));
    expect_ops(batch, "+a=1 ");
    add(batch, "e", "5");
    assert_ok(peat_write(k->db, NULL, batch));
    expect_get(k, "a", "1");
    expect_get(k, "e", "5");
    assert_int_equal(stats_of(k->db).puts, 2);
    assert_int_equal(stats_of(k->db).deletes, 0);
    assert_ok(peat_batch_rollback_to(batch, empty));
    assert_int_equal(peat_batch_count(batch), 0);
    assert_ok(peat_write(k->db, NULL, batch));
    assert_int_equal(peat_batch_mark(NULL), 0);
    assert_int_equal(peat_batch_rollback_to(NULL, 0), PEAT_INVALID);
}

/* A mark of what the batch no longer holds never makes half an operation. */
TEST_BATCH(a_mark_inside_an_operation_is_refused)
{
    add(batch, "key", "value");
    size_t one = peat_batch_mark(batch);
    add(batch, "another key", "another value");
    size_t two = peat_batch_mark(batch);
    for (size_t mark = 1; mark < two + 10; mark++)
        if (mark != one && mark != two) {
            assert_int_equal(peat_batch_rollback_to(batch, mark), PEAT_INVALID);
            assert_int_equal(peat_batch_mark(batch), two);
            assert_int_equal(peat_batch_count(batch), 2);
        }
    assert_ok(peat_batch_rollback_to(batch, two));
    expect_ops(batch, "+key=value +another key=another value ");
    assert_ok(peat_write(k->db, NULL, batch));
    assert_int_equal(count_all(k->db), 2);
}

TEST_BATCH(a_batch_says_which_argument_it_refused)
{
    peat_error error;
    assert_ok(peat_batch_error(batch, &error));
    assert_string_equal(error.message, "");
    assert_int_equal(peat_batch_put(batch, peat_str("a"), peat_str(NULL)), PEAT_INVALID);
    assert_int_equal(peat_batch_error(batch, &error), PEAT_INVALID);
    assert_string_equal(error.message, "peat_batch_put: value: data is NULL, but size is not 0");
    assert_int_equal(peat_batch_delete(batch, peat_bytes("", PEAT_KEY_SIZE_MAX + 1)), PEAT_TOO_BIG);
    assert_int_equal(peat_batch_error(batch, &error), PEAT_TOO_BIG);
    assert_non_null(strstr(error.message, "peat_batch_delete: key"));
    assert_int_equal(peat_batch_rollback_to(batch, 5), PEAT_INVALID);
    assert_int_equal(peat_batch_error(batch, &error), PEAT_INVALID);
    assert_non_null(strstr(error.message, "mark"));
    add(batch, "a", "1"); /* the last call that failed */
    assert_int_equal(peat_batch_error(batch, &error), PEAT_INVALID);
    assert_int_equal(peat_batch_error(NULL, &error), PEAT_INVALID);
    assert_int_equal(peat_batch_error(batch, NULL), PEAT_INVALID);
}
