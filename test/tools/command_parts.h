/* SPDX-License-Identifier: MIT */
/*
 * command_parts.h - the parsers of the command and what they call in its main file. The files are
 * included: the command is a program, not a library. Once per program.
 */
#ifndef TEST_COMMAND_PARTS_H
#define TEST_COMMAND_PARTS_H

#include "../../tools/peat/bytes.c"
#include "../../tools/peat/codec.c"
#include "../../tools/peat/input.c"
#define fail json_fail
#include "../../tools/peat/json.c"
#undef fail
#define fail records_fail
#include "../../tools/peat/records.c"
#undef fail
#include "../../tools/peat/suggest.c"
#include "../../tools/peat/options.c"

bool cli_interrupted(void)
{
    return false;
}

int cli_fail(const cli_args *args, int code, const char *format, ...)
{
    (void)args, (void)format;
    return code;
}

#endif
