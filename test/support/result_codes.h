/* SPDX-License-Identifier: MIT */
/*
 * result_codes.h - no public call returns a code that its comment in the header does not list: in
 * every test program each of them goes through a function (the linker's --wrap) that ends the
 * process when one does. What peat_queue_poll gives out is held to the codes that the comments list
 * for the completions of its kind.
 */
#ifndef TEST_SUPPORT_RESULT_CODES_H
#define TEST_SUPPORT_RESULT_CODES_H

/* For a process in which this fails calls: ENOSPC and EDQUOT are PEAT_FULL also where PEAT_IO alone
 * is listed, of reads, which no system answers so. */
void result_codes_expect(int os_errno);

#endif
