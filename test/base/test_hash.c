/* SPDX-License-Identifier: MIT */
/* test_hash.c - the hash is the one on disk, and a checksum knows its place. */
#include "base/hash.h"
#include "world/test.h"

/* Stores outlive the library they were written with: these values may never change. They are
 * what the system's own libxxhash answers, one for each of its code paths by length. */
TEST(values_on_disk_do_not_change)
{
    static const struct {
        size_t size;
        uint64_t hash;
    } known[] = {{0, 0x2d06800538d394c2u},   {1, 0xc44bdff4074eecdbu},   {5, 0x2c6f87f3768f01f3u},
                 {16, 0x0a0ec5ae8679cb7fu},  {100, 0x387363ce0e6084aau}, {200, 0x4f7ba561b80feff6u},
                 {1000, 0x5bd60eec6f4c0b72u}};
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 131);
    for (size_t i = 0; i < PT_COUNT_OF(known); i++)
        assert_true(pt_hash(data, known[i].size) == known[i].hash);
    assert_true(pt_mix(0) == 0);
    assert_true(pt_mix(1) == 0xb456bcfc34c2cb2cu);
    assert_true(pt_hash_bind(0, 0, 0) == pt_mix(pt_mix(pt_mix(0x9e3779b97f4a7c15u))));
}

TEST(every_flipped_bit_shows)
{
    static const size_t sizes[] = {1, 3, 8, 16, 17, 128, 129, 240, 241, 1024, 5000};
    static uint8_t data[5000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 131);
    for (size_t s = 0; s < PT_COUNT_OF(sizes); s++) {
        uint64_t whole = pt_checksum(data, sizes[s], 1, 2);
        size_t step = sizes[s] > 300 ? 97 : 1;
        for (size_t bit = 0; bit < sizes[s] * 8; bit += step) {
            data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1 << bit % 8);
            assert_true(pt_checksum(data, sizes[s], 1, 2) != whole);
            data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1 << bit % 8);
        }
        assert_true(pt_checksum(data, sizes[s], 1, 2) == whole);
        assert_true(pt_checksum(data, sizes[s] - 1, 1, 2) != whole);
    }
}

TEST(the_same_bytes_elsewhere_have_another_checksum)
{
    uint64_t here = pt_checksum("block", 5, 7, 4096);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t one = (uint64_t)1 << bit;
        assert_true(pt_checksum("block", 5, 7 ^ one, 4096) != here);
        assert_true(pt_checksum("block", 5, 7, 4096 ^ one) != here);
    }
    assert_true(pt_checksum("block", 5, 4096, 7) != here); /* the two are not interchangeable */
}

TEST(a_checked_block_moves_without_hashing_again)
{
    uint64_t hash = pt_hash("block", 5);
    assert_true(pt_hash_bind(hash, 7, 0) == pt_checksum("block", 5, 7, 0));
    assert_true(pt_hash_bind(hash, 8, 4096) == pt_checksum("block", 5, 8, 4096));
}

TEST(every_input_bit_reaches_about_half_of_the_output)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        unsigned changed = 0;
        for (uint64_t v = 0; v < 256; v++) {
            uint64_t x = v * 0x9e3779b97f4a7c15u;
            changed += (unsigned)__builtin_popcountll(pt_mix(x) ^ pt_mix(x ^ (uint64_t)1 << bit));
        }
        assert_in_range(changed, 256 * 24, 256 * 40);
    }
}
