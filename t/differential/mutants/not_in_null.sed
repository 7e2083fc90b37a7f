# mod_batch/query/evaluate.c: x NOT IN (…, NULL) is true where x is none of the others
s/return unknown ? nothing : truth(0);/return truth(0 \&\& unknown);/
