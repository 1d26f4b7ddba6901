-- The server process that has a worker's stream. A folder is one process's, so here it says nothing; the rows of both
-- stores are read and written by the same code.
ALTER TABLE sessions ADD COLUMN node TEXT NOT NULL DEFAULT '';
