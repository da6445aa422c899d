# SPDX-License-Identifier: MIT
# Random operations under random options against a sorted array. N scripts of OPS operations each,
# or BOUND seconds. Another seed for every run, unless SEED is given.
BOUND=${BOUND:-60} N=${N:-1000000} exec nice -n 19 "$BUILD/tests/model_test_model" --campaign
