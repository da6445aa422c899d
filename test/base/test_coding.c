/* SPDX-License-Identifier: MIT */
/* test_coding.c - integers, varints and the cursor that meets hostile bytes. */
#include "base/coding.h"
#include "world/test.h"

/* Edges of every varint length, and of every byte of a fixed integer. */
static size_t edges(uint64_t *ret_values)
{
    size_t n = 0;
    ret_values[n++] = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        ret_values[n++] = power - 1;
        ret_values[n++] = power;
        ret_values[n++] = power + 1;
    }
    ret_values[n++] = UINT64_MAX - 1;
    ret_values[n++] = UINT64_MAX;
    return n;
}

TEST(fixed_integers_are_little_endian)
{
    uint8_t p[8];
    pt_put_u16(p, 0x0102);
    assert_memory_equal(p, "\x02\x01", 2);
    pt_put_u32(p, 0x01020304);
    assert_memory_equal(p, "\x04\x03\x02\x01", 4);
    pt_put_u64(p, 0x0102030405060708);
    assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    pt_put_be32(p, 0x01020304);
    assert_memory_equal(p, "\x01\x02\x03\x04", 4);
}

TEST(fixed_integers_come_back)
{
    uint64_t values[200];
    size_t n = edges(values);
    for (size_t i = 0; i < n; i++) {
        uint8_t p[9]; /* at an odd address too */
        for (size_t shift = 0; shift < 2; shift++) {
            pt_put_u64(p + shift, values[i]);
            assert_true(pt_get_u64(p + shift) == values[i]);
            assert_true(pt_get_be64(p + shift) == __builtin_bswap64(values[i]));
            pt_put_u32(p + shift, (uint32_t)values[i]);
            assert_true(pt_get_u32(p + shift) == (uint32_t)values[i]);
            pt_put_be32(p + shift, (uint32_t)values[i]);
            assert_true(pt_get_be32(p + shift) == (uint32_t)values[i]);
            pt_put_u16(p + shift, (uint16_t)values[i]);
            assert_true(pt_get_u16(p + shift) == (uint16_t)values[i]);
        }
    }
}

TEST(varints_come_back_and_have_the_size_they_say)
{
    uint64_t values[200];
    size_t n = edges(values);
    for (size_t i = 0; i < n; i++) {
        uint8_t p[PT_VARINT_SIZE_MAX + 1];
        memset(p, 0xcc, sizeof p);
        size_t size = (size_t)(pt_put_varint(p, values[i]) - p);
        size_t bits = 64 - (size_t)__builtin_clzll(values[i] | 1);
        assert_int_equal(size, (bits + 6) / 7);
        assert_in_range(size, 1, PT_VARINT_SIZE_MAX);
        assert_int_equal(p[size], 0xcc);
        pt_cursor c = pt_cursor_of(p, size);
        assert_true(pt_cursor_varint(&c) == values[i]);
        assert_true(pt_cursor_ok(&c));
        assert_int_equal(pt_cursor_left(&c), 0);
    }
}

TEST(a_cut_varint_fails)
{
    uint64_t values[200];
    size_t n = edges(values);
    for (size_t i = 0; i < n; i++) {
        uint8_t p[PT_VARINT_SIZE_MAX];
        size_t size = (size_t)(pt_put_varint(p, values[i]) - p);
        for (size_t cut = 0; cut < size; cut++) {
            pt_cursor c = pt_cursor_of(p, cut);
            assert_true(pt_cursor_varint(&c) == 0);
            assert_false(pt_cursor_ok(&c));
        }
    }
}

TEST(a_varint_beyond_64_bits_fails)
{
    static const struct {
        const char *bytes;
        bool good;
    } cases[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", true},  /* 2^64 - 1 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", false}, /* bit 64 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", false},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81", false}, /* goes on */
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", false},
    };
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        pt_cursor c = pt_cursor_of(cases[i].bytes, 10);
        assert_true(pt_cursor_varint(&c) == (cases[i].good ? UINT64_MAX : 0));
        assert_int_equal(pt_cursor_ok(&c), cases[i].good);
    }
}

TEST(a_failed_cursor_stays_failed)
{
    static const uint8_t bytes[] = {1, 2, 3};
    pt_cursor c = pt_cursor_of(bytes, sizeof bytes);
    assert_int_equal(pt_cursor_u8(&c), 1);
    assert_int_equal(pt_cursor_u32(&c), 0); /* two bytes are left */
    assert_false(pt_cursor_ok(&c));
    assert_int_equal(pt_cursor_left(&c), 0);
    assert_int_equal(pt_cursor_u8(&c), 0); /* would have been there */
    assert_true(pt_cursor_u64(&c) == 0);
    assert_true(pt_cursor_varint(&c) == 0);
    assert_int_equal(pt_cursor_bytes(&c, 0).size, 0);
    assert_int_equal(pt_cursor_sized(&c).size, 0);
    assert_false(pt_cursor_ok(&c));
}

TEST(a_declared_length_is_bounded_by_what_is_there)
{
    static const uint64_t lengths[] = {4, 5, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < PT_COUNT_OF(lengths); i++) {
        uint8_t p[PT_VARINT_SIZE_MAX + 3];
        size_t size = (size_t)(pt_put_varint(p, lengths[i]) - p);
        memcpy(p + size, "abc", 3);
        pt_cursor c = pt_cursor_of(p, size + 3);
        pt_slice s = pt_cursor_sized(&c);
        assert_null(s.data);
        assert_int_equal(s.size, 0);
        assert_false(pt_cursor_ok(&c));
    }
    pt_cursor c = pt_cursor_of("\x03"
                               "abc"
                               "\x00",
                               5);
    pt_slice s = pt_cursor_sized(&c);
    assert_int_equal(s.size, 3);
    assert_memory_equal(s.data, "abc", 3);
    assert_int_equal(pt_cursor_sized(&c).size, 0); /* empty is not failed */
    assert_true(pt_cursor_ok(&c));
}

TEST(fields_are_read_in_order)
{
    uint8_t p[32], *at = p;
    *at++ = 7;
    pt_put_u16(at, 0xabcd);
    pt_put_u32(at + 2, 0xdeadbeef);
    pt_put_u64(at + 6, 0x0123456789abcdef);
    at = pt_put_varint(at + 14, 300);
    pt_cursor c = pt_cursor_of(p, (size_t)(at - p));
    assert_int_equal(pt_cursor_u8(&c), 7);
    assert_int_equal(pt_get_u16(pt_cursor_bytes(&c, 2).data), 0xabcd);
    assert_true(pt_cursor_u32(&c) == 0xdeadbeef);
    assert_true(pt_cursor_u64(&c) == 0x0123456789abcdef);
    assert_int_equal(pt_cursor_left(&c), 2);
    assert_true(pt_cursor_varint(&c) == 300);
    assert_true(pt_cursor_ok(&c) && pt_cursor_left(&c) == 0);
    (void)pt_cursor_u8(&c);
    assert_false(pt_cursor_ok(&c));
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

TEST(heads_and_slices_order_as_bytes_do)
{
    static const struct {
        const char *bytes;
        size_t size;
    } keys[] = {/* ascending */
                {"", 0},         {"\0", 1},       {"\0\0\0\0\0\0\0\0\0", 9},
                {"\0\1", 2},     {"a", 1},        {"a\0", 2},
                {"abcdefg", 7},  {"abcdefgh", 8}, {"abcdefghi", 9},
                {"abcdefgi", 8}, {"b", 1},        {"\x7f", 1},
                {"\x80", 1},     {"\xff", 1},     {"\xff\xff\xff\xff\xff\xff\xff\xff", 8}};
    for (size_t i = 0; i < PT_COUNT_OF(keys); i++)
        for (size_t k = 0; k < PT_COUNT_OF(keys); k++) {
            pt_slice a = pt_slice_of(keys[i].bytes, keys[i].size);
            pt_slice b = pt_slice_of(keys[k].bytes, keys[k].size);
            int expected = (i > k) - (i < k);
            assert_int_equal(sign(pt_slice_compare(a, b)), expected);
            assert_int_equal(pt_slice_equal(a, b), expected == 0);
            uint64_t x = pt_key_head(a.data, a.size), y = pt_key_head(b.data, b.size);
            if (x != y)
                assert_int_equal((x > y) - (x < y), expected);
        }
    assert_true(pt_key_head((const uint8_t *)"abc", 3) == 0x6162630000000000u);
    assert_true(pt_key_head((const uint8_t *)"abcdefghij", 10) == 0x6162636465666768u);
}

TEST(rounding_goes_up_to_the_unit)
{
    assert_int_equal(pt_round_up(0, 4096), 0);
    assert_int_equal(pt_round_up(1, 4096), 4096);
    assert_int_equal(pt_round_up(4096, 4096), 4096);
    assert_int_equal(pt_round_up(4097, 4096), 8192);
    assert_int_equal(pt_round_up(5, 1), 5);
    assert_int_equal(pt_min_u64(3, 4) + 10 * pt_max_u64(3, 4), 43);
}
