# SPDX-License-Identifier: MIT
# Random damages of small stores, each repaired into a new store: every intact record is recovered,
# none is made up. N trials or BOUND seconds.
BOUND=${BOUND:-60} exec nice -n 19 "$BUILD/tests/damage_test_repair" --campaign
