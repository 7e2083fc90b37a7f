# mod_batch/query/evaluate.c: the upper end does not belong to BETWEEN
s/compare(with, &value, &most, BATCH_COMPARE_LESS_OR_EQUAL)/compare(with, \&value, \&most, BATCH_COMPARE_LESS)/
