# mod_batch/query/scan.c: NULLS FIRST and NULLS LAST are exchanged
s/by->nulls_first ? b_null - a_null : a_null - b_null/by->nulls_first ? a_null - b_null : b_null - a_null/
