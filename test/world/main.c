/* SPDX-License-Identifier: MIT */
/* main.c - the main of a test program that takes no arguments. Alone in its file, so that the linker
 * leaves it out where a program has its own. */
#include "world/test.h"

int main(void)
{
    return test_run_all();
}
