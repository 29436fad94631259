-- Two more reasons why a destination gets nothing: its cursor belongs to another journal, its secret does not open.
ALTER TABLE destinations ADD COLUMN halted TEXT CHECK (halted IN ('gone', 'loop', 'failing', 'journal', 'secret'));
UPDATE destinations SET halted = halt;
ALTER TABLE destinations DROP COLUMN halt;
ALTER TABLE destinations RENAME COLUMN halted TO halt;

-- What was put aside is forgotten by its age; `due_at` is then when that was.
CREATE INDEX relay_units_aside ON relay_units (due_at) WHERE standing <> 'retrying';
