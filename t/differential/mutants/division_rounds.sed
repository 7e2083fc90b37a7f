# mod_batch/query/numbers.c: integers are divided down, not towards zero
s|\*result = a / b;|*result = a / b - (a % b \&\& (a < 0) != (b < 0));|
