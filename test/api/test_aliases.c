/* SPDX-License-Identifier: MIT */
/*
 * test_aliases.c - inputs that lie in memory of the library's own: in the batch they are added to,
 * in an iterator's row, in a pin, in the buffer or the error that is filled. Each call copies or
 * uses up what it was given before it moves or overwrites anything. Runs under AddressSanitizer in
 * the proofs.
 */
#include "world/kit.h"

static peat_slice shifted(peat_slice s, size_t by)
{
    return peat_bytes((const char *)s.data + by, s.size - by);
}

/* --- batches ---------------------------------------------------------------------------------- */

/* Fresh memory for every round, so that one of the calls moves it. */
TEST_OPEN(keys_and_values_may_lie_in_the_batch)
{
    for (size_t filler = 0; filler < 80; filler++) {
        peat_batch *batch = NULL;
        void *room = NULL;
        char text[96];
        memset(text, 'f', sizeof text);
        assert_ok(peat_batch_new(&batch));
        assert_ok(peat_batch_put(batch, peat_str("f"), peat_bytes(text, filler)));
        assert_ok(peat_batch_put_reserve(batch, peat_str("r"), 3, &room));
        memcpy(room, "abc", 3);
        peat_slice abc = peat_bytes(room, 3);
        assert_ok(peat_batch_put(batch, abc, abc));
        assert_ok(peat_write(k->db, NULL, batch));
        expect_get(k, "r", "abc");
        expect_get(k, "abc", "abc");
        assert_int_equal(count_all(k->db), 3);
        peat_batch_free(batch);
        assert_ok(peat_delete(k->db, NULL, peat_str("abc")));
    }
}

TEST_OPEN(a_reserved_key_and_a_deleted_one_may_lie_in_the_batch)
{
    for (size_t filler = 0; filler < 80; filler++) {
        peat_batch *batch = NULL;
        void *room = NULL, *second = NULL;
        char text[96];
        memset(text, 'f', sizeof text);
        put(k, "abc", "there");
        assert_ok(peat_batch_new(&batch));
        assert_ok(peat_batch_put(batch, peat_str("f"), peat_bytes(text, filler)));
        assert_ok(peat_batch_put_reserve(batch, peat_str("r"), 6, &room));
        memcpy(room, "abcdef", 6);
        assert_ok(peat_batch_put_reserve(batch, shifted(peat_bytes(room, 6), 3), 200, &second));
        memset(second, 'v', 200);
        memcpy(second, "abc", 3);
        assert_ok(peat_batch_delete(batch, peat_bytes(second, 3)));
        assert_ok(peat_write(k->db, NULL, batch));
        expect_get(k, "r", "abcdef");
        assert_ok(peat_get(k->db, NULL, peat_str("def"), &k->buf));
        assert_int_equal(k->buf.size, 200);
        expect_absent(k, "abc");
        peat_batch_free(batch);
    }
}

/* --- writes ----------------------------------------------------------------------------------- */

/* A store of 300 entries with large values, in memory and then in tables. */
static void in_memory_and_in_tables(kit *k, void (*check)(kit *k))
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, 300, 100);
    check(k);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    check(k);
}

static void write_rows_back(kit *k)
{
    peat_iter *it = NULL;
    peat_row rows[8];
    size_t n = 0, seen = 0;
    peat_rc rc;
    assert_ok(peat_iter_open(k->db, NULL, &it));
    while ((rc = peat_iter_fill(it, rows, 8, &n)) == PEAT_OK) {
        for (size_t i = 0; i < n; i++) {
            assert_ok(peat_delete(k->db, NULL, rows[i].key));
            assert_ok(peat_put(k->db, NULL, rows[i].key, rows[i].value));
        }
        seen += n;
    }
    assert_int_equal(rc, PEAT_END);
    assert_int_equal(seen, 300);
    assert_ok(peat_iter_first(it));
    assert_ok(peat_put(k->db, NULL, peat_iter_value(it), peat_iter_key(it)));
    assert_ok(peat_get(k->db, NULL, peat_iter_value(it), &k->buf));
    expect_bytes(k->buf.data, k->buf.size, "key-000000");
    assert_ok(peat_delete(k->db, NULL, peat_iter_value(it)));
    peat_iter_close(it);
    assert_int_equal(count_all(k->db), 300);
}

TEST_LINE(TEST_OPEN, rows_may_be_written_while_they_are_read,
          in_memory_and_in_tables(k, write_rows_back))

static void write_a_pin_back(kit *k)
{
    peat_pinned pin = PEAT_PINNED_INIT, other = PEAT_PINNED_INIT;
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("key-000007"), &pin));
    peat_slice value = peat_bytes(pin.data, pin.size);
    assert_ok(peat_put(k->db, NULL, value, value));
    assert_ok(peat_get_pinned(k->db, NULL, value, &other));
    assert_int_equal(other.size, pin.size);
    assert_memory_equal(other.data, pin.data, pin.size);
    assert_ok(peat_delete(k->db, NULL, peat_bytes(other.data, other.size)));
    assert_int_equal(peat_exists(k->db, NULL, value), PEAT_NOT_FOUND);
    peat_unpin(&other);
    peat_unpin(&pin);
}

TEST_LINE(TEST_OPEN, a_pinned_value_may_be_key_and_value,
          in_memory_and_in_tables(k, write_a_pin_back))

/* --- reads ------------------------------------------------------------------------------------ */

static void read_into_the_key(kit *k)
{
    /* a chain: the value of each key is the next key, up to sizes that move the buffer */
    char next[512];
    peat_buf buf = PEAT_BUF_INIT;
    for (size_t n = 1; n < sizeof next; n *= 2) {
        memset(next, 'c', n);
        assert_ok(peat_put(k->db, NULL, peat_bytes(next, n), peat_bytes("cccccccccccccccc", 0)));
    }
    for (size_t n = 1; n < sizeof next / 2; n *= 2) {
        memset(next, 'c', sizeof next);
        assert_ok(peat_put(k->db, NULL, peat_bytes(next, n), peat_bytes(next, 2 * n)));
    }
    assert_ok(peat_get(k->db, NULL, peat_str("c"), &buf));
    size_t size = 2;
    for (; size < sizeof next / 2; size *= 2) {
        assert_int_equal(buf.size, size);
        assert_ok(peat_get(k->db, NULL, peat_bytes(buf.data, buf.size), &buf));
    }
    assert_int_equal(buf.size, size);
    for (size_t i = 0; i < buf.size; i++)
        assert_int_equal(((char *)buf.data)[i], 'c');
    peat_buf_free(&buf);
    for (size_t n = 1; n < sizeof next; n *= 2)
        assert_ok(peat_delete(k->db, NULL, peat_bytes(next, n)));
}

TEST_LINE(TEST_OPEN, the_buffer_that_is_filled_may_hold_the_key,
          in_memory_and_in_tables(k, read_into_the_key))

/* --- iterators -------------------------------------------------------------------------------- */

static void expect_number(peat_iter *it, int n)
{
    char key[32];
    expect_bytes(peat_iter_key(it).data, peat_iter_key(it).size, numbered(n, key));
    assert_int_equal(peat_iter_value(it).size, 100 + (size_t)snprintf(key, sizeof key, "%d ", n));
}

static void seek_own_keys(kit *k)
{
    peat_iter *it = NULL;
    peat_row rows[4];
    size_t n = 0;
    assert_ok(peat_iter_open(k->db, NULL, &it));
    assert_ok(peat_iter_seek(it, peat_str("key-000100")));
    for (int i = 0; i < 20; i++) { /* both ways, after moves of both ways */
        assert_ok(peat_iter_next(it));
        assert_ok(peat_iter_seek(it, peat_iter_key(it)));
        expect_number(it, 101 + i);
        assert_ok(peat_iter_seek_for_prev(it, peat_iter_key(it)));
        assert_ok(peat_iter_seek_for_prev(it, peat_iter_key(it)));
        expect_number(it, 101 + i);
    }
    assert_ok(peat_iter_prev(it));
    assert_ok(peat_iter_seek(it, peat_iter_key(it)));
    expect_number(it, 119);
    assert_int_equal(peat_iter_seek(it, peat_bytes("zz", 2)), PEAT_END);
    assert_ok(peat_iter_seek(it, peat_str("key-000100")));
    assert_ok(peat_iter_fill(it, rows, 4, &n));
    assert_ok(peat_iter_seek_for_prev(it, rows[0].key));
    expect_number(it, 100);
    assert_ok(peat_iter_fill_back(it, rows, 4, &n));
    assert_ok(peat_iter_seek(it, rows[n - 1].key));
    expect_number(it, 101 - (int)n);
    peat_iter_close(it);
}

TEST_LINE(TEST_OPEN, an_iterator_may_seek_its_own_keys, in_memory_and_in_tables(k, seek_own_keys))

/* Bounds and prefix of an iterator, and of upkeep, in rows of another that is gone afterwards. */
static void bound_by_rows(kit *k)
{
    peat_iter *rows_of = NULL, *it = NULL;
    peat_row rows[64];
    size_t n = 0, m = 0;
    assert_ok(peat_iter_open(k->db, NULL, &rows_of));
    assert_ok(peat_iter_seek(rows_of, peat_str("key-000100")));
    assert_ok(peat_iter_fill(rows_of, rows, 64, &n));
    assert_true(n >= 3);
    peat_iter_options options = {.size = sizeof options,
                                 .lower = rows[0].key,
                                 .upper = rows[2].key,
                                 .prefix = peat_bytes(rows[0].key.data, 4)};
    uint64_t count = 0, bytes = 0;
    assert_ok(peat_approximate_count(k->db, rows[0].key, rows[2].key, &count));
    assert_int_equal(count, 2);
    assert_ok(peat_approximate_size(k->db, rows[0].key, rows[2].key, &bytes));
    assert_true(bytes > 0);
    assert_ok(peat_iter_open(k->db, &options, &it));
    assert_ok(peat_compact(k->db, rows[0].key, rows[2].key, NULL));
    peat_iter_close(rows_of);
    assert_ok(peat_iter_first(it));
    expect_number(it, 100);
    assert_ok(peat_iter_last(it));
    expect_number(it, 101);
    assert_int_equal(peat_iter_next(it), PEAT_END);
    assert_ok(peat_iter_first(it));
    peat_iter_options inside = {.size = sizeof inside, .lower = peat_iter_key(it)};
    assert_ok(peat_iter_open(k->db, &inside, &rows_of));
    peat_iter_close(it);
    assert_ok(peat_iter_fill(rows_of, rows, 1, &m));
    expect_number(rows_of, 100);
    peat_iter_close(rows_of);
}

TEST_LINE(TEST_OPEN, bounds_may_lie_in_rows, in_memory_and_in_tables(k, bound_by_rows))

static peat_rc get_lower(void *ctx, const peat_partition_info *partition)
{
    kit *k = ctx;
    peat_rc rc =
        partition->lower.data == NULL ? PEAT_OK : peat_get(k->db, NULL, partition->lower, &k->buf);
    return rc == PEAT_NOT_FOUND ? PEAT_OK : rc;
}

TEST_OPEN(what_a_callback_is_given_may_be_passed_on)
{
    reopen_tiny(k, PEAT_COMPRESSION_NONE);
    put_many(k, 5000, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_true(stats_of(k->db).partitions > 1);
    assert_ok(peat_shape(k->db, get_lower, k));
}

/* --- errors ----------------------------------------------------------------------------------- */

TEST(the_error_that_is_filled_may_hold_the_path)
{
    peat_error error;
    peat_db *db = NULL;
    peat_options options = {.size = sizeof options, .create = PEAT_CREATE_NEVER};
    (void)strcpy(error.message, "no-such-store-here");
    assert_int_equal(peat_open(error.message, &options, &db, &error), PEAT_NOT_FOUND);
    assert_non_null(strstr(error.message, "no-such-store-here"));
    (void)strcpy(error.message, "no-such-store-here");
    assert_int_equal(peat_destroy(error.message, &error), PEAT_NOT_FOUND);
    assert_non_null(strstr(error.message, "no-such-store-here"));
    (void)strcpy(error.message, "no-such-store-here");
    assert_int_equal(peat_repair(error.message, "elsewhere", NULL, NULL, &error), PEAT_NOT_FOUND);
    assert_non_null(strstr(error.message, "no-such-store-here"));
}

/* --- outputs that hold something -------------------------------------------------------------- */

static void pin_twice(kit *k)
{
    peat_pinned pin = PEAT_PINNED_INIT;
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("key-000007"), &pin));
    peat_pinned as_it_was = pin;
    assert_int_equal(peat_get_pinned(k->db, NULL, peat_str("key-000008"), &pin), PEAT_INVALID);
    assert_int_equal(peat_get_pinned(k->db, NULL, peat_str("nowhere"), &pin), PEAT_INVALID);
    assert_memory_equal(&pin, &as_it_was, sizeof pin);
    assert_memory_equal(pin.data, "7 ", 2);
    peat_unpin(&pin);
    put(k, "empty", "");
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("empty"), &pin));
    assert_int_equal(peat_get_pinned(k->db, NULL, peat_str("key-000008"), &pin), PEAT_INVALID);
    peat_unpin(&pin);
    assert_int_equal(peat_get_pinned(k->db, NULL, peat_str("nowhere"), &pin), PEAT_NOT_FOUND);
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("key-000008"), &pin));
    peat_unpin(&pin);
    assert_ok(peat_delete(k->db, NULL, peat_str("empty")));
}

/* That nothing is lost is what the end of each test asserts: the disk's memory is all given back.
 */
TEST_LINE(TEST_OPEN, a_pin_in_use_is_refused_and_kept, in_memory_and_in_tables(k, pin_twice))
