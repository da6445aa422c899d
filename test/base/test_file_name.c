/* SPDX-License-Identifier: MIT */
/* test_file_name.c - generated names are read back, and no other name is. */
#include "base/file_name.h"
#include "world/test.h"

TEST(a_generated_name_gives_its_number_back)
{
    const uint64_t numbers[] = {1, 9, 10, 999999, 1000000, 123456789012ULL, 1844674407370955161ULL};
    for (size_t i = 0; i < PT_COUNT_OF(numbers); i++) {
        char name[PT_FILE_NAME_SIZE], expected[32];
        uint64_t number = 0;
        pt_file_name('t', numbers[i], name);
        (void)snprintf(expected, sizeof expected, "t-%06" PRIu64, numbers[i]);
        assert_string_equal(name, expected);
        assert_true(pt_file_name_parse(name, 't', &number));
        assert_true(number == numbers[i]);
        assert_false(pt_file_name_parse(name, 'w', &number));
    }
}

TEST(other_names_are_not_read)
{
    const char *const names[] = {"",          "t",        "t-",         "t-1",
                                 "t-00001",   "t-000000", "t-0000001",  "t-000001 ",
                                 "t-00000a",  "t_000001", "T-000001",   "t-000001.tmp",
                                 "t--00001",  "t-+00001", "tt-000001",  "t-99999999999999999999",
                                 "t-0000000", "t- 00001", "../t-000001"};
    for (size_t i = 0; i < PT_COUNT_OF(names); i++) {
        uint64_t number = 7;
        assert_false(pt_file_name_parse(names[i], 't', &number));
        assert_true(number == 7);
    }
}
