# mod_batch/query/times.c: fractions of seconds are dropped
s/unit \/= 10;/unit = 0;/
