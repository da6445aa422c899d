/* SPDX-License-Identifier: MIT */
/* main.c - the main of a test program without one. Alone in its file, so that the linker leaves it
 * out where a program has its own. */
#include "world/test.h"

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
