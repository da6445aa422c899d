/* SPDX-License-Identifier: MIT */
/* test_point.c - put, get, get_pinned, exists, delete, and buffers. */
#include "world/kit.h"

TEST_OPEN(a_value_is_read_back)
{
    put(k, "a", "1");
    expect_get(k, "a", "1");
    expect_absent(k, "b");
}

TEST_OPEN(the_last_value_counts)
{
    put(k, "a", "1");
    put(k, "a", "a longer one");
    put(k, "a", "3");
    expect_get(k, "a", "3");
    kit_reopen(k);
    expect_get(k, "a", "3");
}

TEST_OPEN(a_deleted_key_is_absent_and_may_come_back)
{
    put(k, "a", "1");
    assert_ok(peat_delete(k->db, NULL, peat_str("a")));
    expect_absent(k, "a");
    assert_int_equal(peat_exists(k->db, NULL, peat_str("a")), PEAT_NOT_FOUND);
    put(k, "a", "2");
    expect_get(k, "a", "2");
    assert_ok(peat_exists(k->db, NULL, peat_str("a")));
}

TEST_OPEN(deleting_what_is_not_there_is_fine)
{
    assert_ok(peat_delete(k->db, NULL, peat_str("never")));
    expect_absent(k, "never");
}

TEST_OPEN(the_empty_key_and_the_empty_value_are_ordinary)
{
    expect_absent(k, "");
    put(k, "", "of the empty key");
    put(k, "a", "");
    expect_get(k, "", "of the empty key");
    expect_get(k, "a", "");
    assert_ok(peat_exists(k->db, NULL, peat_str("a")));
    assert_ok(peat_put(k->db, NULL, peat_bytes(NULL, 0), peat_bytes(NULL, 0)));
    expect_get(k, "", "");
    assert_ok(peat_flush(k->db));
    kit_reopen(k);
    expect_get(k, "", "");
    expect_get(k, "a", "");
    assert_int_equal(count_all(k->db), 2);
}

TEST_OPEN(keys_are_bytes_in_the_order_of_memcmp)
{
    static const char *const keys[] = {"\x00", "\x00\x00", "\x01", "\x7f", "\x80", "\xff"};
    static const size_t sizes[] = {1, 2, 1, 1, 1, 1};
    for (size_t i = 6; i-- > 0;)
        assert_ok(peat_put(k->db, NULL, peat_bytes(keys[i], sizes[i]), peat_bytes(&i, sizeof i)));
    peat_iter *it = NULL;
    assert_ok(peat_iter_open(k->db, NULL, &it));
    for (size_t i = 0; i < 6; i++) {
        assert_ok(peat_iter_next(it));
        assert_int_equal(peat_iter_key(it).size, sizes[i]);
        assert_memory_equal(peat_iter_key(it).data, keys[i], sizes[i]);
        assert_memory_equal(peat_iter_value(it).data, &i, sizeof i);
    }
    assert_int_equal(peat_iter_next(it), PEAT_END);
    peat_iter_close(it);
}

/* --- limits --- */

TEST_OPEN(the_longest_key_fits_and_one_byte_more_does_not)
{
    char *key = malloc(PEAT_KEY_SIZE_MAX + 1);
    memset(key, 'k', PEAT_KEY_SIZE_MAX + 1);
    peat_slice less = peat_bytes(key, PEAT_KEY_SIZE_MAX - 1);
    peat_slice most = peat_bytes(key, PEAT_KEY_SIZE_MAX);
    peat_slice more = peat_bytes(key, PEAT_KEY_SIZE_MAX + 1);
    assert_ok(peat_put(k->db, NULL, less, peat_str("less")));
    assert_ok(peat_put(k->db, NULL, most, peat_str("most")));
    assert_int_equal(peat_put(k->db, NULL, more, peat_str("more")), PEAT_TOO_BIG);
    assert_int_equal(peat_delete(k->db, NULL, more), PEAT_TOO_BIG);
    assert_int_equal(peat_get(k->db, NULL, more, &k->buf), PEAT_TOO_BIG);
    assert_int_equal(peat_exists(k->db, NULL, more), PEAT_TOO_BIG);
    assert_ok(peat_flush(k->db));
    kit_reopen(k);
    assert_ok(peat_get(k->db, NULL, most, &k->buf));
    expect_bytes(k->buf.data, k->buf.size, "most");
    assert_ok(peat_get(k->db, NULL, less, &k->buf));
    expect_bytes(k->buf.data, k->buf.size, "less");
    assert_int_equal(count_all(k->db), 2);
    free(key);
}

TEST_OPEN(a_value_of_many_megabytes_is_read_back)
{
    size_t size = 20 << 20;
    uint8_t *value = malloc(size);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(i * i >> 7);
    assert_ok(peat_put(k->db, NULL, peat_str("big"), peat_bytes(value, size)));
    assert_ok(peat_get(k->db, NULL, peat_str("big"), &k->buf));
    assert_int_equal(k->buf.size, size);
    assert_memory_equal(k->buf.data, value, size);
    kit_reopen(k);
    assert_ok(peat_get(k->db, NULL, peat_str("big"), &k->buf));
    assert_int_equal(k->buf.size, size);
    assert_memory_equal(k->buf.data, value, size);
    free(value);
}

/* The bytes are never looked at: the size alone decides. */
TEST_OPEN(a_value_above_the_limit_is_refused)
{
    char byte = 0;
    peat_slice huge = peat_bytes(&byte, PEAT_VALUE_SIZE_MAX + 1);
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), huge), PEAT_TOO_BIG);
    huge.size = SIZE_MAX;
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), huge), PEAT_TOO_BIG);
    expect_absent(k, "a");
}

/* --- outputs --- */

TEST_OPEN(a_buffer_keeps_its_content_when_nothing_is_found)
{
    put(k, "a", "content");
    expect_get(k, "a", "content");
    expect_absent(k, "b");
    expect_bytes(k->buf.data, k->buf.size, "content");
}

TEST_OPEN(a_buffer_is_reused_without_allocating)
{
    put(k, "long", "0123456789012345678901234567890123456789");
    put(k, "short", "s");
    expect_get(k, "long", "0123456789012345678901234567890123456789");
    const void *data = k->buf.data;
    uint64_t allocations = sim_count(k->sim, SIM_MEMORY);
    for (int i = 0; i < 100; i++) {
        expect_get(k, "short", "s");
        expect_get(k, "long", "0123456789012345678901234567890123456789");
    }
    assert_ptr_equal(k->buf.data, data);
    assert_int_equal(sim_count(k->sim, SIM_MEMORY), allocations);
}

TEST_OPEN(a_freed_buffer_is_as_new)
{
    peat_buf buf = PEAT_BUF_INIT;
    put(k, "a", "1");
    assert_ok(peat_get(k->db, NULL, peat_str("a"), &buf));
    peat_buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.capacity, 0);
    peat_buf_free(&buf);
    peat_buf_free(NULL);
}

TEST_OPEN(a_buffer_may_be_freed_after_the_store_is_closed)
{
    put(k, "a", "1");
    expect_get(k, "a", "1");
    kit_close(k);
    expect_bytes(k->buf.data, k->buf.size, "1");
}

/* --- pins --- */

TEST_OPEN(pinned_bytes_stay_whatever_happens_to_the_store)
{
    peat_pinned from_memory = PEAT_PINNED_INIT, from_table = PEAT_PINNED_INIT;
    put(k, "a", "of the memtable");
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("a"), &from_memory));
    assert_ok(peat_flush(k->db));
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("a"), &from_table));
    put(k, "a", "overwritten");
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    put_many(k, 2000, 100);
    expect_bytes(from_memory.data, from_memory.size, "of the memtable");
    expect_bytes(from_table.data, from_table.size, "of the memtable");
    kit_close(k);
    expect_bytes(from_memory.data, from_memory.size, "of the memtable");
    expect_bytes(from_table.data, from_table.size, "of the memtable");
    peat_unpin(&from_memory);
    peat_unpin(&from_table);
    assert_null(from_table.data);
    assert_int_equal(from_table.size, 0);
}

TEST_OPEN(unpinning_nothing_is_fine)
{
    peat_pinned pin = PEAT_PINNED_INIT;
    assert_int_equal(peat_get_pinned(k->db, NULL, peat_str("never"), &pin), PEAT_NOT_FOUND);
    assert_null(pin.data);
    peat_unpin(&pin);
    peat_unpin(NULL);
}

TEST_OPEN(an_empty_value_is_pinned_too)
{
    peat_pinned pin = PEAT_PINNED_INIT;
    put(k, "a", "");
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("a"), &pin));
    assert_int_equal(pin.size, 0);
    peat_unpin(&pin);
    assert_ok(peat_flush(k->db));
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("a"), &pin));
    assert_int_equal(pin.size, 0);
    peat_unpin(&pin);
}

/* --- misuse --- */

TEST_OPEN(null_handles_and_slices_are_invalid)
{
    peat_slice bad = peat_bytes(NULL, 3), good = peat_str("a");
    peat_pinned pin = PEAT_PINNED_INIT;
    assert_int_equal(peat_put(NULL, NULL, good, good), PEAT_INVALID);
    assert_int_equal(peat_delete(NULL, NULL, good), PEAT_INVALID);
    assert_int_equal(peat_get(NULL, NULL, good, &k->buf), PEAT_INVALID);
    assert_int_equal(peat_get_pinned(NULL, NULL, good, &pin), PEAT_INVALID);
    assert_int_equal(peat_exists(NULL, NULL, good), PEAT_INVALID);
    assert_int_equal(peat_get(k->db, NULL, good, NULL), PEAT_INVALID);
    assert_int_equal(peat_get_pinned(k->db, NULL, good, NULL), PEAT_INVALID);
    assert_int_equal(peat_put(k->db, NULL, bad, good), PEAT_INVALID);
    assert_int_equal(peat_put(k->db, NULL, good, bad), PEAT_INVALID);
    assert_int_equal(peat_delete(k->db, NULL, bad), PEAT_INVALID);
    assert_int_equal(peat_get(k->db, NULL, bad, &k->buf), PEAT_INVALID);
    assert_int_equal(peat_exists(k->db, NULL, bad), PEAT_INVALID);
    assert_int_equal(peat_db_error(NULL, &k->error), PEAT_INVALID);
    assert_int_equal(peat_db_error(k->db, NULL), PEAT_INVALID);
    assert_int_equal(count_all(k->db), 0);
}

TEST_OPEN(options_of_an_impossible_size_are_invalid)
{
    peat_write_options write = {.size = 0};
    peat_read_options read = {.size = 3};
    assert_int_equal(peat_put(k->db, &write, peat_str("a"), peat_str("1")), PEAT_INVALID);
    assert_int_equal(peat_delete(k->db, &write, peat_str("a")), PEAT_INVALID);
    assert_int_equal(peat_get(k->db, &read, peat_str("a"), &k->buf), PEAT_INVALID);
    assert_int_equal(peat_exists(k->db, &read, peat_str("a")), PEAT_INVALID);
    expect_absent(k, "a");
}

TEST_OPEN(a_store_without_trouble_has_no_error)
{
    put(k, "a", "1");
    assert_int_equal(peat_put(k->db, NULL, peat_bytes(NULL, 1), peat_str("")), PEAT_INVALID);
    assert_ok(peat_db_error(k->db, &k->error));
    assert_string_equal(k->error.message, "");
}

TEST(every_code_has_a_name_and_a_text)
{
#define EXPECT_CODE(name, number, text)                                                            \
    assert_string_equal(peat_rc_name(name), #name);                                                \
    assert_string_equal(peat_rc_text(name), text);                                                 \
    assert_int_equal(name, number);
    PEAT_RC_LIST(EXPECT_CODE)
#undef EXPECT_CODE
    assert_non_null(peat_rc_name((peat_rc)99));
    assert_non_null(peat_rc_text((peat_rc)-99));
    assert_string_equal(peat_version(), PEAT_VERSION_STRING);
}
