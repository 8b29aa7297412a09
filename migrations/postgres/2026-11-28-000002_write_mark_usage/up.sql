-- Whoever writes rows numbers them. GRANT … ON ALL TABLES, by which a role is given rights on rows alone, leaves sequences out.
GRANT USAGE ON SEQUENCE write_mark TO PUBLIC;
