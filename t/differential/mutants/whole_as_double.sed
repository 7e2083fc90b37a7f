# mod_batch/query/numbers.c: whole numbers are compared as doubles
/^int batch_query_compare_numbers/,/^}/s/^{/{\
    if (a \&\& b) {\
        double left = batch_query_double(a), right = batch_query_double(b);\
\
        return (left > right) - (left < right);\
    }/
