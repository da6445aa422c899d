# SPDX-License-Identifier: MIT
# Every bit of every byte, every length, every two pieces exchanged, every file missing, older or
# another's, of five kinds of small stores with three codecs: about 9 million trials in an hour and a
# half. N of them at random, or BOUND seconds.
exec nice -n 19 "$BUILD/tests/damage_test_damage" --campaign
