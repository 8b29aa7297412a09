DROP TABLE waiting_calls;
