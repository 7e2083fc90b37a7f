-- What PostgreSQL is asked with beside its own operators. It refuses what it cannot compute where
-- queries have null: each function here is PostgreSQL's own operator, with null in place of the
-- error. A NUMBER is a numeric here: a whole number of 64 bits, or exactly the value of a double.

-- ---- Numbers ------------------------------------------------------------------------------------

-- The value of a double to its last digit, which a cast does not give.
CREATE FUNCTION exact(x float8) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    bits bigint;
    e int;
    n numeric;
BEGIN
    IF x IN ('NaN', 'Infinity', '-Infinity') THEN
        RETURN NULL;
    ELSIF x = trunc(x) AND abs(x) < 9e15 THEN
        RETURN x::bigint;
    END IF;
    bits := ('x' || encode(float8send(x), 'hex'))::bit(64)::bigint;
    e := ((bits >> 52) & 2047)::int;
    n := bits & 4503599627370495;
    IF e > 0 THEN
        n := n + 4503599627370496;
    ELSE
        e := 1;
    END IF;
    e := e - 1075;
    IF e >= 0 THEN
        n := round(n * 2::numeric ^ e);
    ELSE
        n := trim_scale(n * 5::numeric ^ (-e) * ('1e' || e)::numeric);
    END IF;
    RETURN CASE WHEN bits < 0 THEN -n ELSE n END;
END $$;

CREATE FUNCTION fits(n numeric) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT n BETWEEN -9223372036854775808 AND 9223372036854775807 $$;

CREATE FUNCTION dbl(n numeric) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN n::float8;
EXCEPTION WHEN others THEN
    RETURN CASE WHEN abs(n) < 1 THEN 0 END;
END $$;

CREATE FUNCTION number(n numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN n = trunc(n) AND fits(n) THEN trunc(n) ELSE exact(dbl(n)) END;
END $$;

CREATE FUNCTION text_number(t text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN number(t::numeric);
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION text_integer(t text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN t::bigint;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION number_integer(n numeric) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN fits(round(n)) THEN round(n)::bigint END $$;

CREATE FUNCTION number_text(n numeric) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN n = trunc(n) AND fits(n) THEN trunc(n)::text ELSE (n::float8::text)::numeric::text END $$;

CREATE FUNCTION calc(op text, a bigint, b bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE op WHEN '+' THEN a + b WHEN '-' THEN a - b WHEN '*' THEN a * b WHEN '/' THEN a / b
                   ELSE a % b END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- To more digits than a double has.
CREATE FUNCTION quotient(a numeric, b numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    digits int := 60;
BEGIN
    IF a = 0 AND b <> 0 THEN
        RETURN 0;
    END IF;
    digits := digits + greatest(0, length(trunc(abs(b))::text) - length(trunc(abs(a))::text))
              + CASE WHEN abs(a) < 1 THEN 340 ELSE 0 END;
    RETURN trim_scale(a * ('1e' || digits)::numeric / b * ('1e-' || digits)::numeric);
END $$;

-- Exact, and then the nearest double if it is no whole number.
CREATE FUNCTION calc(op text, a numeric, b numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN op = '+' THEN number(a + b)
                WHEN op = '-' THEN number(a - b)
                WHEN op = '*' THEN number(a * b)
                WHEN op = '%' THEN number(a % b)
                ELSE number(quotient(a, b)) END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION round_to(n numeric, places bigint) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN number(round(number_text(n)::numeric, places::int));
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION trunc_to(n numeric, places int) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT number(trunc(number_text(n)::numeric, places)) $$;

CREATE FUNCTION root(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN n >= 0 THEN exact(sqrt(n::float8)) END $$;

-- ---- Texts --------------------------------------------------------------------------------------

CREATE FUNCTION text_boolean(t text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN t::boolean;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION part(t text, first bigint, count bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN substr(t, first::int, count::int);
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION part(t text, first bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN substr(t, first::int);
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- In letters of all scripts, whatever the collation of t is.
CREATE FUNCTION low(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN lower(t COLLATE "default");
END $$;

CREATE FUNCTION up(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN upper(t COLLATE "default");
END $$;

CREATE FUNCTION fits_pattern(t text, pattern text, escape text, any_case boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN any_case THEN low(t) LIKE low(pattern) ESCAPE low(escape)
                ELSE t LIKE pattern ESCAPE escape END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- ---- Times --------------------------------------------------------------------------------------

CREATE FUNCTION says_time(t text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT t ~ '^ *\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( *[Zz]|[+-]\d{2}(:?\d{2})?)?)? *$' $$;

CREATE FUNCTION text_time(t text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN says_time(t) THEN t::timestamptz END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- CAST(… AS timestamp): without the zone that the text says.
CREATE FUNCTION text_stamp(t text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN says_time(t) THEN t::timestamp AT TIME ZONE 'UTC' END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION text_date(t text) RETURNS date LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN says_time(t) THEN t::date END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION time_text(t timestamptz) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT to_char(t, 'YYYY-MM-DD"T"HH24:MI:SS') ||
       CASE WHEN to_char(t, 'US') = '000000' THEN '' ELSE to_char(t, '.US') END || 'Z' $$;

CREATE FUNCTION shift(t timestamptz, by interval) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    s timestamptz;
BEGIN
    s := t + by;
    RETURN CASE WHEN s >= '0001-01-01T00:00:00Z' AND s < '10000-01-01T00:00:00Z' THEN s END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE FUNCTION days_on(d date, days int) RETURNS date LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE WHEN d + days BETWEEN '0001-01-01' AND '9999-12-31' THEN d + days END;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

-- ---- Members: what they are read as -------------------------------------------------------------

CREATE FUNCTION num(j jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'number' THEN number((j #>> '{}')::numeric)
                            WHEN 'string' THEN text_number(j #>> '{}') END $$;

CREATE FUNCTION whole(j jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'number' THEN number_integer(num(j))
                            WHEN 'string' THEN text_integer(j #>> '{}')
END $$;

-- Of an array or object its JSON without white space: those of the rows have none in their texts
-- behind a colon or a comma.
CREATE FUNCTION txt(j jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'string' THEN j #>> '{}' WHEN 'number' THEN number_text(num(j))
                            WHEN 'boolean' THEN j::text
                            WHEN 'null' THEN NULL
                            ELSE replace(replace(j::text, ', ', ','), ': ', ':') END $$;

CREATE FUNCTION truth(j jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'boolean' THEN j = 'true'
                            WHEN 'string' THEN text_boolean(j #>> '{}') END $$;

CREATE FUNCTION tim(j jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE jsonb_typeof(j) WHEN 'string' THEN text_time(j #>> '{}') END $$;

CREATE FUNCTION dat(j jsonb) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE jsonb_typeof(j) WHEN 'string' THEN text_date(j #>> '{}') END $$;

CREATE FUNCTION there(j jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT j IS NOT NULL AND j <> 'null' $$;

-- A member among others of any type: numbers, then texts, then booleans.
CREATE FUNCTION place(j jsonb) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'number' THEN 1 WHEN 'boolean' THEN 3 WHEN 'null' THEN NULL ELSE 2 END $$;

-- A member compared with another one: null if they are not of the same type.
CREATE FUNCTION member_order(a jsonb, b jsonb) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE WHEN place(a) <> place(b) THEN NULL
            WHEN place(a) = 1 THEN sign(num(a) - num(b))::int
            WHEN place(a) = 3 THEN truth(a)::int - truth(b)::int
            WHEN txt(a) COLLATE "C" = txt(b) THEN 0
            WHEN txt(a) COLLATE "C" < txt(b) THEN -1
            WHEN txt(a) COLLATE "C" > txt(b) THEN 1 END $$;

-- The same for members that are the same: 1 and 1.0, and an array and the text that it is read as.
CREATE FUNCTION canon(j jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT CASE jsonb_typeof(j) WHEN 'null' THEN NULL WHEN 'number' THEN to_jsonb(num(j))
                            WHEN 'boolean' THEN j ELSE to_jsonb(txt(j)) END $$;

-- ---- Aggregates ---------------------------------------------------------------------------------

CREATE FUNCTION total_of(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN n IS NULL THEN 0 ELSE number(n) END $$;

CREATE FUNCTION mean_step(state numeric[], n numeric) RETURNS numeric[] LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT ARRAY[state[1] + n, state[2] + 1] $$;

CREATE FUNCTION mean_of(state numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN state[2] > 0 THEN number(quotient(state[1], state[2])) END $$;

CREATE AGGREGATE mean(numeric) (SFUNC = mean_step, STYPE = numeric[], FINALFUNC = mean_of,
                                INITCOND = '{0,0}');
