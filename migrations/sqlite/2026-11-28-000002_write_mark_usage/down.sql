-- Only PostgreSQL has rights on sequences.
SELECT 1;
