/* SPDX-License-Identifier: MIT */
/* test_batch.c - operations encode and decode, keep their limits, and survive hostile bytes. */
#include "entry/batch.h"
#include "world/random.h"
#include "world/sim.h"

static pt_slice text(const char *s)
{
    return pt_slice_of(s, strlen(s));
}

#define TEST_BATCH(name)                                                                           \
    static void name##_in(sim_env *sim, pt_batch *b);                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        pt_batch b;                                                                                \
        sim_env *sim = sim_new(1);                                                                 \
        pt_batch_init(&b, sim_peat(sim));                                                          \
        name##_in(sim, &b);                                                                        \
        pt_batch_done(&b);                                                                         \
        sim_end(sim);                                                                              \
    }                                                                                              \
    static void name##_in(__attribute__((unused)) sim_env *sim, pt_batch *b)

static void assert_op(pt_cursor *c, pt_kind kind, const char *key, size_t key_size,
                      const char *value)
{
    pt_entry e;
    assert_ok(pt_op_next(c, &e));
    assert_int_equal(e.kind, kind);
    assert_int_equal(e.key.size, key_size);
    assert_memory_equal(e.key.data, key, key_size);
    assert_int_equal(e.value.size, strlen(value));
    assert_memory_equal(e.value.data, value, strlen(value));
}

TEST_BATCH(the_documented_example_is_what_is_written)
{
    static const uint8_t expected[] = {0x02, 0x05, 0x02, 0, 0, 0, 1, 'a', 'x',
                                       'y',  0x01, 0x06, 0, 0, 0, 1, 'b', 'c',
                                       0x02, 0x04, 0x00, 0, 0, 0, 1};
    assert_ok(pt_batch_put(b, 1, text("a"), text("xy")));
    assert_ok(pt_batch_delete(b, 1, text("bc")));
    assert_ok(pt_batch_put(b, 1, pt_slice_of(NULL, 0), pt_slice_of(NULL, 0)));
    assert_int_equal(b->count, 3);
    assert_int_equal(b->key_bytes, 5 + 6 + 4);
    assert_int_equal(b->value_bytes, 2);
    assert_int_equal(b->bytes.size, sizeof expected);
    assert_memory_equal(b->bytes.data, expected, sizeof expected);

    pt_cursor c = pt_cursor_of(b->bytes.data, b->bytes.size);
    assert_op(&c, PT_KIND_PUT, "\0\0\0\1a", 5, "xy");
    assert_op(&c, PT_KIND_DELETE, "\0\0\0\1bc", 6, "");
    assert_op(&c, PT_KIND_PUT, "\0\0\0\1", 4, "");
    pt_entry e;
    assert_int_equal(pt_op_next(&c, &e), PEAT_END);
    assert_int_equal(pt_op_next(&c, &e), PEAT_END);

    pt_batch again; /* of the entries as they are read */
    pt_batch_init(&again, sim_peat(sim));
    c = pt_cursor_of(b->bytes.data, b->bytes.size);
    while (pt_op_next(&c, &e) == PEAT_OK)
        assert_ok(pt_batch_add(&again, &e));
    assert_int_equal(again.count + again.deletes, 3 + 1);
    assert_int_equal(again.bytes.size, sizeof expected);
    assert_memory_equal(again.bytes.data, expected, sizeof expected);
    pt_batch_done(&again);

    pt_batch_clear(b);
    assert_int_equal(b->count + b->bytes.size + b->key_bytes + b->value_bytes, 0);
    pt_batch_done(b);
}

TEST_BATCH(reserved_room_is_zeroed_and_part_of_the_batch)
{
    assert_ok(pt_batch_put(b, 1, text("k"), text("old old old old")));
    pt_batch_clear(b); /* leaves its bytes in the buffer */
    uint8_t *room = NULL;
    assert_ok(pt_batch_put_reserve(b, 7, text("key"), 5, &room));
    for (int i = 0; i < 5; i++)
        assert_int_equal(room[i], 0);
    memcpy(room, "hello", 5);
    assert_ok(pt_batch_put_reserve(b, 7, text("none"), 0, &room));
    assert_ptr_equal(room, b->bytes.data + b->bytes.size);
    pt_cursor c = pt_cursor_of(b->bytes.data, b->bytes.size);
    assert_op(&c, PT_KIND_PUT, "\0\0\0\7key", 7, "hello");
    assert_op(&c, PT_KIND_PUT, "\0\0\0\7none", 8, "");
}

TEST_BATCH(keys_values_and_batches_keep_their_limits)
{
    static uint8_t long_key[PEAT_KEY_SIZE_MAX + 1];
    memset(long_key, 'k', sizeof long_key);
    pt_slice too_long = pt_slice_of(long_key, PEAT_KEY_SIZE_MAX + 1);
    assert_int_equal(pt_batch_put(b, 1, too_long, text("v")), PEAT_TOO_BIG);
    assert_int_equal(pt_batch_delete(b, 1, too_long), PEAT_TOO_BIG);
    assert_int_equal(b->count + b->bytes.size, 0);
    assert_ok(pt_batch_put(b, 1, pt_slice_of(long_key, PEAT_KEY_SIZE_MAX), text("v")));
    pt_cursor c = pt_cursor_of(b->bytes.data, b->bytes.size);
    pt_entry e;
    assert_ok(pt_op_next(&c, &e));
    assert_int_equal(e.key.size, PT_KEY_BYTES_MAX);

    /* The batch is made to believe it is nearly full: the last byte fits, one more does not. */
    size_t small = b->bytes.size;
    b->bytes.size = PEAT_BATCH_SIZE_MAX - 6;
    assert_int_equal(pt_batch_delete(b, 1, text("x")), PEAT_TOO_BIG);
    assert_int_equal(pt_batch_put(b, 1, text(""), text("")), PEAT_TOO_BIG);
    uint8_t *room = NULL;
    assert_int_equal(pt_batch_put_reserve(b, 1, text(""), PEAT_VALUE_SIZE_MAX + 1, &room),
                     PEAT_TOO_BIG);
    assert_int_equal(pt_batch_put_reserve(b, 1, text(""), PEAT_VALUE_SIZE_MAX, &room),
                     PEAT_TOO_BIG);
    assert_null(room);
    assert_int_equal(b->bytes.size, PEAT_BATCH_SIZE_MAX - 6);
    assert_int_equal(b->count, 1);
    b->bytes.size = small;
}

TEST(a_batch_holds_exactly_its_limit)
{
    sim_env *sim = sim_new(1);
    const peat_env *env = sim_peat(sim);
    pt_batch b;
    pt_batch_init(&b, env);
    /* one byte kind, one key size, five value size, four keyspace */
    size_t value_max = PEAT_BATCH_SIZE_MAX - 11;
    uint8_t *fake = (uint8_t *)env->map(env->ctx, PEAT_BATCH_SIZE_MAX);
    assert_non_null(fake);
    b.bytes.data = fake; /* untouched pages cost nothing */
    b.bytes.capacity = PEAT_BATCH_SIZE_MAX;
    static const uint8_t byte[1] = {0};
    assert_int_equal(pt_batch_put(&b, 1, text(""), pt_slice_of(byte, value_max + 1)), PEAT_TOO_BIG);
    uint8_t head[PT_OP_HEAD_BYTES_MAX];
    assert_int_equal(pt_op_head(head, PT_KIND_PUT, 1, 0, value_max) - head, 11);
    uint8_t *room = NULL;
    b.bytes.size = value_max; /* as if filled up to the last eleven bytes */
    assert_int_equal(pt_batch_put_reserve(&b, 1, text("fourk"), 0, &room), PEAT_TOO_BIG);
    assert_ok(pt_batch_put_reserve(&b, 1, text("four"), 0, &room));
    assert_int_equal(b.bytes.size, PEAT_BATCH_SIZE_MAX);
    env->unmap(env->ctx, fake, PEAT_BATCH_SIZE_MAX);
    sim_end(sim);
}

TEST_BATCH(without_memory_a_batch_stays_as_it_was)
{
    assert_ok(pt_batch_put(b, 1, text("a"), text("1")));
    pt_batch before = *b;
    sim_fail(sim, .kinds = SIM_MEMORY, .error = ENOMEM);
    static const uint8_t kilobyte[1024] = {1};
    assert_int_equal(pt_batch_put(b, 1, text("b"), pt_slice_of(kilobyte, sizeof kilobyte)),
                     PEAT_NOMEM);
    assert_memory_equal(b, &before, sizeof *b);
    assert_ok(pt_batch_put(b, 1, text("b"), pt_slice_of(kilobyte, sizeof kilobyte)));
    assert_int_equal(b->count, 2);
}

static peat_rc decode_once(const uint8_t *bytes, size_t size)
{
    pt_cursor c = pt_cursor_of(bytes, size);
    pt_entry e = {.seq = 99};
    return pt_op_next(&c, &e);
}

TEST(bytes_that_are_no_operation_are_refused)
{
    static const uint8_t key_too_short[] = {1, 3, 0, 0, 1};
    static const uint8_t key_too_long[4 + 65540] = {1, 0x84, 0x80, 0x04}; /* 65,540, all there */
    static const uint8_t value_too_long[] = {2, 4, 0x81, 0x80, 0x80, 0x80, 0x04, 0, 0, 0, 1};
    static const uint8_t varint_too_long[] = {1,    0xff, 0xff, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t key_wraps[] = {1,    0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0x01};
    assert_int_equal(decode_once(key_too_short, sizeof key_too_short), PEAT_CORRUPT);
    assert_int_equal(decode_once(key_too_long, sizeof key_too_long), PEAT_CORRUPT);
    assert_int_equal(decode_once(value_too_long, sizeof value_too_long), PEAT_CORRUPT);
    assert_int_equal(decode_once(varint_too_long, sizeof varint_too_long), PEAT_CORRUPT);
    assert_int_equal(decode_once(key_wraps, sizeof key_wraps), PEAT_CORRUPT);
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t op[] = {(uint8_t)kind, 4, 0, 0, 0, 1, 0};
        peat_rc expected = kind == 1 || kind == 2 ? PEAT_OK : PEAT_VERSION;
        assert_int_equal(decode_once(op, sizeof op), expected);
    }
}

/* Every cut of a valid list gives whole operations of that list, then an end or a refusal. */
TEST_BATCH(every_truncation_ends_cleanly)
{
    char key[300], value[300];
    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    size_t ends[9] = {0};
    for (size_t i = 0; i < 8; i++) {
        pt_slice k = pt_slice_of(key, i * 37), v = pt_slice_of(value, i * 29);
        peat_rc rc = i % 3 == 2 ? pt_batch_delete(b, 1, k) : pt_batch_put(b, 1, k, v);
        assert_ok(rc);
        ends[i + 1] = b->bytes.size;
    }
    for (size_t cut = 0; cut <= b->bytes.size; cut++) {
        uint8_t *copy = malloc(cut + 1); /* a heap block of its own, so that overruns are seen */
        assert_non_null(copy);
        memcpy(copy, b->bytes.data, cut);
        uint8_t *exact = realloc(copy, cut ? cut : 1);
        assert_non_null(exact);
        pt_cursor c = pt_cursor_of(exact, cut);
        pt_entry e;
        size_t n = 0;
        peat_rc rc;
        while ((rc = pt_op_next(&c, &e)) == PEAT_OK)
            n++;
        size_t whole = 0;
        while (whole < 8 && ends[whole + 1] <= cut)
            whole++;
        assert_int_equal(n, whole);
        assert_int_equal(rc, ends[whole] == cut ? PEAT_END : PEAT_CORRUPT);
        assert_int_equal(pt_op_next(&c, &e), rc);
        free(exact);
    }
}

TEST(random_bytes_never_leave_the_list)
{
    rng random = {20240607};
    for (int round = 0; round < 200000; round++) {
        size_t size = rng_below(&random, 64);
        uint8_t *bytes = malloc(size ? size : 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < size; i++) {
            /* small numbers make plausible kinds and sizes */
            uint64_t r = rng_next(&random);
            bytes[i] = (uint8_t)(r % 4 ? (r >> 8) % 8 : r >> 16);
        }
        pt_cursor c = pt_cursor_of(bytes, size);
        pt_entry e;
        size_t used = 0;
        peat_rc rc;
        while ((rc = pt_op_next(&c, &e)) == PEAT_OK) {
            assert_true(e.key.data >= bytes && e.key.data + e.key.size <= bytes + size);
            assert_true(e.value.size == 0 || e.value.data + e.value.size <= bytes + size);
            assert_true(e.key.size >= PT_KEYSPACE_BYTES);
            used += 2 + e.key.size + e.value.size;
        }
        assert_true(used <= size);
        assert_true(rc == PEAT_END || rc == PEAT_CORRUPT || rc == PEAT_VERSION);
        free(bytes);
    }
}

/* Whatever moves when the batch grows is found again: a key, a value, and both in one call. */
TEST(inputs_may_be_bytes_of_the_batch)
{
    sim_env *sim = sim_new(1);
    for (size_t filler = 0; filler < 200; filler++) {
        char *long_value = calloc(1, filler + 1);
        pt_batch b, twice;
        uint8_t *room = NULL;
        memset(long_value, 'f', filler);
        pt_batch_init(&b, sim_peat(sim));
        assert_ok(pt_batch_put_reserve(&b, 1, text("r"), 6, &room));
        memcpy(room, "abcdef", 6);
        size_t at = (size_t)(room - b.bytes.data);
        assert_ok(pt_batch_put(&b, 1, text(long_value), text(long_value)));
        assert_ok(pt_batch_put(&b, 1, pt_slice_of(b.bytes.data + at, 3),
                               pt_slice_of(b.bytes.data + at, 6)));
        assert_ok(pt_batch_delete(&b, 1, pt_slice_of(b.bytes.data + at + 3, 3)));
        assert_ok(pt_batch_put_reserve(&b, 1, pt_slice_of(b.bytes.data + at, 2), 300, &room));
        pt_cursor c = pt_cursor_of(b.bytes.data, b.bytes.size);
        pt_entry e;
        assert_op(&c, PT_KIND_PUT, "\0\0\0\1r", 5, "abcdef");
        assert_ok(pt_op_next(&c, &e));
        assert_op(&c, PT_KIND_PUT, "\0\0\0\1abc", 7, "abcdef");
        assert_op(&c, PT_KIND_DELETE, "\0\0\0\1def", 7, "");
        assert_ok(pt_op_next(&c, &e));
        assert_memory_equal(e.key.data, "\0\0\0\1ab", 6);
        assert_int_equal(pt_op_next(&c, &e), PEAT_END);
        twice = b;
        assert_ok(pt_batch_append(&b, &b));
        assert_int_equal(b.count, 2 * twice.count);
        assert_int_equal(b.key_bytes, 2 * twice.key_bytes);
        assert_memory_equal(b.bytes.data, b.bytes.data + b.bytes.size / 2, b.bytes.size / 2);
        pt_batch_done(&b);
        free(long_value);
    }
    sim_end(sim);
}
