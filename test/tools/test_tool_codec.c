/* SPDX-License-Identifier: MIT
 *
 * Codecs and numbers of the peat command. The files under test are included: the command is a
 * program, not a library.
 */
#include "tool_support.h"

TEST(every_encoding_gives_back_what_it_took)
{
    rng random = {seed};
    cli_bytes text = {0}, scratch = {0};
    for (int round = 0; round < 3000; round++) {
        char data[64];
        peat_slice got, in = peat_bytes(data, random_bytes(&random, data, sizeof data));
        for (int e = CLI_TEXT; e <= CLI_BASE64; e++) {
            text.size = 0;
            cli_encode(&text, (cli_encoding)e, in);
            assert_null(
                cli_decode((cli_encoding)e, peat_bytes(text.data, text.size), &scratch, &got));
            assert_bytes(got, data, in.size);
        }
        text.size = 0;
        cli_escape(&text, in, '\t');
        for (size_t i = 0; i < text.size; i++)
            assert_true((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
        assert_null(cli_unescape(peat_bytes(text.data, text.size), &scratch, &got));
        assert_bytes(got, data, in.size);
    }
    cli_bytes_free(&text);
    cli_bytes_free(&scratch);
}

TEST(known_encodings_are_the_standard_ones)
{
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    cli_bytes text = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        text.size = 0;
        cli_encode(&text, CLI_BASE64, peat_str(pairs[i][0]));
        assert_bytes(peat_bytes(text.data, text.size), pairs[i][1], strlen(pairs[i][1]));
    }
    text.size = 0;
    cli_encode(&text, CLI_HEX, peat_bytes("\x00\xff\x1a", 3));
    assert_bytes(peat_bytes(text.data, text.size), "00ff1a", 6);
    cli_bytes_free(&text);
}

TEST(malformed_texts_are_refused)
{
    static const char *const bad_hex[] = {"0", "0g", "zz", "00 "};
    static const char *const bad_base64[] = {
        "Z", "Zg=", "Zg", "Zh==", "Zm9=", "=Zg=", "Z===", "Zg==Zg=="};
    static const char *const bad_escapes[] = {"\\", "a\\", "\\x", "\\x1", "\\xg0", "\\q", "\\0"};
    cli_bytes scratch = {0};
    peat_slice got;
    for (size_t i = 0; i < sizeof bad_hex / sizeof bad_hex[0]; i++)
        assert_non_null(cli_decode(CLI_HEX, peat_str(bad_hex[i]), &scratch, &got));
    for (size_t i = 0; i < sizeof bad_base64 / sizeof bad_base64[0]; i++)
        assert_non_null(cli_decode(CLI_BASE64, peat_str(bad_base64[i]), &scratch, &got));
    for (size_t i = 0; i < sizeof bad_escapes / sizeof bad_escapes[0]; i++)
        assert_non_null(cli_unescape(peat_str(bad_escapes[i]), &scratch, &got));
    cli_bytes_free(&scratch);
}

TEST(utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x8c\xb1",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(cli_is_utf8(peat_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cli_is_utf8(peat_str(bad[i])));
}

TEST(numbers_are_readable)
{
    char text[CLI_NUMBER_SIZE];
    assert_string_equal(cli_group(0, text), "0");
    assert_string_equal(cli_group(999, text), "999");
    assert_string_equal(cli_group(1234567, text), "1,234,567");
    assert_string_equal(cli_group(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(cli_human(999, text), "999 B");
    assert_string_equal(cli_human(1000, text), "1.0 kB");
    assert_string_equal(cli_human(999960, text), "1.0 MB");
    assert_string_equal(cli_human(12340000, text), "12.3 MB");
}
