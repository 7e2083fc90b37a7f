# mod_batch/query/parser_select.c: INTERSECT binds no tighter than UNION and EXCEPT
/^static batch_select_t \*parse_intersection/,/^}/s/while (select &&/while (0 \&\& select \&\&/
/^static batch_select_t \*parse_union/,/^}/s/        } else {/        } else if (batch_parser_take(parser, BATCH_WORD_INTERSECT)) {\
            select = join(parser, BATCH_SET_INTERSECT, select, parse_intersection);\
        } else {/
