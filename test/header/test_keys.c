/* SPDX-License-Identifier: MIT */
/*
 * test_keys.c - peat_key.h: the bytes of keys have the order of what they were made of, and come
 * back as it; any other bytes are refused.
 *
 * SEED=N N_KEYS=M test_keys        other chance, more pairs
 */
#include <peat_key.h>

#include "world/random.h"
#include "world/settings.h"
#include "world/test.h"

#include <math.h>

#define STRING_MAX 6
#define ROOM       128

typedef struct bytes {
    unsigned char data[ROOM];
    size_t size;
} bytes;

/* A tuple with an element of each kind. */
typedef struct tuple {
    bytes name;
    uint32_t small;
    int64_t signed_number;
    bytes middle;
    double number;
    uint64_t large;
    bytes tail;
} tuple;

static rng start(void)
{
    rng r = {test_number("SEED", 160)};
    print_message("SEED=%" PRIu64 "\n", r.state);
    return r;
}

static peat_slice slice(const bytes *b)
{
    return peat_bytes(b->data, b->size);
}

static int sign(int64_t n)
{
    return (n > 0) - (n < 0);
}

/* --- the order that is wanted, told without the encoding ------------------------------------- */

static int order_of_bytes(const bytes *a, const bytes *b)
{
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order != 0 ? sign(order) : sign((int64_t)a->size - (int64_t)b->size);
}

/* The total order of IEEE 754: by value, then -0 before +0; NaNs outside, by their bits. */
static int order_of_doubles(double a, double b)
{
    int64_t x, y;
    if (!isnan(a) && !isnan(b) && (a < b || a > b))
        return a < b ? -1 : 1;
    memcpy(&x, &a, 8);
    memcpy(&y, &b, 8);
    if ((x < 0) != (y < 0))
        return x < 0 ? -1 : 1;
    return x == y ? 0 : (x < y) == (x >= 0) ? -1 : 1;
}

static int order_of(const tuple *a, const tuple *b)
{
    int order = order_of_bytes(&a->name, &b->name);
    if (order == 0)
        order = (a->small > b->small) - (a->small < b->small);
    if (order == 0)
        order = (a->signed_number > b->signed_number) - (a->signed_number < b->signed_number);
    if (order == 0)
        order = order_of_bytes(&a->middle, &b->middle);
    if (order == 0)
        order = order_of_doubles(a->number, b->number);
    if (order == 0)
        order = (a->large > b->large) - (a->large < b->large);
    return order != 0 ? order : order_of_bytes(&a->tail, &b->tail);
}

/* --- chance, with a liking for edges and for what is nearly the same -------------------------- */

static bytes any_bytes(rng *r)
{
    static const unsigned char likely[] = {0x00, 0x00, 0xff, 0x01, 0xfe, 'a'};
    bytes b = {{0}, (size_t)rng_below(r, STRING_MAX + 1)};
    for (size_t i = 0; i < b.size; i++)
        b.data[i] =
            rng_below(r, 4) != 0 ? likely[rng_below(r, sizeof likely)] : (unsigned char)rng_next(r);
    return b;
}

static uint64_t any_bits(rng *r)
{
    uint64_t near = (uint64_t)1 << rng_below(r, 64);
    switch (rng_below(r, 4)) {
    case 0:
        return rng_next(r);
    case 1:
        return near - 1 + rng_below(r, 3);
    case 2:
        return ~(near - 1 + rng_below(r, 3));
    default:
        return rng_below(r, 3) - 1;
    }
}

static double any_double(rng *r)
{
    static const double likely[] = {0.0,  -0.0,  1.0,    -1.0,   0.1,
                                    -0.1, 1e300, -1e300, 5e-324, -5e-324};
    uint64_t bits = any_bits(r);
    double number;
    memcpy(&number, &bits, 8);
    switch (rng_below(r, 4)) {
    case 0:
        return likely[rng_below(r, sizeof likely / sizeof likely[0])];
    case 1:
        return (double)(int64_t)bits;
    case 2:
        return rng_below(r, 2) ? INFINITY : -INFINITY;
    default:
        return number; /* NaNs of any bits among them */
    }
}

static tuple any_tuple(rng *r)
{
    tuple t;
    memset(&t, 0, sizeof t);
    t.name = any_bytes(r);
    t.small = (uint32_t)any_bits(r);
    t.signed_number = (int64_t)any_bits(r);
    t.middle = any_bytes(r);
    t.number = any_double(r);
    t.large = any_bits(r);
    t.tail = any_bytes(r);
    return t;
}

/* Most pairs would differ in their first element: elements in front are made the same. */
static void make_alike(rng *r, const tuple *from, tuple *io_to)
{
    uint64_t alike = rng_below(r, 7);
    if (alike > 0)
        io_to->name = from->name;
    if (alike > 1)
        io_to->small = from->small;
    if (alike > 2)
        io_to->signed_number = from->signed_number;
    if (alike > 3)
        io_to->middle = from->middle;
    if (alike > 4)
        io_to->number = from->number;
    if (alike > 5)
        io_to->large = from->large;
}

/* --- there and back --- */

static peat_slice encode(const tuple *t, unsigned char *room, size_t size)
{
    peat_key key = peat_key_in(room, size);
    peat_key_add_bytes(&key, slice(&t->name));
    peat_key_add_u32(&key, t->small);
    peat_key_add_i64(&key, t->signed_number);
    peat_key_add_bytes(&key, slice(&t->middle));
    peat_key_add_double(&key, t->number);
    peat_key_add_u64(&key, t->large);
    peat_key_add_tail(&key, slice(&t->tail));
    return peat_key_slice(&key);
}

static bool decode(peat_slice key, tuple *ret_tuple)
{
    peat_key_reader reader = peat_key_read(key);
    tuple t;
    memset(&t, 0, sizeof t);
    t.name.size = peat_key_take_bytes(&reader, t.name.data, ROOM);
    t.small = peat_key_take_u32(&reader);
    t.signed_number = peat_key_take_i64(&reader);
    t.middle.size = peat_key_take_bytes(&reader, t.middle.data, ROOM);
    t.number = peat_key_take_double(&reader);
    t.large = peat_key_take_u64(&reader);
    peat_slice tail = peat_key_take_tail(&reader);
    t.tail.size = tail.size;
    if (tail.size > 0)
        memcpy(t.tail.data, tail.data, tail.size);
    *ret_tuple = t;
    return peat_key_done(&reader);
}

static int order_of_keys(peat_slice a, peat_slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? sign(order) : sign((int64_t)a.size - (int64_t)b.size);
}

/* --- tests --- */

TEST(the_bytes_are_those_that_are_written_down)
{
    unsigned char room[ROOM];
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_add_u32(&key, 0x01020304);
    peat_key_add_u64(&key, 0x0102030405060708);
    peat_key_add_i64(&key, 1);
    peat_key_add_i64(&key, -1);
    peat_key_add_double(&key, 1.0);
    peat_key_add_double(&key, -1.0);
    peat_key_add_bytes(&key, peat_bytes("a\0b", 3));
    peat_key_add_bytes(&key, peat_bytes(NULL, 0));
    peat_key_add_tail(&key, peat_bytes("\0z", 2));
    static const char wanted[] = "\x01\x02\x03\x04"
                                 "\x01\x02\x03\x04\x05\x06\x07\x08"
                                 "\x80\x00\x00\x00\x00\x00\x00\x01"
                                 "\x7f\xff\xff\xff\xff\xff\xff\xff"
                                 "\xbf\xf0\x00\x00\x00\x00\x00\x00"
                                 "\x40\x0f\xff\xff\xff\xff\xff\xff"
                                 "a\x00\xff"
                                 "b\x00\x00"
                                 "\x00\x00"
                                 "\x00z";
    peat_slice got = peat_key_slice(&key);
    assert_int_equal(got.size, sizeof wanted - 1);
    assert_memory_equal(got.data, wanted, sizeof wanted - 1);
}

TEST(keys_have_the_order_of_what_they_are_made_of)
{
    rng r = start();
    uint64_t pairs = test_number("N_KEYS", 200000);
    unsigned char room_a[ROOM], room_b[ROOM];
    for (uint64_t i = 0; i < pairs; i++) {
        tuple a = any_tuple(&r), b = any_tuple(&r);
        make_alike(&r, &a, &b);
        peat_slice x = encode(&a, room_a, ROOM), y = encode(&b, room_b, ROOM);
        assert_non_null(x.data);
        assert_non_null(y.data);
        if (order_of_keys(x, y) != order_of(&a, &b))
            fail_msg("pair %" PRIu64 ": the keys compare as %d, the tuples as %d", i,
                     order_of_keys(x, y), order_of(&a, &b));
    }
}

TEST(what_was_added_comes_back)
{
    rng r = start();
    unsigned char room[ROOM];
    for (int i = 0; i < 50000; i++) {
        tuple t = any_tuple(&r), back;
        assert_true(decode(encode(&t, room, ROOM), &back));
        assert_int_equal(order_of(&t, &back), 0);
    }
}

TEST(whole_elements_are_a_prefix_of_their_keys_only)
{
    rng r = start();
    unsigned char room_a[ROOM], room_b[ROOM];
    for (int i = 0; i < 50000; i++) {
        bytes a = any_bytes(&r), b = any_bytes(&r);
        peat_key x = peat_key_in(room_a, ROOM), y = peat_key_in(room_b, ROOM);
        peat_key_add_bytes(&x, slice(&a));
        peat_key_add_bytes(&y, slice(&b));
        peat_key_add_u32(&y, (uint32_t)any_bits(&r));
        peat_slice front = peat_key_slice(&x), whole = peat_key_slice(&y);
        bool begins = whole.size >= front.size && memcmp(whole.data, front.data, front.size) == 0;
        assert_int_equal(begins, order_of_bytes(&a, &b) == 0);
    }
}

/* Exactly sized heap memory, so that AddressSanitizer and valgrind see a byte too far. */
TEST(a_key_that_does_not_fit_is_refused_at_every_size)
{
    rng r = start();
    unsigned char room[ROOM];
    for (int i = 0; i < 200; i++) {
        tuple t = any_tuple(&r);
        size_t whole = encode(&t, room, ROOM).size;
        for (size_t size = 0; size <= whole; size++) {
            unsigned char *exact = malloc(size + (size == 0));
            assert_non_null(exact);
            peat_slice key = encode(&t, exact, size);
            assert_int_equal(key.data == NULL, size < whole);
            assert_int_equal(key.size, size < whole ? 1 : whole);
            free(exact);
        }
        assert_null(encode(&t, NULL, ROOM).data);
    }
}

TEST(what_is_no_string_is_not_read)
{
    unsigned char room[ROOM];
    const size_t sizes[] = {1, ROOM, SIZE_MAX - 2, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        peat_key key = peat_key_in(room, sizeof room), tail = key;
        peat_key_add_bytes(&key, peat_bytes(NULL, sizes[i]));
        peat_key_add_u32(&key, 1); /* a key that failed stays so */
        assert_null(peat_key_slice(&key).data);
        assert_int_equal(peat_key_slice(&key).size, 1);
        peat_key_add_tail(&tail, peat_bytes(NULL, sizes[i]));
        assert_null(peat_key_slice(&tail).data);
        peat_key_reader reader = peat_key_read(peat_bytes(NULL, sizes[i]));
        assert_int_equal(peat_key_take_u64(&reader), 0);
        assert_false(peat_key_done(&reader));
    }
}

TEST(every_cut_is_refused_or_is_a_shorter_tail)
{
    rng r = start();
    unsigned char room[ROOM];
    for (int i = 0; i < 500; i++) {
        tuple t = any_tuple(&r), back;
        peat_slice key = encode(&t, room, ROOM);
        for (size_t size = 0; size < key.size; size++) {
            unsigned char *exact = malloc(size + (size == 0));
            assert_non_null(exact);
            memcpy(exact, key.data, size);
            assert_int_equal(decode(peat_bytes(exact, size), &back),
                             size >= key.size - t.tail.size);
            free(exact);
        }
    }
}

/* Chance seldom ends strings: what is read is made of pieces that look like keys. */
TEST(hostile_bytes_are_refused_or_are_the_one_form)
{
    rng r = start();
    unsigned char again[2 * ROOM];
    int accepted = 0;
    for (int i = 0; i < 100000; i++) {
        size_t size = rng_below(&r, ROOM - 40);
        unsigned char *exact = malloc(size + 1);
        tuple t;
        assert_non_null(exact);
        for (size_t at = 0; at < size; at++)
            exact[at] = rng_below(&r, 3) ? (unsigned char)(rng_below(&r, 3) - 1)
                                         : (unsigned char)rng_next(&r);
        if (decode(peat_bytes(exact, size), &t)) {
            peat_slice key = encode(&t, again, sizeof again);
            assert_int_equal(key.size, size);
            assert_memory_equal(key.data, exact, size);
            accepted++;
        }
        free(exact);
    }
    assert_in_range(accepted, 100, 99900); /* else one side was not tried */
}

TEST(bytes_are_taken_into_just_enough_room)
{
    unsigned char room[ROOM], out[4];
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_add_bytes(&key, peat_bytes("a\0\xff\0", 4));
    for (size_t size = 0; size <= sizeof out; size++) {
        unsigned char *exact = malloc(size + (size == 0));
        assert_non_null(exact);
        peat_key_reader reader = peat_key_read(peat_key_slice(&key));
        assert_int_equal(peat_key_take_bytes(&reader, exact, size), size == 4 ? 4 : 0);
        assert_int_equal(peat_key_done(&reader), size == 4);
        if (size == 4)
            assert_memory_equal(exact, "a\0\xff\0", 4);
        free(exact);
    }
}

/* A failure is for good: later elements do not begin to be read in the middle. */
TEST(after_a_failure_nothing_is_taken)
{
    unsigned char buffer[8];
    peat_key_reader reader =
        peat_key_read(peat_bytes("\x00\x07\x00\x00\x00\x00\x00\x00\x00\x05", 10));
    assert_int_equal(peat_key_take_bytes(&reader, buffer, sizeof buffer), 0);
    assert_int_equal(peat_key_take_u32(&reader), 0);
    assert_true(peat_key_take_i64(&reader) == 0);
    assert_true(peat_key_take_double(&reader) == 0.0);
    assert_int_equal(peat_key_take_tail(&reader).size, 0);
    assert_false(peat_key_done(&reader));
}

/* The store refuses {NULL, 1} wherever a key goes, also as a bound, where NULL alone means none. */
TEST(the_store_refuses_a_key_that_did_not_fit)
{
    char dir[] = "/tmp/peat-keys-XXXXXX", path[64];
    unsigned char room[2];
    peat_db *db = NULL;
    peat_iter *it = NULL;
    peat_buf value = PEAT_BUF_INIT;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/store", dir);
    assert_ok(peat_open(path, NULL, &db, NULL));
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_add_u32(&key, 1);
    peat_slice refused = peat_key_slice(&key);
    assert_int_equal(peat_put(db, NULL, refused, peat_str("v")), PEAT_INVALID);
    assert_int_equal(peat_get(db, NULL, refused, &value), PEAT_INVALID);
    assert_int_equal(peat_delete(db, NULL, refused), PEAT_INVALID);
    for (int i = 0; i < 3; i++) {
        peat_iter_options options = {.size = sizeof options};
        *(i == 0 ? &options.lower : i == 1 ? &options.upper : &options.prefix) = refused;
        assert_int_equal(peat_iter_open(db, &options, &it), PEAT_INVALID);
    }
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(path, NULL));
    assert_int_equal(remove(dir), 0);
}
